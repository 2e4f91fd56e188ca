"""Every row of the operator table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from nas.searchspace import BadInput, Task
from nas.searchspace.network import Network
from nas.searchspace.operators import OPERATORS, Operator, find
from nas.searchspace.source import load
from tests.searchspace.declared import NODE, carried, features, graph

BUILT_IN = list(OPERATORS)
ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "gat": [{"heads": 4}, {"heads": 2, "dropout": 0.5}],
    "gatv2": [{"heads": 4}],
    "transformer": [{"heads": 4}],
    "sage": [{"aggr": "max"}, {"aggr": "sum"}],
    "graph": [{"aggr": "mean"}],
    "cheb": [{"K": 1}, {"K": 3}],
    "tag": [{"K": 3}],
    "sg": [{"K": 1}],
    "aggregate": [{"aggr": "max"}, {"aggr": "sum"}],
    "attention": [
        *({"attention": a, "heads": 2} for a in ATTENTIONS),
        *({"aggregate": a, "heads": 2, "concat": False} for a in ("mean", "max", "mlp")),
        {"combine": "mlp", "heads": 4},
    ],
}
ROWS = [(name, settings) for name in BUILT_IN for settings in [{}, *VARIANTS.get(name, [])]]
EVERY = pytest.mark.parametrize(
    ("name", "settings"), ROWS, ids=[f"{name}-{'-'.join(map(str, s.values()))}" for name, s in ROWS]
)


CARRIED = {
    "nothing": NODE,
    "weights": replace(NODE, edge_weights=True),
    "features": replace(NODE, edge_features=4),
    "both": replace(NODE, edge_weights=True, edge_features=4),
}
EDGES = pytest.mark.parametrize("edges", CARRIED)


def layer(name: str, inputs: int, outputs: int, settings: dict[str, Any], task: Task = NODE) -> torch.nn.Module:
    """The operator as a module of ``task.inputs``, double precision, in evaluation mode."""
    torch.manual_seed(0)
    net = Network(task)
    net.x = net.x.__class__(0, inputs)
    value = net.operator(name, net.x, outputs, **settings)
    assert value.width == outputs
    (step,) = net.steps
    from nas.searchspace.source import _surroundings

    imports, definitions = _surroundings(net)
    text = "\n".join([*sorted(imports), *definitions, "class Model(torch.nn.Module):", "    def __init__(self):"])
    text += f"\n        super().__init__()\n        self.{step.attribute} = {step.construct}"
    text += f"\n    def forward(self, {', '.join(task.inputs)}):\n        return {step.call.format('x')}\n"
    return load(text)().double().eval()


def on(edge_index: torch.Tensor, task: Task) -> dict[str, torch.Tensor]:
    """What a layer takes beside the features, by name."""
    found = {"edge_index": edge_index, **carried(edge_index.size(1))}
    return {name: found[name] for name in task.inputs[1:]}


def widths(name: str) -> list[tuple[int, int]]:
    return [(8, 8)] if name == "aggregate" else [(5, 8), (8, 8), (12, 4)]


@pytest.mark.each_once
@EDGES
@EVERY
def test_shapes_and_gradients(name: str, settings: dict[str, Any], edges: str) -> None:
    task = CARRIED[edges]
    for inputs, outputs in widths(name):
        module = layer(name, inputs, outputs, settings, task)
        for nodes, links in ((9, 20), (9, 3), (4, 0), (1, 0)):
            x = features(nodes, inputs).requires_grad_()
            y = module(x, **on(graph(nodes, links), task))
            assert y.shape == (nodes, outputs)
            assert torch.isfinite(y).all()
            y.square().sum().backward()
            assert x.grad is not None
            assert torch.isfinite(x.grad).all()
        x = features(9, inputs).requires_grad_()
        module.zero_grad()
        module.train()(x, **on(graph(9, 30), task)).sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum() > 0
        unused = [p for p in module.parameters() if p.grad is None]
        assert len(unused) == (name == "arma")  # ARMAConv keeps the weight between its layers, of which there is one


@EDGES
@EVERY
def test_relabelled_nodes_change_nothing(name: str, settings: dict[str, Any], edges: str) -> None:
    task, (inputs, outputs) = CARRIED[edges], widths(name)[0]
    module, x, more = layer(name, inputs, outputs, settings, task), features(10, inputs), on(graph(10, 30), task)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    shuffle = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    other = {key: value[shuffle] for key, value in more.items() if key != "edge_index"}
    other["edge_index"] = torch.argsort(order)[more["edge_index"]][:, shuffle]
    torch.testing.assert_close(module(x[order], **other), module(x, **more)[order], rtol=1e-9, atol=1e-9)


@EVERY
def test_an_operator_hears_of_what_its_row_says(name: str, settings: dict[str, Any]) -> None:
    row, (inputs, outputs), x = find(name), widths(name)[0], features(10, widths(name)[0][0])
    for edges, heard in (("weights", row.weighted), ("features", row.attributed is not None)):
        task = CARRIED[edges]
        module, more = layer(name, inputs, outputs, settings, task), on(graph(10, 30), task)
        y = module(x, **more)
        (key,) = set(more) - {"edge_index"}
        same = torch.equal(module(x, **{**more, key: more[key].flip(0)}), y)
        one_hop = settings.get("K") == 1 and name == "cheb"
        assert same != (heard and not one_hop)
        if edges == "weights" and heard:
            plain, ones = layer(name, inputs, outputs, settings), torch.ones(30, dtype=torch.float64)
            torch.testing.assert_close(module(x, **{**more, key: ones}), plain(x, more["edge_index"]))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_row_cites_its_paper_and_prints_its_settings(name: str) -> None:
    row = find(name)
    assert row.paper
    assert row.name == name
    if "heads" in row.settings:
        assert "heads=4" in row.constructed(8, 8, {"heads": 4})
    with pytest.raises(BadInput, match=f"operator '{name}' has no setting 'colour'; it has "):
        row.constructed(8, 8, {"colour": "red"})


@pytest.mark.parametrize("name", ["gat", "gatv2", "transformer"])
@pytest.mark.parametrize("heads", [3, 0, -1, "2", 2.0])
def test_heads_that_do_not_divide_the_width(name: str, heads: Any) -> None:
    with pytest.raises(BadInput, match=re.escape(f"operator '{name}': {heads!r} heads do not divide a width of 8")):
        find(name).constructed(4, 8, {"heads": heads})


def test_attention_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        layer("attention", 4, 8, {"heads": 3})
    assert layer("attention", 4, 8, {"heads": 3, "concat": False})


def test_an_operator_that_keeps_the_width() -> None:
    with pytest.raises(BadInput, match="operator 'aggregate' keeps the width: 4 cannot become 8"):
        find("aggregate").constructed(4, 8, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], (1,), object, b"x"])
def test_a_setting_that_source_cannot_hold(value: Any) -> None:
    with pytest.raises(BadInput, match="operator 'sage': the setting 'aggr' must be text, a finite number, a boolean"):
        find("sage").constructed(4, 8, {"aggr": value})


def test_an_unknown_operator() -> None:
    with pytest.raises(BadInput, match="unknown operator 'gattv2'; did you mean 'gatv2'"):
        find("gattv2")


def test_skip_is_the_identity_where_widths_agree() -> None:
    x = features(4, 8)
    assert layer("skip", 8, 8, {})(x, graph(4, 3)) is x
    assert isinstance(find("skip"), Operator)


def test_aggregate_counts_the_node_itself() -> None:
    x, edges = features(3, 2), torch.tensor([[0, 1], [1, 2]])
    mean = layer("aggregate", 2, 2, {"aggr": "mean"})(x, edges)
    torch.testing.assert_close(mean, torch.stack([x[0], (x[0] + x[1]) / 2, (x[1] + x[2]) / 2]))


@pytest.mark.parametrize("edges", ["weights", "features", "both"])
@pytest.mark.parametrize("aggr", ["mean", "max", "sum"])
def test_aggregate_along_edges_that_carry_something(aggr: str, edges: str) -> None:
    """By a loop over the messages; a self-loop and a double edge are edges as others are."""
    task, x = CARRIED[edges], features(4, 3)
    links = torch.tensor([[0, 1, 1, 2, 2], [1, 2, 2, 2, 1]])
    module, more = layer("aggregate", 3, 3, {"aggr": aggr}, task), on(links, task)
    sent: list[list[torch.Tensor]] = [[row] for row in x]
    for number, (source, target) in enumerate(links.t().tolist()):
        message = x[source]
        if "edge_attr" in more:
            edge = module.get_submodule("conv1.edge")
            message = torch.relu(message + edge(more["edge_attr"][number]))
        sent[target].append(message * more["edge_weight"][number] if "edge_weight" in more else message)
    reduce = {"mean": torch.mean, "max": torch.amax, "sum": torch.sum}[aggr]
    torch.testing.assert_close(module(x, **more), torch.stack([reduce(torch.stack(each), 0) for each in sent]))


@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("aggregate", ["sum", "mean", "max"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_along_edges_that_carry_something(attention: str, aggregate: str, concat: bool) -> None:
    """By a loop over the messages, with the coefficients of the layer that hears of none of it."""
    task, x = CARRIED["both"], features(4, 3)
    links = torch.tensor([[0, 1, 3, 1, 2, 2], [1, 2, 2, 2, 2, 1]])
    settings = {"attention": attention, "heads": 2, "aggregate": aggregate, "concat": concat}
    conv: Any = layer("attention", 3, 4, settings, task).get_submodule("conv1")
    more = on(links, task)
    h = conv.linear(x).view(4, 2, -1)
    kept = (links[0] != links[1]).nonzero().flatten().tolist()
    looped = torch.cat([links[:, kept], torch.arange(4).expand(2, -1)], dim=1)
    found = conv.coefficients(h, *looped)
    sent: list[list[torch.Tensor]] = [[] for _ in x]
    for place, (source, target) in enumerate(looped.t().tolist()):
        message = h[source]
        if place < len(kept):
            message = message + conv.edge(more["edge_attr"][kept[place]]).view(2, -1)
            message = message * more["edge_weight"][kept[place]]
        sent[target].append(message if found is None else message * found[place].view(-1, 1))
    reduce = {"mean": torch.mean, "max": torch.amax, "sum": torch.sum}[aggregate]
    out = torch.stack([reduce(torch.stack(each), 0) for each in sent])
    out = out.flatten(1) if concat else out.mean(1)
    torch.testing.assert_close(conv(x, *more.values()), out)
