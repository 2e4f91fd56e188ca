"""Single layers under the engine: outputs and gradients on any small graph, dropout, settings that are left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import ARMAConv, ChebConv, GATConv, GCNConv, SAGEConv, TransformerConv

from nas.evaluation.engine.graph import Edges, Whole
from nas.evaluation.engine.lowering import lowered
from nas.searchspace.layers.attention import AttentionConv
from tests.nas.export.made import ATTENTIONS
from tests.searchspace.declared import features


@pytest.mark.parametrize("attention", ATTENTIONS)
@settings(max_examples=15)
@given(
    nodes=st.integers(1, 6),
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=14),
    heads=st.integers(1, 3),
    aggregate=st.sampled_from(["sum", "mean", "max", "mlp"]),
    combine=st.sampled_from(["identity", "mlp"]),
    concat=st.booleans(),
    seed=st.integers(0, 99),
)
def test_attention_conv(attention: str, nodes: int, pairs: Any, heads: int, aggregate: str, combine: str,
                         concat: bool, seed: int) -> None:  # fmt: skip
    torch.manual_seed(seed)
    layer = AttentionConv(3, 4 * heads if concat else 4, heads, attention, aggregate, combine, concat)
    edges = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t() % nodes  # loops and double edges among them
    x = features(nodes, 3, seed).float().requires_grad_()
    wanted = layer(x, edges)
    with lowered(layer, 0):
        got = layer(x, Edges.of(edges, Whole(edges, nodes)))
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    weight = features(*wanted.shape, seed + 1).float()
    gradients = [
        torch.autograd.grad((y * weight).sum(), [x, *layer.parameters()], materialize_grads=True, retain_graph=True)
        for y in (got, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


@settings(max_examples=30)
@given(
    rows=st.integers(2, 30),
    width=st.integers(1, 5),
    seed=st.integers(0, 99),
    slope=st.sampled_from([-0.5, 0.0, 0.25, 1.5]),
)
@pytest.mark.parametrize("kind", ["prelu", "norm"])
def test_elementwise_layers(kind: str, rows: int, width: int, seed: int, slope: float) -> None:
    """Outputs, gradients and running statistics, in training and after it."""
    layers = []
    for _ in range(2):
        torch.manual_seed(seed)
        layers.append(torch.nn.PReLU(init=slope) if kind == "prelu" else torch.nn.BatchNorm1d(width))
    x = features(rows, width, seed).float()
    weight = features(rows, width, seed + 1).float()
    with lowered(layers[1], 0):
        assert "forward" in vars(layers[1])
        for train in (True, False):
            results = []
            for layer in layers:
                given_x = x.clone().requires_grad_()
                out = layer.train(train)(given_x)
                gradients = torch.autograd.grad((out * weight).sum(), [given_x, *layer.parameters()])
                results.append([out, *gradients])
            torch.testing.assert_close(*results, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(*(layer.state_dict() for layer in layers))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.9])
def test_dropout_from_random_bytes(p: float) -> None:
    """Zeros in the right share, the mean kept, the same mask forward and backward, equal seeds alike."""
    layer, x = torch.nn.Dropout(p), torch.ones(400, 250, requires_grad=True)
    with lowered(layer, 3):
        out = layer(x)
        again = layer(x)
        (gradient,) = torch.autograd.grad(out.sum(), x)
        assert torch.equal(gradient, out)
        assert layer.eval()(x) is x
    assert not torch.equal(out, again)
    assert (out == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    assert out.mean().item() == pytest.approx(1, abs=0.03)
    assert len(out.unique()) == 2
    assert (out == 0).float().mean(0).std().item() == pytest.approx((p * (1 - p) / 400) ** 0.5, rel=0.2)
    layer.train()
    with lowered(layer, 3):
        assert torch.equal(layer(x), out)
    with lowered(layer, 4):
        assert not torch.equal(layer(x), out)


def test_settings_that_are_not_covered_run_as_they_are() -> None:
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    x, ready = torch.randn(3, 4), Edges.of(edges, Whole(edges, 3))
    layers = [
        GCNConv(4, 2, improved=True),
        GCNConv(4, 2, flow="target_to_source"),
        SAGEConv(4, 2, normalize=True),
        GATConv(4, 2, residual=True),
        ChebConv(4, 2, K=2, normalization="rw"),
        ARMAConv(4, 2, num_stacks=2),
        TransformerConv(4, 2, beta=True),
    ]
    for layer in layers:
        with lowered(layer, 0):
            assert "forward" not in vars(layer)
            assert torch.equal(layer(x, ready), layer(x, edges))
    listened = GCNConv(4, 2)
    listened.register_propagate_forward_hook(lambda *_: None)
    with lowered(listened, 0):
        assert "forward" not in vars(listened)


def test_more_arguments_go_the_ordinary_way() -> None:
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    layer, x, weight = GCNConv(4, 2), torch.randn(3, 4), torch.tensor([1.0, 2.0, 3.0])
    ready = Edges.of(edges, Whole(edges, 3))
    with lowered(layer, 0):
        assert torch.equal(layer(x, ready, weight), GCNConv.forward(layer, x, edges, weight))
        assert torch.equal(layer.double()(x.double(), ready), GCNConv.forward(layer, x.double(), edges))
