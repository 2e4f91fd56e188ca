"""The engine computes the same functions as the plain modules: losses, gradients, on every operator and graph."""

from dataclasses import replace

import pytest
import torch
from torch_geometric.nn import GINConv

from nas.data.collate import collate, offsets, select
from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.engine.graph import LOOPED, MATRICES, graph_of
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.minibatch import chosen
from nas.evaluation.engine.prepare import complete, prepare
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.train import predict, train
from nas.metrics import loss
from nas.searchspace.elements import DECODERS
from nas.searchspace.network import Network
from nas.searchspace.operators import OPERATORS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load, source
from nas.searchspace.task import Batch, Task

ATTENTIONS = ["constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear"]
VARIANTS = {
    **{name: (name, {}) for name in OPERATORS},
    **{f"{name} 3 heads": (name, {"heads": 3}) for name in ("gat", "gatv2", "transformer")},
    **{f"{name} {aggr}": (name, {"aggr": aggr}) for name in ("sage", "graph", "aggregate") for aggr in ("mean", "max")},
    **{f"{name} K=3": (name, {"K": 3}) for name in ("cheb", "tag", "sg")},
    **{
        f"attention {attention} {aggregate} {heads}": (
            "attention",
            {"attention": attention, "aggregate": aggregate, "heads": heads, "combine": combine},
        )
        for attention in ATTENTIONS
        for aggregate, heads, combine in (("sum", 3, "mlp"), ("mean", 1, "identity"), ("max", 3, "identity"))
    },
}
KINDS = ("sparse", "dense", "narrow")


def graph(kind: str, nodes: int = 60, links: int = 240) -> Task:
    """A directed graph with self-loops, a repeated edge and a lonely node; ``narrow`` features are widened."""
    rng = torch.Generator().manual_seed(0)
    features = {"sparse": 40, "dense": 40, "narrow": 6}[kind]
    edges = torch.randint(0, nodes - 1, (2, links), generator=rng)
    edges = torch.cat([edges, edges[:, :1], torch.tensor([[3, 5], [3, 5]])], dim=1)
    x = torch.rand(nodes, features, generator=rng)
    if kind == "sparse":
        x = x * (torch.rand(nodes, features, generator=rng) < 0.08)
    y = torch.randint(0, 3, (nodes,), generator=rng)
    rows = torch.randperm(nodes, generator=rng)[:60].split(20)
    train, valid, test = ((Batch(x, edges, y[i], index=i),) for i in rows)
    return Task("made", "node", "multiclass", features, 3, "accuracy", "", kind, train=train, valid=valid, test=test)


def architecture(name: str, settings: dict, width: int = 12):
    """Two layers of one operator, with the head that the space's author would not write."""

    class Two:
        def network(self, net: Network):
            x = net.x if OPERATORS[name].construct else net.linear(net.x, width)
            for _ in range(2):
                x = net.activation("relu", net.operator(name, x, width, **settings))
            return x

    return Two()


def carrying(task: Task, weights: bool = True, features: bool = True) -> Task:
    """The task with a weight, two features, or both of each edge."""
    rng, made = torch.Generator().manual_seed(5), dict[int, dict[str, torch.Tensor]]()

    def change(batch: Batch) -> Batch:
        key = id(batch.edge_index)
        if key not in made:
            edges = batch.edge_index.size(1)
            weight, attr = torch.rand(edges, generator=rng) + 0.5, torch.randn(edges, 2, generator=rng)
            made[key] = ({"edge_weight": weight} if weights else {}) | ({"edge_attr": attr} if features else {})
        return replace(batch, **made[key])

    return replace(task.map(change), edge_weights=weights, edge_features=2 if features else 0)


def links(kind: str) -> Task:
    """Pairs of nodes of the graph, some of which are linked."""
    task = graph(kind)
    rng = torch.Generator().manual_seed(1)

    def change(batch: Batch) -> Batch:
        some = batch.edge_index[:, torch.randperm(batch.edge_index.size(1), generator=rng)[:15]]
        pairs = torch.cat([some, torch.randint(60, (2, 15), generator=rng)], dim=1)
        y = (torch.arange(30) < 15).float()[:, None]
        return replace(batch, y=y, index=None, edge_label_index=pairs)

    return replace(task.map(change), level="link", target="multilabel", outputs=1, metric="roc-auc")


def losses(task: Task, text: str, fast: bool, epochs: int) -> list[float]:
    torch.manual_seed(0)
    model = load(text)()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)  # Adam would turn rounding into steps
    batch, seen, score = task.train[0], [], Scoring(predict) if fast else predict

    def run() -> None:
        for _ in range(epochs):
            optimiser.zero_grad()
            value = loss(score(model, task, batch), batch.y, task.target)
            value.backward()
            optimiser.step()
            seen.append(value.item())

    if fast:
        with lowered(model, 0):
            run()
    else:
        run()
    assert not any("forward" in vars(layer) for layer in model.modules())
    return seen


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_operator_is_lowered(variant):
    """Each layer that passes messages runs on prepared edges; one that does not is slow, and nobody would notice."""
    model = load(source(architecture(*VARIANTS[variant]), graph("sparse")))()
    with lowered(model, 0):
        for name, layer in model.named_children():
            if name.startswith("conv") and not isinstance(layer, torch.nn.Linear | torch.nn.Identity):
                assert "forward" in vars(layer)


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_are_those_of_the_plain_module(variant, kind):
    task = graph(kind)
    text = source(architecture(*VARIANTS[variant]), task)
    plain, fast = losses(task, text, False, 20), losses(prepare(task), text, True, 20)
    assert fast == pytest.approx(plain, rel=1e-5)
    assert plain[0] != plain[-1]


@pytest.mark.each_once
@pytest.mark.parametrize("what", ["weights", "features", "both"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_along_edges_that_carry_something(variant, what):
    task = carrying(graph("sparse"), what != "features", what != "weights")
    text = source(architecture(*VARIANTS[variant]), task)
    plain, fast = losses(task, text, False, 5), losses(prepare(task), text, True, 5)
    assert fast == pytest.approx(plain, rel=1e-5)
    assert plain[0] != plain[-1]


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("kind", [*KINDS, "carrying"])
def test_losses_of_links(decoder, kind):
    task = carrying(links("narrow")) if kind == "carrying" else links(kind)
    for variant in ("gcn", "gat 3 heads", "aggregate max", "attention cos max 3", "sage"):
        made = architecture(*VARIANTS[variant])
        made.decoder = decoder
        text = source(made, task)
        plain, fast = losses(task, text, False, 5), losses(prepare(task), text, True, 5)
        assert fast == pytest.approx(plain, rel=1e-5)
        assert plain[0] != plain[-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_rows_that_no_score_depends_on_are_left_out(variant):
    """A graph of few links: some circles around the scored nodes are small."""
    task = graph("sparse", nodes=300, links=300)
    text, ready = source(architecture(*VARIANTS[variant]), task), prepare(task)
    plain, fast = losses(task, text, False, 20), losses(ready, text, True, 20)
    assert fast == pytest.approx(plain, rel=1e-5)
    model, seen = load(text)(), []
    with lowered(model, 0):
        score = Scoring(predict)
        for split in ("train", "valid"):
            model.train(split == "train")
            (batch,) = ready.batches(split)
            whole = predict(model, ready, batch)
            watched = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
            handles = [m.register_forward_hook(lambda m, i, out: seen.append(len(out))) for m in watched]
            assert torch.allclose(score(model, ready, batch), whole, atol=1e-5)
            for handle in handles:
                handle.remove()
    assert len(seen) >= 2
    assert seen[-1] == 20  # the head maps the scored rows alone
    assert max(seen) < 300


class Normalising(torch.nn.Module):
    """A layer of messages with a normalisation by all rows inside."""

    def __init__(self) -> None:
        super().__init__()
        inside = (torch.nn.Linear(40, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 8))
        self.first = GINConv(torch.nn.Sequential(*inside))
        self.second = GINConv(torch.nn.Linear(8, 3))

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index), edge_index)


def test_a_normalisation_inside_of_a_layer_has_all_rows():
    task = graph("sparse", nodes=300, links=300)
    ready, scores = prepare(task), Scoring(predict)
    torch.manual_seed(0)
    model = Normalising()
    with lowered(model, 0):
        for training in (True, False):
            model.train(training)
            for split in ("train", "valid"):
                (batch,) = ready.batches(split)
                whole = predict(model, ready, batch)
                assert torch.allclose(scores(model, ready, batch), whole, atol=1e-5)


def test_the_same_edges_with_other_features():
    """As of one network at several times: each split is scored by its own features."""
    task = graph("sparse", nodes=300, links=300)
    (batch,) = task.valid
    later = replace(task, valid=(replace(batch, x=batch.x.flip(0).contiguous()),))
    model, ready = load(source(architecture("gcn", {}), task))().eval(), prepare(later)
    with lowered(model, 0):
        for split in ("train", "valid"):
            (plain,), (fast,) = later.batches(split), ready.batches(split)
            assert torch.allclose(Scoring(predict)(model, ready, fast), predict(model, later, plain), atol=1e-5)


def test_mini_batches_keep_what_edges_carry():
    task = collated("dense")
    (batch,) = task.train
    batch = replace(batch, edge_attr=torch.rand(batch.edge_index.size(1), 2), edge_weight=batch.edge_index[0].float())
    (ready,) = prepare(replace(task, train=(batch,))).train
    ids, at = torch.tensor([4, 1, 7]), offsets(batch)
    wanted, got = select(batch, ids, at), chosen(ready, ids, at)
    assert graph_of(got.edge_index) is not None
    for name in ("x", "edge_index", "y", "batch", "edge_attr", "edge_weight"):
        assert torch.equal(getattr(got, name), getattr(wanted, name)), name


def collated(kind: str) -> Task:
    """Graphs of 3 to 12 nodes side by side."""
    rng = torch.Generator().manual_seed(0)
    parts, features = [], {"sparse": 40, "dense": 40, "narrow": 6}[kind]
    for number in range(30):
        nodes = int(torch.randint(3, 13, (), generator=rng))
        edges = torch.randint(0, nodes, (2, 2 * nodes), generator=rng)
        x, y = torch.rand(nodes, features, generator=rng), torch.tensor([number % 3])
        parts.append(Batch(x, edges, y, batch=torch.zeros(nodes, dtype=torch.long)))
    train, valid = (collate(parts[:20]),), (collate(parts[20:]),)
    return Task("made", "graph", "multiclass", features, 3, "accuracy", "", kind, train=train, valid=valid, test=valid)


@pytest.mark.each_once
@pytest.mark.parametrize("kind", ["dense", "narrow", "carrying"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_mini_batches_of_graphs(variant, kind):
    """The same graphs in the same order: the same training."""
    task = carrying(collated("dense")) if kind == "carrying" else collated(kind)
    text, recipe = source(architecture(*VARIANTS[variant]), task), Recipe("sgd", lr=0.02, epochs=6, batch_size=7)
    runs = []
    for ready in (task, prepare(task)):
        torch.manual_seed(0)
        model = load(text)()
        with lowered(model, 0):
            runs.append(train(model, ready, recipe, ["accuracy"], seed=0, scores=Scoring(predict)))
    plain, fast = runs
    assert fast.metrics["valid_loss"] == pytest.approx(plain.metrics["valid_loss"], rel=1e-4)
    for name, tensor in plain.state.items():
        assert torch.allclose(fast.state[name], tensor, rtol=1e-3, atol=1e-4)


def test_a_prepared_task_crosses_processes_in_shared_memory(tmp_path):
    """Features and edges arrive as they are prepared, in the very memory of the sender."""
    task = prepare(graph("sparse"))
    complete(task)
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()
    worker = torch.multiprocessing.get_context("spawn").Process(target=overwrite, args=(task, queue))
    worker.start()
    same, sparse = queue.get()
    worker.join()
    batch = task.train[0]
    assert same
    assert sparse
    assert batch.x.values_stored[0] == 7
    assert batch.edge_index.graph.structure(LOOPED).start[0] == 5
    assert batch.edge_index[0, 0] == 9


def overwrite(task, queue) -> None:
    """In the other process: write where the sender can see it."""
    batch = task.train[0]
    graphs = [b.edge_index.graph for split in ("train", "valid", "test") for b in task.batches(split)]
    batch.x.values_stored[0] = 7
    assert set(graphs[0]._matrices) == set(MATRICES)
    batch.edge_index.graph.structure(LOOPED).start[0] = 5
    batch.edge_index.as_subclass(torch.Tensor)[0, 0] = 9
    queue.put((all(g is graphs[0] for g in graphs), isinstance(batch.x, SparseFeatures)))
