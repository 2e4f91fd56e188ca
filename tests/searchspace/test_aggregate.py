"""The aggregation without weights, against torch_geometric's own and along both of its paths."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import SimpleConv

from nas.searchspace.layers.aggregate import Aggregate
from tests.searchspace.declared import features, graph


@pytest.mark.parametrize("aggr", ["mean", "max", "sum"])
@given(nodes=st.integers(1, 12), edges=st.integers(0, 40), seed=st.integers(0, 99))
def test_equals_torch_geometric_on_both_paths(aggr: str, nodes: int, edges: int, seed: int) -> None:
    edge_index = torch.randint(0, nodes, (2, edges), generator=torch.Generator().manual_seed(seed))  # loops, doubles
    weight = features(nodes, 3, seed + 1)
    results = []
    for layer, exporting in (
        (SimpleConv(aggr=aggr, combine_root="self_loop"), False),
        (Aggregate(aggr), False),
        (Aggregate(aggr), True),
    ):
        x = features(nodes, 3, seed).requires_grad_()
        with mock.patch("torch.compiler.is_exporting", return_value=exporting):
            out = layer(x, edge_index)
        (out * weight).sum().backward()
        results.append((out.detach(), x.grad))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0])


def test_the_matrix_is_kept_for_one_graph_and_made_anew_for_another() -> None:
    layer, x = Aggregate("sum"), features(6, 2)
    first, second = graph(6, 9, 1), graph(6, 9, 2)
    before = layer(x, first)
    matrix = layer.kept[2]
    layer(x, first)
    assert layer.kept[2] is matrix
    assert not torch.equal(layer(x, second), before)
    first[0] = (first[0] + 1) % 6  # the same tensor with other numbers in it
    layer(x, first)
    changed = layer(x, first)
    torch.testing.assert_close(changed, Aggregate("sum")(x, first))
    assert layer.state_dict() == {}
