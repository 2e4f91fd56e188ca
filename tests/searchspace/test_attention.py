"""The AGNN layer against a loop over nodes, and against GCNConv and GATConv with the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv, GCNConv

from nas.searchspace.layers.attention import AttentionConv
from tests.searchspace.declared import features, graph

ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")


def by_hand(layer: Any, x: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """The definition, node by node and head by head."""
    nodes, width = x.size(0), layer.width
    sends = {i: sorted({i} | {j for j, k in edges.t().tolist() if k == i}) for i in range(nodes)}
    heads = []
    for head in range(layer.heads):
        h = x @ layer.linear.weight[head * width : (head + 1) * width].t()
        rows = []
        for i in range(nodes):
            scores = torch.stack([score(layer, head, h[i], h[j], len(sends[i]), len(sends[j])) for j in sends[i]])
            a = scores if layer.attention in ("constant", "gcn") else scores.softmax(0)
            messages = torch.stack([weight * h[j] for weight, j in zip(a, sends[i], strict=True)])
            match layer.aggregate:
                case "sum":
                    out = messages.sum(0)
                case "mean":
                    out = messages.mean(0)
                case "max":
                    out = messages.max(0).values
                case _:
                    first, _, second = layer.mlp
                    out = second.weight @ torch.relu(first.weight @ messages.sum(0) + first.bias) + second.bias
            if layer.combine == "mlp":
                out = torch.relu(layer.merge.weight @ torch.cat([out, h[i]]) + layer.merge.bias)
            rows.append(out)
        heads.append(torch.stack(rows))
    joined = torch.cat(heads, dim=1) if layer.concat else torch.stack(heads).mean(0)
    return joined + layer.bias


def score(layer: Any, head: int, hi: torch.Tensor, hj: torch.Tensor, di: int, dj: int) -> torch.Tensor:
    leaky = torch.nn.LeakyReLU(0.2)
    match layer.attention:
        case "constant":
            return torch.tensor(1.0)
        case "gcn":
            return torch.tensor(1 / (di * dj) ** 0.5)
        case "gat":
            return leaky(layer.left[head] @ hi + layer.right[head] @ hj)
        case "sym-gat":
            there = leaky(layer.left[head] @ hi + layer.right[head] @ hj)
            return there + leaky(layer.left[head] @ hj + layer.right[head] @ hi)
        case "cos":
            return (layer.left[head] * hi) @ (layer.right[head] * hj)
        case "linear":
            return torch.tanh(layer.right[head] @ hj)
        case _:
            mapped = torch.tanh(layer.left_map.weight @ hi + layer.right_map.weight @ hj)
            return layer.gate[head] @ mapped


@pytest.mark.parametrize("attention", ATTENTIONS)
@settings(max_examples=12)
@given(
    nodes=st.integers(2, 6),
    density=st.floats(0, 1),
    loop=st.booleans(),
    heads=st.integers(1, 3),
    aggregate=st.sampled_from(["sum", "mean", "max", "mlp"]),
    combine=st.sampled_from(["identity", "mlp"]),
    concat=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_layer_is_its_definition(
    attention: str,
    nodes: int,
    density: float,
    loop: bool,
    heads: int,
    aggregate: str,
    combine: str,
    concat: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    outputs = 4 * heads if concat else 4
    layer = AttentionConv(3, outputs, heads, attention, aggregate, combine, concat).double()
    torch.nn.init.normal_(layer.bias)
    edges = graph(nodes, round(density * nodes * (nodes - 1)), seed)
    if loop:
        edges = torch.cat([edges, torch.tensor([[1], [1]])], dim=1)
    x = features(nodes, 3, seed).requires_grad_()
    y, expected = layer(x, edges), by_hand(layer, x, edges)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)
    weight = features(nodes, outputs, seed + 1)
    gradients, reference = (
        torch.autograd.grad((out * weight).sum(), [x, *layer.parameters()]) for out in (y, expected)
    )
    torch.testing.assert_close(gradients, reference, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("aggregate", ["sum", "mean", "max"])
def test_parallel_edges_count_each(aggregate: str) -> None:
    layer = AttentionConv(2, 2, attention="constant", aggregate=aggregate).double()
    x, h = features(3, 2), layer.linear(features(3, 2))
    y = layer(x, torch.tensor([[0, 0, 2], [1, 1, 1]]))
    sent = torch.stack([h[0], h[0], h[2], h[1]])
    expected = {"sum": sent.sum(0), "mean": sent.mean(0), "max": sent.max(0).values}[aggregate]
    torch.testing.assert_close(y[1], expected + layer.bias)


def test_gcn_is_gcnconv() -> None:
    layer, reference = AttentionConv(5, 8, attention="gcn").double(), GCNConv(5, 8).double()
    reference.lin.weight, reference.bias = layer.linear.weight, layer.bias
    x, edges = features(9, 5), graph(9, 25)
    torch.testing.assert_close(layer(x, edges), reference(x, edges))


@pytest.mark.parametrize(("heads", "concat"), [(1, True), (3, True), (1, False), (3, False)])
def test_gat_is_gatconv(heads: int, concat: bool) -> None:
    layer = AttentionConv(5, 12 if concat else 4, heads, "gat", concat=concat).double()
    reference = GATConv(5, layer.width, heads=heads, concat=concat).double()
    reference.lin.weight, reference.bias = layer.linear.weight, layer.bias
    reference.att_src = torch.nn.Parameter(layer.right[None].detach())
    reference.att_dst = torch.nn.Parameter(layer.left[None].detach())
    x, edges = features(9, 5), graph(9, 25)
    torch.testing.assert_close(layer(x, edges), reference(x, edges))
