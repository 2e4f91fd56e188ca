"""AttentionConv computes the same along edges, as it is exported and as a GPU runs it, as by sparse products."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.searchspace.layers.attention import AttentionConv
from tests.nas.export.made import ATTENTIONS
from tests.searchspace.declared import features


@pytest.mark.parametrize("attention", ATTENTIONS)
@settings(deadline=None, max_examples=15)
@given(
    nodes=st.integers(1, 6),
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=14),
    heads=st.integers(1, 3),
    aggregate=st.sampled_from(["sum", "mean", "max", "mlp"]),
    combine=st.sampled_from(["identity", "mlp"]),
    concat=st.booleans(),
    seed=st.integers(0, 99),
)
def test_both_ways_agree(attention: str, nodes: int, pairs: Any, heads: int, aggregate: str, combine: str,
                         concat: bool, seed: int) -> None:  # fmt: skip
    torch.manual_seed(seed)
    layer = AttentionConv(3, 4 * heads if concat else 4, heads, attention, aggregate, combine, concat).double()
    edges = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t() % nodes  # loops and double edges among them
    x = features(nodes, 3, seed).requires_grad_()
    wanted = layer(x, edges)
    got = layer.along_edges(layer.linear(x).view(nodes, heads, layer.width), edges)
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)
    weight = features(*wanted.shape, seed + 1)
    gradients = [
        torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()], materialize_grads=True, retain_graph=True)
        for y in (got, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-8, atol=1e-8)
