"""Copies of nodes with the constants of the whole graph, and sparse features summed by group."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.engine.graph import LOOPED, MATRICES, PLAIN, WITH_ITSELF, Edges, Part, Whole

NODES, GROUPS = 11, 4


def directed(seed: int = 0) -> Tensor:
    """With self-loops, repeated edges and a lonely node."""
    edges = torch.randint(NODES - 1, (2, 30), generator=torch.Generator().manual_seed(seed))
    return torch.cat([edges, edges[:, :3], torch.tensor([[2, 4, 4], [2, 4, 4]])], dim=1)


def copied(seed: int = 0) -> tuple[Edges, Tensor, Tensor, Tensor, Edges]:
    """Whole edges; of some copies the node, the group, and whether its edges are there; the copies' edges."""
    rng = torch.Generator().manual_seed(seed)
    edges, x = directed(seed), torch.randn(NODES, 3, generator=rng)
    whole = Edges.of(edges, Whole(edges, NODES, x))
    inside = torch.rand(GROUPS, NODES, generator=rng) < 0.3
    inside[1], inside[2] = False, True  # a group with edges of nobody, and one that is the whole graph
    there = inside.clone()
    for group in range(GROUPS):
        there[group, edges[0][inside[group][edges[1]]]] = True
    group, node = there.nonzero().t()
    inner = inside[group, node]
    place = torch.full((GROUPS, NODES), -1)
    place[group, node] = torch.arange(len(node))
    parts = [place[k][edges[:, inside[k][edges[1]]]] for k in range(GROUPS)]
    return whole, node, group, inner, whole.copies(torch.cat(parts, 1), node, group, inner, x[node])


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("seed", range(3))
def test_products_are_those_of_the_whole_graph(name, seed):
    """At copies whose edges are there; other copies have none."""
    whole, node, _, inner, ready = copied(seed)
    x = torch.randn(NODES, 5, generator=torch.Generator().manual_seed(seed))
    wanted = (whole.graph.matrix(name).forward @ x)[node]
    matrix = ready.graph.matrix(name)
    got = matrix.forward @ x[node]
    torch.testing.assert_close(got[inner], wanted[inner])
    assert not got[~inner].any()
    dense = torch.eye(len(node))
    assert torch.equal((matrix.forward @ dense).t(), matrix.backward @ dense)


@pytest.mark.parametrize("loops", [PLAIN, LOOPED, WITH_ITSELF])
def test_no_edge_leaves_its_group(loops):
    whole, node, group, inner, ready = copied()
    structure, every = ready.graph.structure(loops), whole.graph.structure(loops)
    assert structure.nodes == len(node)
    assert torch.equal(group[structure.source], group[structure.target])
    assert torch.equal(structure.degree[inner], every.degree[node[inner]])
    assert not structure.degree[~inner].any()
    got = sorted(zip(group[structure.target].tolist(), node[structure.source].tolist(), node[structure.target].tolist(),
                     strict=True))  # fmt: skip
    pairs = list(zip(every.source.tolist(), every.target.tolist(), strict=True))
    assert got == sorted((g, a, b) for g, n in zip(group[inner].tolist(), node[inner].tolist(), strict=True)
                         for a, b in pairs if b == n)  # fmt: skip


def test_features_of_the_copies_are_propagated():
    """Once at every copy with edges, twice where all its neighbours have theirs."""
    whole, node, _, inner, ready = copied()
    lacking = ready.graph.matrix("sum").forward @ (~inner).float()[:, None]
    for times, complete in ((1, inner), (2, inner & (lacking[:, 0] == 0))):
        assert complete.sum() > NODES
        got, wanted = ready.graph.propagated("gcn", times), whole.graph.propagated("gcn", times)[node]
        torch.testing.assert_close(got[complete], wanted[complete])


def test_what_copies_can_be_made_of():
    edges, x = directed(), torch.ones(NODES, 2)
    whole = Whole(edges, NODES, x)
    assert Edges.of(edges, whole).divisible
    assert not Edges.of(edges, Whole(edges, NODES)).divisible
    assert not Edges.of(edges, Whole(edges, NODES, x.double())).divisible  # the engine leaves it to the plain layers
    assert not Edges.of(edges, Part(whole, None, torch.arange(3), x, torch.arange(3))).divisible


@settings(max_examples=60)
@given(
    rows=st.integers(1, 12),
    width=st.integers(1, 9),
    groups=st.integers(1, 6),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    columns=st.sampled_from([3, 20]),
    seed=st.integers(0, 999),
)
def test_sums_by_group(rows: int, width: int, groups: int, density: float, columns: int, seed: int) -> None:
    """x[rows of g].T @ y[rows of g] for every group; pairs that are left out are zero."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, width, generator=rng) * (torch.rand(rows, width, generator=rng) < density)
    group = torch.randint(groups, (rows,), generator=rng).sort().values
    y = torch.randn(rows, columns, generator=rng)
    sums, feature, of = SparseFeatures.of(x).grouped(group, groups)
    got = torch.zeros(groups, width, columns)
    got[of, feature] = sums(y)
    wanted = torch.stack([x[group == g].t() @ y[group == g] for g in range(groups)])
    torch.testing.assert_close(got, wanted)
    keys = (feature * groups + of).tolist()
    assert keys == sorted(set(keys))


@settings(max_examples=60)
@given(chosen=st.lists(st.integers(0, 7), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_rows_in_any_order_and_as_often_as_wanted(chosen: list[int], seed: int) -> None:
    """The same features as of the dense rows: numbers, products and gradients; some rows are empty."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(8, 6, generator=rng) * (torch.rand(8, 6, generator=rng) < 0.3)
    x[2] = 0
    place = torch.tensor(chosen)
    some = SparseFeatures.of(x).rows(place)
    assert torch.equal(some.dense(), x[place])
    assert torch.equal(some.rows(place.argsort()).dense(), x[place][place.argsort()])
    weight = torch.randn(4, 6, generator=rng, requires_grad=True)
    upon = torch.randn(len(chosen), 4, generator=rng)
    got, wanted = (torch.autograd.grad((F.linear(f, weight) * upon).sum(), weight)[0] for f in (some, x[place]))
    torch.testing.assert_close(got, wanted)
    torch.testing.assert_close(F.linear(some, weight), x[place] @ weight.t())
    group = torch.arange(len(chosen)) // 3
    summed, feature, of = some.grouped(group, int(group[-1]) + 1)
    sums = torch.zeros(int(group[-1]) + 1, 6, 4)
    sums[of, feature] = summed(upon)
    torch.testing.assert_close(
        sums, torch.stack([x[place][group == g].t() @ upon[group == g] for g in range(len(sums))])
    )
