from __future__ import annotations

import math

import pytest
import torch

from nas.zerocost.base import NotScored
from nas.zerocost.synflow import synflow
from tests.zerocost.small import Nodewise, given, linear, networks, small

X, Y = torch.randn(5, 2), torch.zeros(5, 1)


def chain(*layers: torch.nn.Module) -> torch.nn.Module:
    return Nodewise(torch.nn.Sequential(*layers))


def test_a_chain_of_matrices_has_the_sum_of_their_product():
    """R = nodes * 1^T |W2| |W1| 1 = 5 * (1 * 3 + 2 * 7), and the weights of each of the two matrices bear all of R."""
    first, second = torch.tensor([[1.0, -2.0], [-3.0, 4.0]]), torch.tensor([[-1.0, 2.0]])
    assert synflow(chain(linear(first), linear(second)), given(X, Y)) == pytest.approx(math.log(2 * 5 * 17))


@pytest.mark.parametrize(
    "between", [torch.nn.Sigmoid(), torch.nn.PReLU(), torch.nn.BatchNorm1d(2), torch.nn.LayerNorm(2), torch.nn.Tanh()]
)
def test_activations_and_normalisations_are_the_identity(between):
    first, second = torch.tensor([[1.0, -2.0], [-3.0, 4.0]]), torch.tensor([[-1.0, 2.0]])
    assert synflow(chain(linear(first), between, linear(second)), given(X, Y)) == pytest.approx(math.log(2 * 5 * 17))


def test_biases_flow_as_magnitudes_and_are_not_counted():
    """R = 5 * (1 + 2 + 4); of that the weights bear 3."""
    task = given(X, Y)
    assert synflow(chain(linear(torch.tensor([[1.0, -2.0]]), torch.tensor([-4.0]))), task) == pytest.approx(
        math.log(15)
    )


def test_deep_networks_do_not_overflow():
    """R = 5 * 2 * 100^50, far beyond float32, and 51 matrices bear it."""
    layers = [linear(torch.full((2, 2), -50.0)) for _ in range(50)]
    wanted = math.log(51) + math.log(10) + 50 * math.log(100)
    assert synflow(chain(*layers, linear(torch.ones(1, 2))), given(X, Y)) == pytest.approx(wanted)


def test_signs_and_features_do_not_matter():
    task, other = (small("node", "multiclass", seed=0) for _ in range(2))
    other.train[0].x.copy_(torch.randn_like(other.train[0].x))
    for model in networks(task):
        before = synflow(model, task)
        with torch.no_grad():
            for p in model.parameters():
                p.neg_()
        assert synflow(model, other) == pytest.approx(before, rel=1e-6)


def test_no_flow_is_said():
    with pytest.raises(NotScored, match="nothing flows"):
        synflow(chain(linear(torch.zeros(1, 2))), given(X, Y))
