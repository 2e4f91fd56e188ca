"""What is heard of a network's activation functions, and the proxies from it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace import Network, Value
from nas.searchspace.elements import ACTIVATIONS
from nas.searchspace.source import module
from nas.zerocost.activations import fisher, meco, naswot
from nas.zerocost.base import NotScored
from nas.zerocost.listening import Listening
from tests.zerocost.small import Nodewise, given, linear, networks, small
from tests.zerocost.tasks import Stack


class Gate(torch.nn.Module):
    """Scores relu(x), the call of a function."""

    def forward(self, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return F.relu(x)


class Pooled(torch.nn.Module):
    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        return torch.zeros(int(batch.max()) + 1, x.size(1)).index_add_(0, batch, torch.relu(x))


def logdet(*rows: list[float]) -> float:
    return torch.linalg.slogdet(torch.tensor(rows, dtype=torch.double) + 1e-6 * torch.eye(len(rows))).logabsdet.item()


def test_naswot_of_three_codes():
    """110, 100 and 011 agree in two, one and none of their units."""
    x = torch.tensor([[1.0, 2.0, -1.0], [3.0, -1.0, -2.0], [-1.0, 1.0, 1.0]])
    kernel = [3.0, 2.0, 1.0], [2.0, 3.0, 0.0], [1.0, 0.0, 3.0]
    assert naswot(Gate(), given(x, torch.zeros(3, 3))) == pytest.approx(logdet(*kernel))


def test_naswot_of_graphs_is_the_mean_over_pairs_of_nodes():
    """One graph of the codes 10 and 00, another of 11: they agree in (1 + 0) / 2, the first with itself in 7 / 4."""
    task = replace(small("graph", "regression"), features=2, outputs=2)
    x, edges = torch.tensor([[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]]), torch.zeros(2, 0, dtype=torch.long)
    batch = replace(task.train[0], x=x, edge_index=edges, y=torch.zeros(2, 2), batch=torch.tensor([0, 0, 1]))
    assert naswot(Pooled(), replace(task, train=(batch,))) == pytest.approx(logdet([1.5, 0.5], [0.5, 2.0]))


def test_meco_of_two_columns_is_one_minus_their_correlation():
    x = torch.tensor([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0], [5.0, 5.0]])
    r = torch.corrcoef(x.T)[0, 1].item()
    assert r == pytest.approx(0.9)
    assert meco(Nodewise(torch.nn.Identity()), given(x, torch.zeros(5, 2))) == pytest.approx(1 - r)
    assert meco(Gate(), given(x, torch.zeros(5, 2))) == pytest.approx(2 * (1 - r))


def test_meco_is_zero_where_columns_repeat_stand_still_or_are_too_many():
    x = torch.randn(6, 3)
    for still in (x[:, [0, 1, 2, 0]], torch.cat([x, torch.ones(6, 1)], 1), torch.randn(6, 6)):
        assert meco(Nodewise(torch.nn.Identity()), given(still, torch.zeros_like(still))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("proxy", [naswot, fisher])
def test_a_network_without_activations_has_no_score(proxy):
    with pytest.raises(NotScored, match="no activation function"):
        proxy(Nodewise(linear(torch.ones(1, 2))), given(torch.ones(5, 2), torch.ones(5, 1)))


class Once:
    """One activation function after a linear map, and others within a message-passing layer."""

    def __init__(self, activation: str) -> None:
        self.activation = activation

    def network(self, net: Network) -> Value:
        x = net.activation(self.activation, net.linear(net.x, 4))
        return net.operator("attention", x, 4, attention="sym-gat", aggregate="mlp", combine="mlp")


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "linear"])
def test_every_activation_is_heard_and_none_of_those_inside_of_layers(activation):
    task = small("node", "multiclass")
    torch.manual_seed(0)
    model = module(Once(activation), task).eval()
    for ready, fast in ((task, False), (prepare(task), True)):
        with lowered(model, 0) if fast else torch.enable_grad(), Listening(model) as heard:
            out = model(*ready.train[0].arguments(task.inputs))
        ((x, a),) = heard.activations
        assert torch.allclose(x, model.linear1(task.train[0].x), atol=1e-6)
        assert a.requires_grad
        assert [type(layer).__name__ for layer, _, _ in heard.layers] == ["Linear", "AttentionConv", "Linear"]
        assert heard.layers[-1][2] is out
        assert heard.layers[1][1] is a


def test_listening_ends_with_its_block():
    task = small("node", "multiclass")
    for model in networks(task):
        with pytest.raises(ZeroDivisionError), Listening(model):
            math.log(1 / 0)
        with Listening(model) as heard:
            pass
        model(*task.train[0].arguments(task.inputs))
        assert not heard.layers
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_stack_is_heard_layer_by_layer():
    task = small("node", "multiclass")
    with Listening(model := module(Stack("gcn", layers=3), task)) as heard:
        model(*task.train[0].arguments(task.inputs))
    assert [type(layer).__name__ for layer, _, _ in heard.layers] == ["GCNConv"] * 3 + ["Linear"]
    assert len(heard.activations) == 3
