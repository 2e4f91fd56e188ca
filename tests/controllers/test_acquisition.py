"""Acquisitions against closed forms, and against what random numbers say."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.acquisition import (
    expected_hypervolume_improvement,
    expected_improvement,
    nearby,
    thompson,
    upper_bound,
)

DRAWS = 200_000


def test_the_expected_improvement_at_the_best_is_a_known_share_of_the_deviation() -> None:
    found = expected_improvement(np.array([0.0, 0.0]), np.array([1.0, 3.0]), 0.0)
    assert found == pytest.approx([1 / np.sqrt(2 * np.pi), 3 / np.sqrt(2 * np.pi)])


def test_an_improvement_that_is_certain_is_the_difference() -> None:
    assert expected_improvement(np.array([2.0]), np.array([1e-9]), 0.5) == pytest.approx([1.5])
    assert expected_improvement(np.array([0.0]), np.array([1e-9]), 0.5) == pytest.approx([0.0])


@given(st.floats(-3, 3), st.floats(0.01, 3), st.floats(-3, 3))
def test_the_expected_improvement_is_never_less_than_that_of_the_mean(
    mean: float, deviation: float, best: float
) -> None:
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    assert found >= max(mean - best, 0) - 1e-9


def test_the_upper_bound_adds_deviations() -> None:
    assert upper_bound(np.array([1.0]), np.array([2.0]), 0.5) == pytest.approx([2.0])


def test_thompson_draws_have_the_mean_and_the_deviation() -> None:
    drawn = thompson(np.full(DRAWS, 2.0), np.full(DRAWS, 0.5), random.Random(0))
    assert drawn.mean() == pytest.approx(2.0, abs=0.01)
    assert drawn.std() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("front", [[], [[1.0, 1.0]], [[0.0, 2.0], [1.0, 1.0], [2.0, -0.5]], [[5.0, -9.0]]])
def test_the_expected_gain_of_area_is_the_mean_gain_of_draws(front: list[list[float]]) -> None:
    points, reference = np.array(front).reshape(-1, 2), np.array([-1.0, -1.0])
    means, deviations = np.array([[0.5], [0.8]]), np.array([[0.7], [0.4]])
    drawn = means[:, 0] + deviations[:, 0] * np.random.default_rng(0).standard_normal((20_000, 2))
    before = area(points, reference)
    gains = [area(np.concatenate([points, point[None]]), reference) - before for point in drawn]
    found = expected_hypervolume_improvement(means, deviations, points, reference)
    assert found == pytest.approx([np.mean(gains)], rel=0.05)


def area(points: np.ndarray, reference: np.ndarray) -> float:
    """What the points dominate above the reference: columns from the right."""
    total, height = 0.0, reference[1]
    for x, y in sorted(map(tuple, points), reverse=True):
        if x > reference[0] and y > height:
            total += (x - reference[0]) * (y - height)
            height = y
    return total


def test_what_is_near_to_what_is_tried_is_worth_less() -> None:
    factor = nearby(np.array([[0.0, 1.0, 100.0]]), [0.0], [1.0], best=1.0, slope=1.0)
    assert factor[0] < factor[1] < factor[2]
    assert factor[2] == pytest.approx(1)
    assert factor[0] == pytest.approx(0.1587, abs=1e-4)  # the best is one deviation above it
