from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nas.zerocost.base import NotScored
from nas.zerocost.readout import probe, smooth
from tests.zerocost.small import Nodewise, given, small

VALID = torch.arange(0, 60, 3)
SAME = Nodewise(torch.nn.Identity())


def clouds(distance: float) -> tuple[Tensor, Tensor]:
    """Three classes around the corners of a triangle."""
    rng = torch.Generator().manual_seed(0)
    y = torch.randint(3, (60,), generator=rng)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]) * distance
    return corners[y] + torch.randn(60, 2, generator=rng), y


def test_separable_classes_are_all_found():
    assert probe(SAME, given(*clouds(30), valid=VALID)) == 1


def test_one_cloud_tells_nothing():
    assert probe(SAME, given(*clouds(0), valid=VALID)) < 0.6


def test_a_linear_target_is_found_to_the_ridge():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]])
    assert -0.05 < probe(SAME, given(x, y, valid=VALID)) < 0
    noise = torch.randn(60, 1, generator=torch.Generator().manual_seed(1))
    assert probe(SAME, given(x, noise, valid=VALID)) == pytest.approx(-noise[VALID].std().item(), rel=0.3)


def test_labels_that_are_not_known_do_not_count():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    y = torch.cat([x[:, :1], torch.full((60, 1), torch.nan)], dim=1)
    y[7], y[VALID[3]] = torch.nan, torch.nan
    assert -0.15 < probe(SAME, given(x, y, valid=VALID)) < 0


def test_outputs_that_are_alike_give_the_most_frequent_class():
    y = torch.tensor([0, 0, 0, 1, 1, 0, 1])
    assert probe(SAME, given(torch.ones(7, 2), y, valid=torch.tensor([4, 5, 6]))) == pytest.approx(1 / 3)


def ring(nodes: int) -> Tensor:
    here = torch.arange(nodes)
    there = (here + 1) % nodes
    return torch.stack([torch.cat([here, there]), torch.cat([there, here])])


def test_smoothness_is_one_where_linked_nodes_are_equal_and_minus_one_where_they_are_opposite():
    y = torch.zeros(8, 1)
    two_rings = torch.cat([ring(4), ring(4) + 4], dim=1)
    assert smooth(SAME, given(torch.arange(8.0).div(4).floor()[:, None], y, two_rings)) == pytest.approx(1)
    assert smooth(SAME, given(torch.arange(8.0).remainder(2)[:, None], y, ring(8))) == pytest.approx(-1)


def test_smoothness_is_the_correlation_along_the_edges():
    """As of all pairs of ends, in both directions."""
    rng = torch.Generator().manual_seed(0)
    edges = torch.randint(20, (2, 50), generator=rng)
    edges = torch.cat([edges, edges.flip(0)], dim=1)
    x = torch.randn(20, 2, generator=rng)
    x = torch.cat([x, torch.ones(20, 1)], dim=1)  # a column that stands still does not count
    r = [torch.corrcoef(torch.stack([x[edges[0], k], x[edges[1], k]]))[0, 1].item() for k in range(2)]
    assert smooth(SAME, given(x, torch.zeros(20, 3), edges)) == pytest.approx(sum(r) / 2, rel=1e-4)


def test_without_edges_or_differences_there_is_no_smoothness():
    with pytest.raises(NotScored, match="there are no edges"):
        smooth(SAME, given(torch.randn(4, 1), torch.zeros(4, 1)))
    with pytest.raises(NotScored, match="the outputs of all nodes are alike"):
        smooth(SAME, given(torch.ones(4, 1), torch.zeros(4, 1), ring(4)))


class Mean(torch.nn.Module):
    """No layer on nodes at all."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        return torch.zeros(int(batch.max()) + 1, x.size(1)).index_add_(0, batch, x)[:, :3]


def test_graphs_without_a_layer_on_nodes_have_no_smoothness():
    with pytest.raises(NotScored, match="no layer on nodes"):
        smooth(Mean(), small("graph", "regression"))


def test_numbers_that_are_none_are_said():
    task = given(*clouds(1), valid=VALID)
    broken = replace(task.train[0], x=task.train[0].x * torch.nan)
    with pytest.raises(NotScored, match="too large, or not numbers"):
        probe(SAME, replace(task, train=(broken,)))
