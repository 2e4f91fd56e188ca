"""The union of neighbourhoods: what is in it, that it is built once, and that it travels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch_geometric.utils import k_hop_subgraph

from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import complete, prepare
from nas.searchspace import Batch, Task
from nas.searchspace.source import load, source
from nas.zerocost.gradsign import MOST, gradsign
from nas.zerocost.items import Items
from nas.zerocost.kernels import ntk_condition, ntk_error
from nas.zerocost.persample import egonets
from nas.zerocost.persample.egonets import samples
from nas.zerocost.persample.samples import Samples
from tests.zerocost.tasks import Stack, graphs, network, node, several
from tests.zerocost.tasks import pairs as pairs_of_nodes

ITEMS = Items("train")
HOPS = [0, 1, 2, 3, 6]


def numbered(task: Task) -> Task:
    """With each node's number for its features."""

    def change(batch: Batch) -> Batch:
        return replace(batch, x=torch.arange(1.0, len(batch.x) + 1)[:, None])

    return replace(task, train=tuple(map(change, task.train)))


def nodes_of(some: Samples) -> Tensor:
    x: Any = some.arguments[0]
    return (x.dense() if isinstance(x, SparseFeatures) else x)[:, 0].long() - 1


def pairs(nodes: Tensor, edges: Tensor) -> Counter[tuple[int, int]]:
    return Counter(map(tuple, nodes[edges].t().tolist()))


def passes(task: Task, hops: int, prepared: bool) -> list[tuple[Batch, Samples]]:
    """Each with its batch; one pass for each."""
    found = list(samples(task, ITEMS, hops, prepared))
    assert len(found) == len(task.train)
    return list(zip(task.train, found, strict=True))


@pytest.mark.parametrize("make", [node, several])
@pytest.mark.parametrize("hops", HOPS)
def test_a_prepared_union_is_made_of_neighbourhoods(hops, make):
    """The nodes within so many hops, and all edges into those that are one hop nearer."""
    for batch, some in passes(prepare(numbered(make())), hops, True):
        edges, nodes = batch.edge_index.as_subclass(Tensor), nodes_of(some)
        targets = torch.arange(len(batch.x)) if batch.index is None else batch.index
        assert len(some) == len(targets) == len(batch.y)
        assert torch.equal(nodes[some.scored], targets)
        assert torch.equal(some.node[some.scored], torch.arange(len(some)))
        assert torch.equal(some.y.nan_to_num(), batch.y.nan_to_num())
        assert (some.node.diff() >= 0).all()
        assert (some.edge_index[1].diff() >= 0).all()
        assert torch.equal(some.node[some.edge_index[0]], some.node[some.edge_index[1]])
        for sample, target in enumerate(targets.tolist()):
            within, _, _, _ = k_hop_subgraph(target, hops, edges, num_nodes=len(batch.x))
            assert nodes[some.node == sample].tolist() == within.tolist()
            nearer = k_hop_subgraph(target, hops - 1, edges, num_nodes=len(batch.x))[0] if hops else within[:0]
            mine = some.edge_index[:, some.node[some.edge_index[1]] == sample]
            assert pairs(nodes, mine) == pairs(torch.arange(len(batch.x)), edges[:, torch.isin(edges[1], nearer)])


@pytest.mark.parametrize("make", [node, several])
@pytest.mark.parametrize("hops", HOPS)
def test_a_plain_union_has_the_degrees_of_the_graph(hops, make):
    """Of every node that the sample hears of, all edges into it and out of it are there."""
    for batch, some in passes(numbered(make()), hops, False):
        edges, nodes = batch.edge_index, nodes_of(some)
        targets = torch.arange(len(batch.x)) if batch.index is None else batch.index
        assert torch.equal(nodes[some.scored], targets)
        assert torch.equal(some.node[some.edge_index[0]], some.node[some.edge_index[1]])
        for sample, target in enumerate(targets.tolist()):
            within, _, _, _ = k_hop_subgraph(target, hops, edges, num_nodes=len(batch.x))
            rows = nodes[some.node == sample]
            assert rows.unique().tolist() == rows.tolist()
            assert set(within.tolist()) <= set(rows.tolist())
            mine = some.edge_index[:, some.node[some.edge_index[1]] == sample]
            there = pairs(nodes, mine)
            for end in (0, 1):
                wanted = pairs(torch.arange(len(batch.x)), edges[:, torch.isin(edges[end], within)])
                assert all(there[pair] == count for pair, count in wanted.items())


@pytest.mark.parametrize("prepared", [True, False])
def test_the_graphs_that_are_chosen_lie_side_by_side(prepared):
    task = numbered(graphs())
    task = prepare(task) if prepared else task
    (batch,) = task.train
    (some,) = samples(task, Items("train", most=4), 0, prepared)
    (where,) = [where for _, where in Items("train", most=4).of(task)]
    assert len(where) == len(some) == 4
    assert some.scored is None
    assert torch.equal(some.arguments[2], some.node)
    edges, nodes = batch.edge_index.as_subclass(Tensor), nodes_of(some)
    for sample, graph in enumerate(where.tolist()):
        assert torch.equal(nodes[some.node == sample], (batch.batch == graph).nonzero()[:, 0])
        mine = some.edge_index[:, some.node[some.edge_index[1]] == sample]
        assert pairs(nodes, mine) == pairs(torch.arange(len(batch.x)), edges[:, batch.batch[edges[0]] == graph])


@pytest.mark.each_once
@pytest.mark.parametrize("rows", [1, 7, 30])
@pytest.mark.parametrize("name", ["gcn", "gin", "cheb", "attention"])
def test_small_passes_give_the_same_score(name, rows, monkeypatch):
    """One item at least; larger graphs are taken item by item."""
    attention = {"attention": "constant"} if name == "attention" else {}
    architecture = Stack(name, "layer", **attention)
    for make in (node, several, graphs):
        scores = []
        for most in (egonets.ROWS, rows):
            monkeypatch.setattr(egonets, "ROWS", most)
            task, model = make(), network(architecture, make())
            count = len(list(samples(task, ITEMS, 2, False)))
            scores.append(gradsign(model, task))
            with lowered(model, 0):
                scores.append(gradsign(model, prepare(task)))
        assert count > len(task.train)
        assert scores == pytest.approx([scores[0]] * 4, rel=2e-4)
        monkeypatch.undo()


def refused(*arguments: Any, **named: Any) -> Any:
    raise AssertionError("a union is built again")


def test_the_union_is_built_once(monkeypatch):
    """The next network that hears as far finds it, whatever it is made of."""
    task = prepare(node(words=True))
    scores = []
    for again in (False, True):
        if again:
            monkeypatch.setattr(egonets, "_passes", refused)
        for name in ("gcn", "sage", "gat"):
            model = network(Stack(name), task)
            with lowered(model, 0):
                scores.append(gradsign(model, task))
    assert scores[:3] == scores[3:]
    model = network(Stack("gcn", layers=3), task)
    with lowered(model, 0), pytest.raises(AssertionError, match="built again"):
        gradsign(model, task)
    with pytest.raises(AssertionError, match="built again"):
        gradsign(network(Stack("gcn"), task), task)  # on plain edges it is another one


def test_what_is_large_is_not_kept(monkeypatch):
    monkeypatch.setattr(egonets, "KEPT", 50)
    monkeypatch.setattr(egonets, "ROWS", 40)
    task, model = node(), network(Stack("sage"), node())
    score = gradsign(model, task)
    assert not any("samples" in key for key in task.train[0].kept)
    assert gradsign(model, task) == score
    list(samples(task, Items("train", most=1), 1, False))
    assert any("samples" in key for key in task.train[0].kept)


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("make", [node, several])
def test_most_of_a_large_graph_is_not_copied(make, prepared, monkeypatch):
    """The items share its rows where their neighbourhoods are larger than a part of it."""
    task = prepare(make()) if prepared else make()
    apart = list(samples(task, ITEMS, 2, prepared))
    sizes = [len(some.node) / len(some) / len(batch.x) for some, batch in zip(apart, task.train, strict=True)]
    for most, shared in ((0.0, True), (max(sizes) + 0.3, False)):
        task = prepare(make()) if prepared else make()
        monkeypatch.setattr(egonets, "KEPT", 20)
        monkeypatch.setattr(egonets, "MOST", most)
        found = list(samples(task, ITEMS, 2, prepared))
        assert [some.shared for some in found] == [shared] * len(found)
        if not shared:
            continue
        for some, batch, before in zip(found, task.train, apart, strict=True):
            assert all(a is b for a, b in zip(some.arguments, batch.arguments(task.inputs), strict=True))
            assert torch.equal(some.y.nan_to_num(), before.y.nan_to_num())
            targets = torch.arange(len(batch.x)) if batch.index is None else batch.index
            assert torch.equal(some.scored, targets)
            assert some.apart == 1
            assert len(some) == len(batch.y)
        monkeypatch.setattr(egonets, "_shared", refused)
        assert list(samples(task, ITEMS, 2, prepared)) == found


def test_scores_are_the_same_where_rows_are_shared(monkeypatch):
    for make in (node, several, pairs_of_nodes):
        for name in ("gcn", "sage", "gin"):
            scores = []
            for most in (2.0, 0.0):
                task = prepare(make())
                monkeypatch.setattr(egonets, "KEPT", 0)
                monkeypatch.setattr(egonets, "MOST", most)
                model = network(Stack(name, layers=2), task)
                with lowered(model, 0):
                    scores.append([gradsign(model, task), ntk_error(model, task), ntk_condition(model, task)])
            assert scores[0] == pytest.approx(scores[1], rel=1e-3)


def test_other_data_begin_with_nothing():
    """What is kept belongs to the very tensors of a batch."""
    task = node()
    gradsign(network(Stack("sage"), task), task)
    (batch,) = task.train
    assert batch.kept
    for other in (
        replace(batch, x=batch.x + 1),
        batch.to("cpu"),
        task.to("cpu").train[0],
        prepare(task).train[0],
        batch.map(lambda tensor: tensor),
    ):
        assert other.kept == {}
    assert replace(task, name="other").train[0].kept


def texts(task: Task) -> list[str]:
    return [source(Stack(name, activation="relu"), task) for name in ("gcn", "gat", "sage", "attention")]


def score_of(text: str, task: Task) -> float:
    torch.manual_seed(0)
    model = load(text)()
    with lowered(model, 0):
        return gradsign(model, task)


def test_the_union_travels_to_other_processes():
    """As the workers get the prepared task: built here, and used by networks of this process or not yet."""
    tasks = [prepare(node(words=True)) for _ in range(2)]
    sources = texts(tasks[0])
    for task in tasks:
        complete(task)
        list(samples(task, Items("train", most=MOST), 2, True))
    before = [score_of(text, tasks[0]) for text in sources]
    assert ["grouped" in vars(union(task)) for task in tasks] == [True, False]
    context = torch.multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    worker = context.Process(target=score_there, args=(tasks, sources, queue))
    worker.start()
    there = queue.get()
    worker.join()
    assert there == [before, before]


def union(task: Task) -> Samples:
    (found,) = task.train[0].kept["samples", Items("train", most=MOST), 2, True, False]
    assert found.graph._whole is task.train[0].edge_index.graph  # type: ignore[attr-defined]
    return found


def score_there(tasks: list[Task], sources: list[str], queue: Any) -> None:
    """In the other process, which must not build the union again."""
    egonets._passes = refused
    torch.set_num_threads(1)
    try:
        assert [type(union(task).arguments[0]) for task in tasks] == [SparseFeatures] * 2
        queue.put([[score_of(text, task) for text in sources] for task in tasks])
    except BaseException as error:
        queue.put(repr(error))
