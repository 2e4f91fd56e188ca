"""Proxies from gradients, where the gradients are known."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from nas.data.collate import collate
from nas.zerocost.activations import fisher
from nas.zerocost.base import NotScored
from nas.zerocost.gradients import grad_norm, snip, weights_of, zico
from nas.zerocost.grasp import grasp
from tests.zerocost.small import Nodewise, given, linear, networks, small

X = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [3.0, -1.0]])
Y = torch.tensor([[1.0], [-1.0], [2.0], [0.0]])
W = torch.tensor([[0.5, -1.5]])
ERRORS = torch.tensor([-0.5, -2.0, -3.0, 3.0])
"""W x - y."""


def model() -> torch.nn.Module:
    return Nodewise(linear(W))


def test_snip_and_grad_norm_of_least_squares():
    """L = mean (w x - y)^2, dL/dw = mean 2 (w x - y) x = (2.75, -5)."""
    g = (2 * ERRORS[:, None] * X).mean(0)
    assert g.tolist() == [2.75, -5.0]
    assert snip(model(), given(X, Y)) == pytest.approx(0.5 * 2.75 + 1.5 * 5)
    assert grad_norm(model(), given(X, Y)) == pytest.approx(math.hypot(2.75, 5))


def test_zico_of_least_squares_where_every_batch_is_an_item():
    g = 2 * ERRORS[:, None] * X
    ratio = g.abs().mean(0) / g.std(0, correction=0)
    assert zico(model(), given(X, Y), seed=5) == pytest.approx(math.log(ratio.sum()))


def test_zico_counts_weights_whose_batches_agree_for_a_hundred():
    x = torch.ones(4, 2)
    assert zico(model(), given(x, torch.ones(4, 1))) == pytest.approx(math.log(200))


def test_fisher_of_one_rectified_layer():
    """Scores relu(x), a = relu(x), dL/da = 2 (a - y) / (items * columns)."""
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    task = given(x, torch.zeros(2, 2))
    a = x.clamp(min=0)
    two = Nodewise(torch.nn.Sequential(linear(torch.eye(2)), torch.nn.ReLU()))
    assert fisher(two, task) == pytest.approx(0.5 * (a * 2 * a / 4).square().sum().item())


def test_fisher_of_twice_the_graphs_is_half_of_it():
    task = small("graph", "regression")
    found = []
    for batch in (task.train[0], collate([task.train[0], task.train[0]])):
        found.append([fisher(m, replace(task, train=(batch,))) for m in networks(task)])
    assert [b / a for a, b in zip(*found, strict=True)] == pytest.approx([0.5] * len(found[0]), rel=1e-3)


@pytest.mark.parametrize("proxy", [snip, grad_norm, grasp, fisher, zico])
def test_two_graphs_in_two_batches_are_two_graphs_in_one(proxy):
    a, b = (small("node", "multilabel", seed=seed).train[0] for seed in (0, 1))
    apart = replace(small("node", "multilabel"), train=(a, b))
    together = replace(apart, train=(collate([a, b]),))
    found = [[proxy(m, task, 0) for m in networks(apart, 1)] for task in (apart, together)]
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_zico_divides_any_number_of_items_into_four_batches():
    """Five equal items: every batch has the same gradient, and no batch is empty."""
    assert zico(model(), given(torch.ones(5, 2), torch.ones(5, 1))) == pytest.approx(math.log(200))


def test_zico_follows_its_seed():
    task = small("node", "multiclass")
    (first, *_) = networks(task)
    found = [zico(first, task, seed) for seed in (0, 0, 1)]
    assert [a == b for a, b in pairwise(found)] == [True, False]


def test_biases_norms_and_slopes_are_no_weights():
    layers = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.PReLU(), torch.nn.Linear(3, 1)
    )
    assert list(weights_of(Nodewise(layers))) == ["layer.0.weight", "layer.3.weight"]


def test_without_weights_there_is_no_score():
    with pytest.raises(NotScored, match="the network has no weights"):
        snip(Nodewise(torch.nn.Identity()), given(X, X))


def test_zico_wants_four_items():
    with pytest.raises(NotScored, match="divides the training items into 4 batches, and there are 3"):
        zico(model(), given(X, Y, valid=torch.tensor([0])))


def test_numbers_beyond_all_bounds_are_said():
    with pytest.raises(NotScored, match="the score is inf"):
        snip(Nodewise(linear(W * 1e30)), given(X, Y))


class Summed(torch.nn.Module):
    """One number for each graph: the sum over its nodes of relu(x w)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = linear(torch.ones(1, 1))

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        return torch.zeros(int(batch.max()) + 1, 1).index_add_(0, batch, torch.relu(self.layer(x)))


def test_fisher_sums_over_the_nodes_of_a_graph_first():
    """Two graphs whose nodes give 1 + 2 and 4, targets 0: dL/da = the sum, so (3 * 3)^2 / 2 + (4 * 4)^2 / 2."""
    task = replace(small("graph", "regression"), features=1, outputs=1)
    x, edges = torch.tensor([[1.0], [2.0], [4.0]]), torch.zeros(2, 0, dtype=torch.long)
    batch = replace(task.train[0], x=x, edge_index=edges, y=torch.zeros(2, 1), batch=torch.tensor([0, 0, 1]))
    assert fisher(Summed(), replace(task, train=(batch,))) == pytest.approx((81 + 256) / 2)
