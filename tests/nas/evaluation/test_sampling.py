"""Portions of a graph: what they cover, what they hold, and what is said where they cannot be made."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nas.data import load
from nas.evaluation.batches import chunks, steps
from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.graph import Edges
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.portions import sampling
from nas.evaluation.portions.sampling import Cutter, Portioned, check_batches
from nas.searchspace.errors import BadInput
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Batch, Task
from tests.nas.evaluation.test_footprint import large
from tests.nas.toys import graph, graphs

needs_sampler = pytest.mark.skipif(not sampling.can_sample(), reason="needs pyg-lib or torch-sparse")
needs_metis = pytest.mark.skipif(not sampling.can_cluster(), reason="needs METIS, of pyg-lib or torch-sparse")
WAYS = [pytest.param("neighbours", marks=needs_sampler), pytest.param("clusters", marks=needs_metis), "random"]


def portioned(task: Task, way: str, parts: int, views: int = 1) -> Task:
    def cut(batch: Batch) -> Batch:
        values = (batch.x, batch.edge_index, batch.y, batch.index, None, batch.edge_weight, batch.edge_attr)
        return Portioned(*values, task=task, cutter=Cutter(batch, way, 2), parts=parts, views=views)

    return Task(**task.describe(), train=(cut(task.train[0]),), valid=(cut(task.valid[0]),), test=task.test)


def numbered(task: Task) -> Task:
    """The task with each node's number as its first feature and as the target of a regression."""
    nodes = torch.arange(task.train[0].x.size(0))
    x = plain(task.train[0].x).clone()
    x[:, 0] = nodes + 1

    def change(batch: Batch) -> Batch:
        return Batch(x, batch.edge_index, (batch.index + 1).float()[:, None], batch.index)

    train, valid, test = (tuple(map(change, task.batches(split))) for split in ("train", "valid", "test"))
    return Task(**task.describe() | {"target": "regression"}, train=train, valid=valid, test=test)


def epoch(task: Task, seed: int = 0) -> list[Batch]:
    return list(steps(task, Recipe(), torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_an_epoch_scores_every_training_node_once_with_its_own_label(way, prepared):
    task = numbered(large(600))
    whole = prepare(task) if prepared else task
    batches = epoch(portioned(whole, way, 5))
    assert len(batches) == 5
    edges = {tuple(pair) for pair in (task.train[0].edge_index + 1).T.tolist()}
    for batch in batches:
        assert isinstance(batch.edge_index, Edges) == isinstance(batch.x, SparseFeatures) == prepared
        number = plain(batch.x)[:, 0]
        assert torch.equal(number[batch.index], batch.y[:, 0])
        assert torch.equal(plain(batch.x), plain(whole.train[0].x)[number.long() - 1])
        assert {tuple(pair) for pair in number[batch.edge_index.as_subclass(torch.Tensor)].T.long().tolist()} <= edges
    scored = torch.cat([batch.y[:, 0] for batch in batches])
    assert torch.equal(scored.sort().values, task.train[0].y[:, 0].sort().values)


def test_random_parts_keep_every_edge_within_them():
    task = numbered(large(600))
    for batch in epoch(portioned(task, "random", 3)):
        number = plain(batch.x)[:, 0] - 1
        inside = torch.isin(task.train[0].edge_index, number).all(0)
        expected = task.train[0].edge_index[:, inside]
        got = number[batch.edge_index].long()
        assert sorted(expected.T.tolist()) == sorted(got.T.tolist())


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("way", WAYS)
def test_what_edges_carry_stays_with_them(way, views):
    """Each edge says in its weight and in its features between which nodes it is."""
    task = numbered(large(600))
    number = task.train[0].edge_index[0] * 600 + task.train[0].edge_index[1]

    def change(batch: Batch) -> Batch:
        return replace(batch, edge_weight=number.float(), edge_attr=number[:, None].float())

    task = replace(task.map(change), edge_weights=True, edge_features=1)
    cut = portioned(task, way, 4, views)
    for batch in [*epoch(cut), *chunks(cut, "valid")]:
        ends = (plain(batch.x)[:, 0].long() - 1)[batch.edge_index]
        assert torch.equal(batch.edge_weight, (ends[0] * 600 + ends[1]).float())
        assert torch.equal(batch.edge_attr[:, 0], batch.edge_weight)


@pytest.mark.parametrize("way", WAYS)
def test_equal_seeds_cut_equal_portions_and_epochs_differ(way):
    task = portioned(large(600), way, 3)
    torch.manual_seed(1)
    first = epoch(task)
    torch.manual_seed(2)
    again, other = epoch(task), epoch(task, seed=1)
    assert all(torch.equal(a.edge_index, b.edge_index) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a.y, b.y) for a, b in zip(first, other, strict=True))
    shuffle = torch.Generator().manual_seed(0)
    one, two = (list(steps(task, Recipe(), shuffle)) for _ in range(2))
    assert not all(torch.equal(a.y, b.y) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_an_evaluation_scores_the_split_once_and_the_same_every_time(way, views):
    task = numbered(large(600))
    cut = portioned(task, way, 3, views)
    seen = [list(chunks(cut, "valid")) for _ in range(2)]
    assert len(seen[0]) == views
    assert all(torch.equal(a.edge_index, b.edge_index) for a, b in zip(*seen, strict=True))
    scored = torch.cat([batch.y[:, 0] for batch in seen[0]])
    assert torch.equal(scored.sort().values, task.valid[0].y[:, 0].sort().values)
    if views == 1:
        assert torch.equal(seen[0][0].edge_index, task.valid[0].edge_index)


@needs_sampler
def test_neighbours_leave_the_random_state_alone():
    task = portioned(large(600), "neighbours", 3)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    epoch(task)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_needs_nothing_is_allowed_everywhere():
    for batches in ("auto", "full"):
        check_batches(batches, load(graph()))
        check_batches(batches, load(graphs()))
    check_batches("random", load(graph()))


def test_a_graph_level_task_has_no_portions():
    with pytest.raises(BadInput, match=r"'random' are portions of a graph whose nodes are predicted.*graph-level"):
        check_batches("random", load(graphs()))


def test_an_unknown_way():
    with pytest.raises(BadInput, match=r"unknown way to make batches 'neighbors'; did you mean 'neighbours'"):
        check_batches("neighbors", load(graph()))


@pytest.mark.skipif(sampling.can_sample(), reason="pyg-lib or torch-sparse is installed")
def test_neighbours_without_a_library_name_it_and_the_way_around():
    with pytest.raises(BadInput, match=r"pyg-lib or torch-sparse.*neither is installed.*pip install pyg-lib.*'random'"):
        check_batches("neighbours", load(graph()))


@pytest.mark.skipif(sampling.can_cluster(), reason="METIS is installed")
def test_clusters_without_metis_name_it_and_the_way_around():
    with pytest.raises(BadInput, match=r"METIS.*pip install pyg-lib.*'random'"):
        check_batches("clusters", load(graph()))
