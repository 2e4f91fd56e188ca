"""How much each of the other data sets has to say, and what follows for architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.predictors.transfer import Experience

NUMBERS = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


def experience(statistics: Any, own: Any, scores: Any = None) -> Experience:
    """Architectures are numbers of rows of scores."""
    known = np.zeros((1, len(statistics))) if scores is None else np.array(scores, float)

    def best(n: int, weights: Any) -> Sequence[Any]:
        return [int(i) for i in np.argsort(-(known @ weights), kind="stable")[:n]]

    names = tuple(f"source {i}" for i in range(len(statistics)))
    return Experience(names, np.array(statistics, float), np.array(own, float), lambda rows: known[list(rows)], best)


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS)
def test_weights_are_shares_and_the_more_alike_the_larger(statistics: Any, own: Any) -> None:
    found = experience(statistics, own)
    weights, every = found.weights, np.array([*statistics, own])
    assert weights.shape == (len(statistics),)
    assert weights.sum() == pytest.approx(1)
    assert bool((weights >= 0).all())
    spread = np.maximum(every.std(0), 1e-9)
    distances = np.linalg.norm((every[:-1] - every[-1]) / spread, axis=1)
    by_distance = weights[np.argsort(distances, kind="stable")]
    assert bool((np.diff(by_distance) <= 1e-6).all())


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6), NUMBERS, st.permutations(range(3)))
def test_neither_the_units_of_statistics_nor_their_order_matters(statistics: Any, own: Any, order: Any) -> None:
    units, whole = np.array([1.0, 8.0, 0.25]), np.array([*statistics, own]).round(2)
    other = whole[:, order] * units
    assert experience(other[:-1], other[-1]).weights == pytest.approx(experience(whole[:-1], whole[-1]).weights)


def test_equal_statistics_give_equal_weights() -> None:
    assert experience([[1, 2]] * 4, [1, 2]).weights == pytest.approx([0.25] * 4)
    assert experience([[1, 2]] * 4, [7, -3]).weights == pytest.approx([0.25] * 4)
    assert experience([[0], [2]], [1]).weights == pytest.approx([0.5, 0.5])


def test_a_source_that_is_far_away_has_next_to_no_weight() -> None:
    weights = experience([[1, 1], [1.1, 0.9], [9, 9]], [1, 1.05]).weights
    assert weights[2] < 0.001
    assert min(weights[:2]) > 0.4


def test_the_prior_is_the_weighted_mean_of_the_scores() -> None:
    found = experience([[0.0], [0.2], [9.0]], [0.1], [[1, 1, -5], [2, 0, 3], [-1, 2, 0], [0, 0, 0]])
    assert found.weights == pytest.approx([0.5, 0.5, 0], abs=1e-3)
    assert found.prior([0, 1, 2, 3]) == pytest.approx([1, 1, 0.5, 0], abs=0.01)
    assert found.prior([2]).shape == (1,)


def test_features_are_the_prior_and_a_column_for_each_source() -> None:
    scores = np.random.default_rng(0).standard_normal((500, 3))
    found = experience([[0.0], [0.2], [9.0]], [0.1], scores)
    features = found.features(range(500))
    assert features.shape == (500, 4)
    assert features.dtype == np.float32
    assert np.corrcoef(features[:, 0], found.prior(range(500)))[0, 1] == pytest.approx(1)
    deviations = features.std(0)
    assert deviations[0] == pytest.approx(1, abs=0.1), "of independent sources the prior varies as one of them"
    assert deviations[0] > 2 * max(deviations[1:]), "the prior has the most to say"
    assert 0 < deviations[3] < deviations[1] == pytest.approx(deviations[2], rel=0.2)
    for column in range(3):
        assert np.corrcoef(features[:, 1 + column], scores[:, column])[0, 1] == pytest.approx(1)


def test_the_first_are_those_of_the_sources_that_are_alike() -> None:
    found = experience([[0.0], [9.0]], [0.1], [[0, 9], [3, -9], [2, 9], [1, 0]])
    assert list(found.first(3)) == [1, 2, 3]
    assert list(found.first(1)) == [1]
    expected = found.prior(found.first(4))
    assert bool((np.diff(expected) <= 0).all())
