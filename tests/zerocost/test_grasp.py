from __future__ import annotations

import pytest
import torch
from torch.func import functional_call

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace.source import load, source
from nas.zerocost.base import losses
from nas.zerocost.gradients import weights_of
from nas.zerocost.grasp import grasp
from tests.zerocost.small import Nodewise, given, linear, small
from tests.zerocost.tasks import VARIANTS, Stack


def test_grasp_of_least_squares():
    """The second derivative is 2 mean x x^T, whatever the weights."""
    x, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, -1.0]]), torch.tensor([[1.0], [-1.0], [2.0], [0.0]])
    w, g, hessian = torch.tensor([0.5, -1.5]), torch.tensor([2.75, -5.0]), 2 * x.T @ x / 4
    assert grasp(Nodewise(linear(w[None])), given(x, y)) == pytest.approx(-(w @ hessian @ g).item(), rel=1e-4)


@pytest.mark.parametrize("activation", ["tanh", "relu", "relu6", "prelu", "elu"])
@pytest.mark.parametrize("variant", ["gcn", "sage", "gat", "cheb", "gin-mlp", "attention gat mlp"])
def test_grasp_is_that_of_two_derivatives(variant, activation):
    """-w . H g in float64 by differentiating twice."""
    name, settings = VARIANTS[variant]
    task = small("node", "multiclass")
    torch.manual_seed(0)
    net = load(source(Stack(name, activation=activation, **settings), task))().eval()
    (batch,) = task.train
    arguments = batch.x.double(), batch.edge_index
    weights = {key: w.double().requires_grad_() for key, w in weights_of(net).items()}
    others = {key: p.detach().double() for key, p in net.named_parameters() if key not in weights}
    out = functional_call(net, weights | others, arguments)[batch.index]
    w = list(weights.values())
    g = torch.autograd.grad(losses(out, batch.y, task.target).mean(), w, create_graph=True)
    inner = sum((one * one.detach()).sum() for one in g)
    hg = torch.autograd.grad(inner, w)
    products = [-(a * b).sum().item() for a, b in zip(w, hg, strict=True)]
    wanted = pytest.approx(sum(products), abs=2e-3 * sum(map(abs, products)))
    assert grasp(net, task) == wanted
    with lowered(net, 0):
        assert grasp(net, prepare(task)) == wanted
        assert activation != "prelu" or "forward" in vars(net.activation1)  # as it was
