"""The aggregation without weights, against torch_geometric's own."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.nn import SimpleConv

from nas.searchspace.layers.aggregate import Aggregate
from tests.searchspace.declared import features


@pytest.mark.parametrize("aggr", ["mean", "max", "sum"])
@given(nodes=st.integers(1, 12), edges=st.integers(0, 40), seed=st.integers(0, 99))
def test_equals_torch_geometric(aggr: str, nodes: int, edges: int, seed: int) -> None:
    edge_index = torch.randint(0, nodes, (2, edges), generator=torch.Generator().manual_seed(seed))  # loops, doubles
    weight = features(nodes, 3, seed + 1)
    results = []
    for layer in (SimpleConv(aggr=aggr, combine_root="self_loop"), Aggregate(aggr)):
        x = features(nodes, 3, seed).requires_grad_()
        out = layer(x, edge_index)
        (out * weight).sum().backward()
        results.append((out.detach(), x.grad))
    torch.testing.assert_close(*results)
