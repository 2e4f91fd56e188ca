"""Generated source: runs alone, is the same text each time, and obeys the law of graph networks."""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.searchspace import BadInput, Network, Space, Task, Value, architecture, choice, constant
from nas.searchspace.elements import ACTIVATIONS, DECODERS, NORMALISATIONS, READOUTS
from nas.searchspace.operators import find as find_operator
from nas.searchspace.source import load, module, source, trace
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import GRAPH, NODE, TASKS, Flat, Layer, carried, features, graph

RECORDED = Path(__file__).parent / "recorded"
EACH = [(name, kind) for name in SPACES.names() for kind in TASKS]
EVERY = pytest.mark.parametrize(
    ("name", "task"), [(n, TASKS[kind]) for n, kind in EACH], ids=["-".join(each) for each in EACH]
)


def given(task: Task, edge_index: torch.Tensor, batch: torch.Tensor, pairs: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a network takes beside the features, by name."""
    found = {"edge_index": edge_index, "batch": batch, "edge_label_index": pairs, **carried(edge_index.size(1))}
    return {name: found[name] for name in task.inputs[1:]}


def sampled(name: str, task: Task, n: int) -> list[Any]:
    space, rng = find(name).for_task(task), random.Random(0)
    return [space.sample(rng) for _ in range(n)]


def imported(text: str) -> set[str]:
    """Top-level packages that the source imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.each_once
@EVERY
def test_source_imports_torch_only_and_is_the_same_text_each_time(name: str, task: Task) -> None:
    for a in sampled(name, task, 20):
        text = source(a, task)
        assert text == source(a, task)
        assert imported(text) <= {"torch", "torch_geometric"}
        assert "AttentionConv" not in text or text.count("class AttentionConv") == 1


@pytest.mark.each_once
@EVERY
def test_relabelled_nodes(name: str, task: Task) -> None:
    """Other numbers for the nodes, another order of the edges, and the other node of a pair first."""
    nodes, edges = 12, 30
    edge_index, x = graph(nodes, edges), features(nodes, task.features)
    batch = torch.tensor([0] * 5 + [1] * 7)
    edge_index = edge_index[:, batch[edge_index[0]] == batch[edge_index[1]]]
    pairs = torch.tensor([[0, 1, 2, 3, 11, 4], [4, 2, 1, 9, 5, 4]])
    order = torch.randperm(nodes, generator=torch.Generator().manual_seed(1))
    # in a batch the graphs stay in order, and their nodes are relabelled
    order = order[batch[order].argsort(stable=True)]
    place, shuffled = order.argsort(), torch.randperm(edge_index.size(1), generator=torch.Generator().manual_seed(2))
    more = given(task, edge_index, batch, pairs)
    other = given(task, place[edge_index], batch, place[pairs].flip(0))
    other |= {key: other[key][..., shuffled] if key == "edge_index" else other[key][shuffled]
              for key in ("edge_index", "edge_weight", "edge_attr") if key in other}  # fmt: skip
    for a in sampled(name, task, 8):
        torch.manual_seed(0)
        model = module(a, task).double().eval()
        y = model(x, **more)
        assert y.shape == ({"node": nodes, "graph": 2, "link": 6}[task.level], task.outputs)
        relabelled = model(x[order], **other)
        expected = y[order] if task.level == "node" else y
        torch.testing.assert_close(relabelled, expected, rtol=1e-7, atol=1e-7 * y.abs().max().item())


@EVERY
def test_the_source_reads_what_its_operators_hear_of(name: str, task: Task) -> None:
    for a in sampled(name, task, 8):
        rows = [find_operator(step.name or "") for step in trace(a, task)[0].steps if step.kind == "operator"]
        body = source(a, task).rpartition("-> torch.Tensor:")[2]
        assert ("edge_weight" in body) == (task.edge_weights and any(row.weighted for row in rows))
        assert ("edge_attr" in body) == (task.edge_features > 0 and any(row.attributed for row in rows))


@pytest.mark.each_once
@EVERY
def test_a_network_trains_on_a_graph_without_edges(name: str, task: Task) -> None:
    a = sampled(name, task, 1)[0]
    model = module(a, task).double()
    none = torch.zeros(2, 0, dtype=torch.long)
    more = given(task, none, torch.tensor([0, 0, 1, 1]), torch.tensor([[0, 1], [2, 3]]))
    y = model(features(4, 5), **more)
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert any(p.grad is not None for p in model.parameters())


@EVERY
def test_recorded_source(name: str, task: Task) -> None:
    """One architecture of each space and kind of task; a change of generated source is seen here, and meant.

    To record anew: ``RECORD=1 pytest tests/searchspace/test_sources.py``, then read the difference.
    """
    kind = next(kind for kind, each in TASKS.items() if each is task)
    text, path = source(sampled(name, task, 1)[0], task), RECORDED / f"{name}-{kind}.txt"
    if os.environ.get("RECORD"):
        path.write_text(text)
    assert text == path.read_text()


ALONE = """
import inspect, pathlib, sys, torch
sys.modules["nas"] = None  # from here on, importing it fails
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.txt")):
    space = {"__name__": "model"}
    exec(compile(path.read_text(), str(path), "exec"), space)
    model = space["Model"]().eval()
    edges, pairs = torch.tensor([[0, 1, 2], [1, 2, 3]]), torch.tensor([[0, 1], [2, 3]])
    found = {"x": torch.ones(4, 5), "edge_index": edges, "edge_weight": torch.ones(3), "edge_attr": torch.ones(3, 4)}
    found |= {"batch": torch.tensor([0, 0, 1, 1]), "edge_label_index": pairs}
    takes = inspect.signature(model.forward).parameters
    print(path.stem, tuple(model(**{name: found[name] for name in takes}).shape))
"""


def test_recorded_source_runs_without_us(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", ALONE, str(RECORDED)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(list(RECORDED.glob("*.txt"))) == len(EACH)
    shapes = {"node": "(4, 3)", "graph": "(2, 3)", "link": "(2, 1)"}
    kinds = {"-".join(each): TASKS[each[1]].level for each in EACH}
    assert all(line.partition(" ")[2] == shapes[kinds[line.partition(" ")[0]]] for line in lines)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name: str) -> None:
    @architecture
    class One:
        act: str = constant(name)

        def network(self, net: Network) -> Value:
            return net.scores(net.activation(self.act, net.x))

    x = features(4, 5)
    reference = {
        "linear": lambda v: v,
        "swish": torch.nn.SiLU(),
        "prelu": torch.nn.PReLU().double(),
        "relu6": torch.nn.ReLU6(),
        "leaky_relu": torch.nn.LeakyReLU(0.01),
        "gelu": torch.nn.GELU(),
        "elu": torch.nn.ELU(),
        "softplus": torch.nn.Softplus(),
    }.get(name) or getattr(torch, name)
    task = Task("t", "node", "regression", 5, 5, "mae", "", "")
    torch.testing.assert_close(module(One(), task).double()(x, graph(4, 3)), reference(x))


@pytest.mark.parametrize("name", READOUTS)
def test_every_readout(name: str) -> None:
    a = Space(Flat).for_task(GRAPH).from_knobs({"conv": "gcn", "width": 4, "skip": False, "readout": name})
    model = module(a, GRAPH).double().eval()
    x, edges = features(6, 5), graph(6, 12)
    one = model(x, edges, torch.zeros(6, dtype=torch.long))
    both = model(torch.cat([x, x]), torch.cat([edges, edges + 6], dim=1), torch.arange(12) // 6)
    torch.testing.assert_close(both, torch.cat([one, one]))


def test_values_take_over_names_that_nobody_reads() -> None:
    @architecture
    class Woven:
        depth: int = constant(2)

        def network(self, net: Network) -> Value:
            a = net.linear(net.x, 4)
            b = net.linear(net.x, 4)
            c = net.activation("relu", a)
            unread = net.linear(c, 99)
            assert unread.width == 99
            return net.concat(net.add(a, c), net.norm("layer", b), net.x)

    text = source(Woven(), NODE)
    body = text.split("-> torch.Tensor:\n")[1].splitlines()
    assert [line.strip() for line in body] == [
        "h1 = self.linear1(x)",
        "h2 = self.linear2(x)",
        "h3 = torch.relu(h1)",
        "h1 = h1 + h3",
        "h2 = self.norm1(h2)",
        "x = torch.cat([h1, h2, x], dim=1)",
        "# head",
        "x = self.linear4(x)",
        "return x",
    ]
    assert "99" not in text
    model = load(text)().double()
    x = features(4, 5)
    a, b = model.linear1(x), model.linear2(x)
    expected = model.linear4(torch.cat([a + a.relu(), model.norm1(b), x], dim=1))
    torch.testing.assert_close(model(x, graph(4, 3)), expected)


def test_equation_1_of_the_design_space() -> None:
    knobs = {"pre_layers": 1, "layers": 2, "post_layers": 1, "connectivity": "skip-sum", "aggregation": "max"}
    knobs |= {"activation": "prelu", "norm": "batch", "dropout": 0.3, "optimiser": "adam", "lr": 0.01}
    a = find("design").from_knobs({**knobs, "batch_size": 32, "epochs": 100})
    net, _ = trace(a, NODE)
    kinds = [step.kind for step in net.steps]
    mapped = ["linear", "norm", "dropout", "activation"]
    assert kinds == [*mapped, *mapped, "operator", "add", *mapped, "operator", "add", "linear"]
    assert [s.label for s in net.steps if s.kind == "operator"] == ["aggregate (max)"] * 2


def test_the_batch_size_of_a_design_means_something_for_graphs_alone() -> None:
    for task in TASKS.values():
        space = find("design").for_task(task)
        a = replace(space.sample(random.Random(0)), batch_size=16)
        assert space.canonical(a).batch_size == (16 if task.level == "graph" else 64)


def test_generated_modules_do_not_pile_up() -> None:
    from nas.searchspace.source import KEPT

    def held() -> int:  # torch_geometric keeps modules of its own beside ours
        return sum(re.fullmatch("nas_generated_[0-9a-f]{16}", name) is not None for name in sys.modules)

    before = held()
    for k in range(KEPT + 10):
        load(f"class Model:\n    number = {k}\n")
    assert held() <= max(before, KEPT)
    first = load("class Model:\n    number = 0\n")
    assert first is load("class Model:\n    number = 0\n")


def test_source_that_fails_leaves_nothing_behind() -> None:
    text = "class Model: pass\nraise ValueError('no')\n"
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            load(text)


# what the task's head adds


def steps_of(task: Task, build: Any) -> list[str]:
    @architecture
    class Built:
        width: int = constant(task.outputs)

        def network(self, net: Network) -> Value:
            return build(net)

    return [step.kind for step in trace(Built(), task)[0].steps]


def test_only_scores_need_no_head() -> None:
    hidden = lambda net: net.activation("relu", net.linear(net.x, NODE.outputs))  # noqa: E731
    assert steps_of(NODE, hidden) == ["linear", "activation", "linear"]
    assert steps_of(NODE, lambda net: net.scores(hidden(net))) == ["linear", "activation"]
    with pytest.raises(BadInput, match="needs 3 numbers per item and the scores have 7"):
        steps_of(NODE, lambda net: net.scores(net.linear(net.x, 7)))


def test_a_network_may_say_where_it_pools() -> None:
    assert steps_of(GRAPH, lambda net: net.linear(net.x, 4)) == ["linear", "readout", "linear"]
    assert steps_of(GRAPH, lambda net: net.linear(net.pool(net.x), 4)) == ["readout", "linear", "linear"]
    assert steps_of(GRAPH, lambda net: net.pool(net.pool(net.x))) == ["readout", "linear"]
    assert steps_of(NODE, lambda net: net.linear(net.pool(net.x), 4)) == ["linear", "linear"]


# what is not a network, and what would be an injection

ATTACK = "x'); import os; os.system('touch stolen'); ('"


def network_of(build: Any) -> Any:
    @architecture
    class Attacked:
        text: str = choice(ATTACK, ATTACK + '"""\nraise SystemExit\n"""')

        def network(self, net: Network) -> Value:
            return build(net, self.text)

    return Attacked


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda net, s: net.operator(s, net.x, 4), "unknown operator"),
        (lambda net, s: net.operator("gcn", net.x, s), "a width is a whole number from 1"),
        (lambda net, s: net.operator("gat", net.x, 4, heads=s), "heads do not divide"),
        (lambda net, s: net.linear(net.x, s), "a width is a whole number from 1"),
        (lambda net, s: net.activation(s, net.x), "unknown activation"),
        (lambda net, s: net.norm(s, net.x), "unknown normalisation"),
        (lambda net, s: net.dropout(s, net.x), "a dropout probability is from 0 to below 1"),
        (lambda net, s: net.readout(s, net.x), "unknown readout"),
        (lambda net, s: s, "network must return a value of the network"),
        (lambda net, s: net.operator("sage", net.x, 4, **{s: 1}), "has no setting"),
        (lambda net, s: net.dropout(float("nan"), net.x), "a dropout probability is from 0 to below 1; got nan"),
        (lambda net, s: net.linear(net.x, 0), "a width is a whole number from 1; got 0"),
        (lambda net, s: net.linear(net.x, 2.0), "a width is a whole number from 1; got 2.0"),
        (lambda net, s: net.concat(), "there is nothing to concatenate"),
        (lambda net, s: net.add(), "one or more values of one width can be added; got widths []"),
        (lambda net, s: net.add(net.x, net.linear(net.x, 4)), "one width can be added; got widths [5, 4]"),
    ],
)
def test_what_is_no_network_is_refused(build: Any, message: str) -> None:
    of = network_of(build)
    for a in Space(of).enumerate():
        with pytest.raises(BadInput, match=re.escape(message)):
            source(a, NODE)


@pytest.mark.parametrize(
    "build",
    [
        lambda net, s: net.operator("sage", net.x, 4, aggr=s),
        lambda net, s: net.operator("attention", net.x, 4, attention=s),
        lambda net, s: (net.comment(s + "\n\rimport os\x0c\u2028import os"), net.linear(net.x, 4))[1],
    ],
)
def test_text_stays_text(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stolen(command: str) -> None:
        pytest.fail(f"ran {command}")

    monkeypatch.setattr(os, "system", stolen)
    for a in Space(network_of(build)).enumerate():
        text = source(a, NODE)
        assert imported(text) <= {"torch", "torch_geometric"}
        tree = ast.parse(text)
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "system"]
        literals = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        assert a.text in literals or "# x');" in text
        assert load(text).__name__ == "Model"


def test_a_space_without_a_network() -> None:
    with pytest.raises(BadInput, match=r"Layer describes no network: give the class a method network\(self, net\)"):
        source(Layer(conv="gcn", heads=None), NODE)


def test_link_tasks_add_a_decoder_once() -> None:
    link = Task("t", "link", "multilabel", 5, 1, "roc-auc", "", "")
    space = Space(Flat)
    bound = space.for_task(link)
    assert bound.size() == space.size() * len(DECODERS)
    assert bound == space.for_task(link) == bound.for_task(link)


def test_graph_tasks_add_a_readout_once() -> None:
    space = Space(Flat)
    bound = space.for_task(GRAPH)
    assert bound.size() == space.size() * len(READOUTS)
    assert bound == space.for_task(GRAPH) == bound.for_task(GRAPH)
    assert space.for_task(NODE).of is Flat
    assert "norm1" in source(find("design").from_knobs({**DESIGN}), NODE)
    assert set(NORMALISATIONS) == {"batch", "layer"}


DESIGN = {
    "pre_layers": 1,
    "layers": 2,
    "post_layers": 1,
    "connectivity": "stack",
    "aggregation": "sum",
    "activation": "relu",
    "norm": "batch",
    "dropout": 0.0,
    "optimiser": "sgd",
    "lr": 0.1,
    "batch_size": 16,
    "epochs": 100,
}
