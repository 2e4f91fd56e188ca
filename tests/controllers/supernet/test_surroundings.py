"""The part of a large graph that a supernet is trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nas.controllers.supernet.surroundings import around, smaller, some
from nas.data import load
from nas.searchspace.task import Batch
from tests.nas.toys import graph


def batch(nodes: int = 40, edges: int = 300, scored: int = 5, seed: int = 0) -> Batch:
    """The features of a node are its number."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.arange(float(nodes)).unsqueeze(1)
    edge_index = torch.randint(nodes, (2, edges), generator=generator).unique(dim=1)
    index = torch.randperm(nodes, generator=generator)[:scored]
    return Batch(x, edge_index, index.clone(), index=index)


def cut(whole: Batch, hops: int, most: int, seed: int = 0) -> Batch:
    return around(whole, hops, most, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("hops", [1, 2, 3])
@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_few_edges_of_the_graph_around_the_scored_nodes(hops: int, most: int, seed: int) -> None:
    whole = batch(seed=seed)
    part = cut(whole, hops, most)
    old = part.x[:, 0].long()
    assert len(old.unique()) == len(old)
    edges = old[part.edge_index]
    known = set(map(tuple, whole.edge_index.t().tolist()))
    found = list(map(tuple, edges.t().tolist()))
    assert set(found) <= known
    assert len(set(found)) == len(found)
    incoming = torch.bincount(part.edge_index[1], minlength=len(old))
    assert incoming.max() <= most
    assert part.index is not None
    assert whole.index is not None
    assert torch.equal(old[part.index], whole.index)  # the scored rows, in their order
    assert torch.equal(part.y, whole.y)
    near = distances(found, set(whole.index.tolist()))
    assert set(near) == set(old.tolist())
    assert max(near.values()) <= hops
    degree = torch.bincount(whole.edge_index[1], minlength=len(whole.x))
    for node, away in near.items():  # no fewer than there are
        if away < hops:
            assert incoming[(old == node).nonzero()].item() == min(most, degree[node].item())


def distances(edges: list[tuple[int, int]], begin: set[int]) -> dict[int, int]:
    """Against the edges, from the scored nodes."""
    found, last, steps = dict.fromkeys(begin, 0), begin, 0
    while last:
        steps += 1
        last = {s for s, t in edges if t in last and s not in found}
        found |= dict.fromkeys(last, steps)
    return found


def test_enough_neighbours_leave_the_neighbourhood_whole() -> None:
    whole = batch()
    part = cut(whole, 40, 300)
    assert part.edge_index.size(1) == whole.edge_index.size(1)


def test_what_edges_carry_stays_with_them() -> None:
    """Each edge says which it is, in its weight and in its features."""
    whole = batch()
    name = (whole.edge_index[0] * 100 + whole.edge_index[1]).float()
    part = cut(replace(whole, edge_weight=name, edge_attr=name[:, None]), 2, 2)
    old = part.x[:, 0].long()[part.edge_index]
    assert part.edge_attr is not None
    assert torch.equal(part.edge_weight, (old[0] * 100 + old[1]).float())
    assert torch.equal(part.edge_attr[:, 0], part.edge_weight)


def test_a_generator_decides() -> None:
    whole = batch()
    first, again, other = cut(whole, 2, 2, 1), cut(whole, 2, 2, 1), cut(whole, 2, 2, 2)
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.edge_index, again.edge_index)
    assert not (first.x.shape == other.x.shape and torch.equal(first.x, other.x))


def test_a_task_keeps_its_question_and_no_test_nodes() -> None:
    task = load(graph(40))
    part = smaller(task, 1, 2, 99, 0)
    assert part.test == ()
    assert part.outputs == task.outputs
    for now, before in [(part.train[0], task.train[0]), (part.valid[0], task.valid[0])]:
        assert torch.equal(now.y, before.y)
        assert torch.equal(now.x[now.index], before.x[before.index])


@pytest.mark.parametrize("indexed", [True, False])
def test_few_of_the_scored_nodes_with_their_labels(indexed: bool) -> None:
    """The label of a node is its number here."""
    whole = batch(scored=20)
    if not indexed:
        whole = replace(whole, index=None, y=torch.arange(40))
    part = some(whole, 7, torch.Generator().manual_seed(0))
    assert part.index is not None
    assert torch.equal(part.index, part.y)
    assert len(part.y.unique()) == 7
    assert set(part.y.tolist()) <= set(whole.y.tolist())
    assert some(whole, len(whole.y), torch.Generator()) is whole
