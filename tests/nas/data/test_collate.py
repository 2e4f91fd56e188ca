from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Batch as PyGBatch
from torch_geometric.data import Data

from nas.data.collate import collate, offsets, select
from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch


def graph(nodes: int, edges: int, seed: int) -> Data:
    g = torch.Generator().manual_seed(seed)
    return Data(
        x=torch.rand(nodes, 2, generator=g),
        edge_index=torch.randint(nodes, (2, edges), generator=g),
        edge_attr=torch.rand(edges, 3, generator=g),
        edge_weight=torch.rand(edges, generator=g),
        y=torch.tensor([seed]),
    )


def batch(data: Data) -> Batch:
    owner = torch.zeros(data.num_nodes, dtype=torch.long)
    return Batch(data.x, data.edge_index, data.y, None, owner, data.edge_weight, data.edge_attr)


def assert_same(ours: Batch, theirs: PyGBatch) -> None:
    for name in ("x", "edge_index", "y", "batch", "edge_weight", "edge_attr"):
        assert torch.equal(getattr(ours, name), theirs[name]), name


sizes = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 7)), min_size=1, max_size=8)


@given(sizes, st.data())
def test_select_equals_collating_the_chosen_graphs_afresh(sizes, data):
    graphs = [graph(n, e, seed) for seed, (n, e) in enumerate(sizes)]
    whole = collate([batch(g) for g in graphs])
    assert_same(whole, PyGBatch.from_data_list(graphs))
    chosen = data.draw(st.lists(st.integers(0, len(graphs) - 1), min_size=1, max_size=10))
    expected = PyGBatch.from_data_list([graphs[i] for i in chosen])
    assert_same(select(whole, torch.tensor(chosen)), expected)
    assert_same(select(whole, torch.tensor(chosen), offsets(whole)), expected)


@given(sizes)
def test_collating_collated_batches_is_collating_once(sizes):
    graphs = [batch(graph(n, e, seed)) for seed, (n, e) in enumerate(sizes)]
    half = len(graphs) // 2
    parts = [collate(part) for part in (graphs[:half], graphs[half:]) if part]
    once, twice = collate(graphs), collate(parts)
    for name in ("x", "edge_index", "y", "batch", "edge_weight", "edge_attr"):
        assert torch.equal(getattr(once, name), getattr(twice, name))


def test_node_level_batches_keep_no_batch_and_shift_their_index():
    a = Batch(torch.zeros(3, 1), torch.tensor([[0], [2]]), torch.tensor([1]), index=torch.tensor([2]))
    b = Batch(torch.zeros(2, 1), torch.tensor([[1], [0]]), torch.tensor([0, 1]))
    both = collate([a, b])
    assert both.batch is None
    assert both.index is not None
    assert both.index.tolist() == [2, 3, 4]
    assert both.edge_index.tolist() == [[0, 4], [2, 3]]


def test_what_cannot_be_collated_or_taken_apart_says_why():
    a = Batch(torch.zeros(1, 1), torch.zeros(2, 1, dtype=torch.long), torch.zeros(1), edge_weight=torch.ones(1))
    b = Batch(torch.zeros(1, 1), torch.zeros(2, 1, dtype=torch.long), torch.zeros(1))
    with pytest.raises(BadInput, match="1 of 2 graphs have edge_weight"):
        collate([a, b])
    with pytest.raises(BadInput, match="no graphs to collate"):
        collate([])
    with pytest.raises(BadInput, match="has no `batch`"):
        select(b, torch.tensor([0]))
