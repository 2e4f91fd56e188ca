"""Ranks are learned and values come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.predictors.base import Array
from nas.predictors.calibration import factor
from nas.predictors.warped import Warped, scores


class Recalls:
    """Says what it was told, with a deviation of one half."""

    def fit(self, architectures: Any, values: Array) -> None:
        self.known = dict(zip(architectures, values, strict=True))

    def predict(self, architectures: Any) -> tuple[Array, Array]:
        return np.array([self.known.get(a, a) for a in architectures], float), np.full(len(architectures), 0.5)


def test_scores_are_normal_quantiles_and_equals_share_theirs() -> None:
    found = scores(np.array([5.0, 1.0, 5.0, 9.0]))
    assert found == pytest.approx([0, -1.15035, 0, 1.15035], abs=1e-4)  # quantiles 1/8, 1/2 and 7/8


def test_what_was_learned_comes_back_whatever_the_outliers() -> None:
    values = np.array([0.7, -50.0, 0.71, 0.69, 0.75, 0.71])
    warped = Warped(Recalls())
    warped.fit(list("abcdef"), values)
    mean, deviation = warped.predict(list("abcdef"))
    assert mean == pytest.approx(values)
    assert bool((deviation > 0).all())
    assert deviation[4] < 0.1 < deviation[1]
    back = warped.back(np.linspace(-4, 4, 50))
    assert bool((np.diff(back) > 0).all()), "better scores are better values, beyond the best and the worst too"
    assert back[0] < -50


def test_the_deviation_is_half_of_what_becomes_of_the_interval() -> None:
    values = np.arange(101.0)
    warped = Warped(Recalls())
    warped.fit(range(1000, 1101), values)
    mean, deviation = warped.predict([0])  # a score of zero: the median
    assert mean[0] == pytest.approx(50)
    assert deviation[0] == pytest.approx(101 * 0.1915, abs=0.3)  # the normal distribution between 0 and 1/2


def test_the_factor_makes_nine_in_ten_lie_within_the_interval() -> None:
    rng = np.random.default_rng(0)
    errors, new = rng.standard_normal(5000), rng.standard_normal(5000)
    for said in (0.2, 1.0, 7.0):
        found = factor(errors, np.zeros(5000), np.full(5000, said))
        assert found * said == pytest.approx(1, abs=0.05)
        assert (np.abs(new) < 1.645 * found * said).mean() == pytest.approx(0.9, abs=0.03)
    assert factor(np.zeros(0), np.zeros(0), np.zeros(0)) == factor(np.ones(3), np.ones(3), np.zeros(3)) == 1
    assert 1 < factor(np.full(2, 10.0), np.zeros(2), np.ones(2)) < 2, "two items say little"
