from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.zerocost.base import NotScored
from nas.zerocost.jacobian import jacov
from tests.zerocost.small import Nodewise, given, linear

K = 1e-5


class Square(torch.nn.Module):
    """Scores x^2 / 2, whose Jacobian is x."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return x.square().sum(1, keepdim=True) / 2


def test_the_score_is_that_of_the_jacobians_correlations():
    x = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    values = np.linalg.eigvalsh(np.corrcoef(x.double().numpy()))
    wanted = -np.sum(np.log(values + K) + 1 / (values + K))
    assert jacov(Square(), given(x, torch.zeros(4, 1))) == pytest.approx(wanted, rel=1e-4)


def test_a_linear_network_has_equal_jacobians():
    """One eigenvalue is the number of items, and the others are zero."""
    x, weight = torch.randn(3, 4), torch.tensor([[1.0, -2.0, 3.0, 0.5]])
    wanted = -(math.log(3 + K) + 1 / (3 + K)) - 2 * (math.log(K) + 1 / K)
    assert jacov(Nodewise(linear(weight)), given(x, torch.zeros(3, 1))) == pytest.approx(wanted)


def test_one_feature_has_no_correlations():
    with pytest.raises(NotScored, match="two items and two features"):
        jacov(Square(), given(torch.ones(3, 1), torch.zeros(3, 1)))
