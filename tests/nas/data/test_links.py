"""Links are hidden without leakage: properties of any graph, tiny, dense, or with repeated edges."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Data

from nas.data.assemble import assemble
from nas.data.links import divide_links
from nas.data.splits import parse
from nas.evaluation.engine.graph import PLAIN, graph_of
from nas.evaluation.engine.prepare import prepare
from nas.searchspace.errors import BadInput
from nas.searchspace.pairs import HIDDEN, absent_pairs, hiding_some
from nas.searchspace.task import SPLITS, Task

Pair = tuple[int, int]


@st.composite
def links(draw: st.DrawFn) -> tuple[int, list[Pair]]:
    """A number of nodes, and ten or more pairs of them, of which some come twice, in any direction."""
    nodes = draw(st.integers(6, 14))
    every = [(i, j) for i in range(nodes) for j in range(i + 1, nodes)]
    chosen = draw(st.permutations(every))[: draw(st.integers(10, len(every)))]
    again = draw(st.lists(st.sampled_from(chosen), max_size=4))
    return nodes, [pair if draw(st.booleans()) else pair[::-1] for pair in [*chosen, *again]]


def both_ways(pairs: list[Pair]) -> Tensor:
    one = torch.tensor(pairs).t()
    return torch.cat([one, one.flip(0)], dim=1)


def unordered(pairs: Tensor) -> list[Pair]:
    return [(min(pair), max(pair)) for pair in pairs.t().tolist()]


def task_of(nodes: int, edges: Tensor, seed: int = 0, **more: Any) -> Task:
    graph = Data(x=torch.eye(nodes), edge_index=edges, **more)
    return assemble([graph], name="made", task="link", seed=seed)


@settings(max_examples=60)
@given(links(), st.integers(0, 2**31))
def test_no_hidden_link_is_seen(drawn: tuple[int, list[Pair]], seed: int) -> None:
    nodes, pairs = drawn
    edges = both_ways(pairs)
    there = len(set(unordered(edges)))
    hidden, free = sum(max(1, round(share * there)) for share in (0.05, 0.1)), nodes * (nodes - 1) // 2 - there
    if free < hidden or free + hidden < there - hidden:
        with pytest.raises(BadInput, match=r"it: link prediction needs .* the graph is too dense for it"):
            divide_links(edges, nodes, parse("random"), seed, "it")
        return
    made = divide_links(edges, nodes, parse("random"), seed, "it")
    everything, visible = set(unordered(edges)), set(unordered(edges[:, made.visible]))
    positive, negative = {}, {}
    for split in SPLITS:
        label = made.y[split][:, 0]
        assert made.pairs[split].shape == (2, len(label))
        positive[split], negative[split] = (unordered(made.pairs[split][:, label == k]) for k in (1, 0))
        assert len(positive[split]) == len(negative[split]) == len(set(positive[split])) == len(set(negative[split]))
        assert all(i < j for i, j in negative[split])
    assert visible == set(positive["train"])
    assert everything == visible | set(positive["valid"]) | set(positive["test"])
    assert len(everything) == sum(map(len, positive.values()))  # so they are disjoint
    assert not everything & {*negative["valid"], *negative["test"]}
    assert not set(negative["valid"]) & set(negative["test"])
    assert not visible & set(negative["train"])
    assert int(made.visible.sum()) == sum(pair in visible for pair in unordered(edges))  # repeated edges go together


@settings(max_examples=20)
@given(links(), st.integers(0, 99))
def test_equal_seeds_hide_the_same_links(drawn: tuple[int, list[Pair]], seed: int) -> None:
    nodes, pairs = drawn
    shuffled = both_ways(pairs[::-1])
    try:
        first, again, other = (
            divide_links(edges, nodes, parse("random"), number, "it")
            for edges, number in ((both_ways(pairs), seed), (shuffled, seed), (both_ways(pairs), seed + 1))
        )
    except BadInput:
        return
    for split in SPLITS:
        assert torch.equal(first.pairs[split], again.pairs[split])
    assert any(not torch.equal(first.pairs[split], other.pairs[split]) for split in SPLITS)


@settings(max_examples=20)
@given(links(), st.booleans(), st.integers(0, 99))
def test_what_edges_carry_stays_with_them(drawn: tuple[int, list[Pair]], directed: bool, seed: int) -> None:
    """Each edge says which it is, in its weight and in its features."""
    nodes, pairs = drawn
    edges = torch.tensor(list(dict.fromkeys(map(tuple, map(sorted, pairs))))).t() if directed else both_ways(pairs)
    name = (edges.min(0).values * nodes + edges.max(0).values).float()
    try:
        task = task_of(nodes, edges, seed, edge_weight=name, edge_attr=torch.stack([name, -name], 1))
    except BadInput:
        return
    batch = task.train[0]
    found = (batch.edge_index.min(0).values * nodes + batch.edge_index.max(0).values).float()
    assert torch.equal(batch.edge_weight, found)
    assert torch.equal(batch.edge_attr, torch.stack([found, -found], 1))
    both = {tuple(pair) for pair in batch.edge_index.t().tolist()}
    assert both == {(j, i) for i, j in both}
    hidden = {*unordered(task.valid[0].edge_label_index), *unordered(task.test[0].edge_label_index)}
    assert not hidden & set(unordered(batch.edge_index))


@settings(max_examples=20)
@given(links(), st.booleans(), st.integers(0, 99))
def test_no_message_passes_what_a_step_looks_for(drawn: tuple[int, list[Pair]], prepared: bool, seed: int) -> None:
    """Its links are some of those for training, and its other pairs are none of these."""
    nodes, pairs = drawn
    edges = both_ways(pairs)
    name = (edges.min(0).values * nodes + edges.max(0).values).float()
    try:
        task = task_of(nodes, edges, seed, edge_weight=name, edge_attr=name[:, None])
    except BadInput:
        return
    batch, rng = (prepare(task) if prepared else task).train[0], torch.Generator().manual_seed(seed)
    training = set(unordered(batch.edge_label_index[:, batch.y[:, 0] == 1]))
    for _ in range(3):
        step = hiding_some(batch, rng)
        hidden, absent = (unordered(step.edge_label_index[:, step.y[:, 0] == k]) for k in (1, 0))
        left = step.edge_index.as_subclass(Tensor)
        assert len(hidden) == len(set(hidden)) == len(set(absent)) == max(1, round(HIDDEN * len(training)))
        assert training == {*hidden} | {*unordered(left)}
        assert not {*hidden} & {*unordered(left)}
        assert not training & set(absent)
        assert torch.equal(step.edge_weight, (left.min(0).values * nodes + left.max(0).values).float())
        assert torch.equal(step.edge_attr[:, 0], step.edge_weight)
        graph = graph_of(step.edge_index)
        assert (graph is not None) == prepared
        if graph is not None:
            found = graph.structure(PLAIN)
            assert sorted(zip(found.source.tolist(), found.target.tolist(), strict=True)) == sorted(
                map(tuple, left.t().tolist())
            )
    equal = [hiding_some(batch, torch.Generator().manual_seed(seed)) for _ in range(2)]
    assert torch.equal(*(step.edge_label_index for step in equal))
    assert torch.equal(*(step.edge_index.as_subclass(Tensor) for step in equal))


def test_steps_hide_other_links_and_draw_other_pairs() -> None:
    task = task_of(40, both_ways([(i, (i + k) % 40) for i in range(40) for k in (1, 2)]))
    rng = torch.Generator().manual_seed(0)
    first, second = (hiding_some(task.train[0], rng) for _ in range(2))
    for label in (0, 1):
        some, others = (set(unordered(s.edge_label_index[:, s.y[:, 0] == label])) for s in (first, second))
        assert some != others


@pytest.mark.parametrize("nodes", [30, 5000])  # listed, and drawn
def test_absent_pairs_are_drawn_alike(nodes: int) -> None:
    """Each of the 870 / 2 - 20 pairs comes as often as any other, up to chance."""
    few = 30
    keys = torch.tensor([i * nodes + i + 1 for i in range(20)])
    count = 100 if nodes == few else 2000
    drawn = [absent_pairs(keys, nodes, count, torch.Generator().manual_seed(s), "it") for s in range(200)]
    times = torch.bincount(torch.cat(drawn, 1).flatten(), minlength=nodes).float()
    expected = 200 * count * 2 / nodes
    # 20 of the nodes have one partner less, or two: 29, 28 or 27 of 29
    assert (times - expected).abs().max() < expected * 0.1 + 6 * expected**0.5
    assert all(len(set(unordered(pairs))) == count for pairs in drawn[:5])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([(i, i + 1) for i in range(9)], "9 links are too few to hide some of them; link prediction needs 10 or more"),
        ([(i, j) for i in range(8) for j in range(i)], "needs 4 pairs of nodes without a link and there are 0"),
    ],
)
def test_graphs_that_cannot_be_divided(pairs: list[Pair], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        task_of(10 if len(pairs) == 9 else 8, both_ways(pairs))


def test_links_are_divided_at_random_alone() -> None:
    with pytest.raises(BadInput, match=r"links are divided at random, .*: use split random, not public"):
        divide_links(both_ways([(0, 1)]), 2, parse("public"), 0, "it")
