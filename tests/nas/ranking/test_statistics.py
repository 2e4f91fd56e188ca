"""Agreement of orders: closed forms, scipy as the independent implementation, and the laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.ranking.statistics import Estimate, estimate, hit_rate, interval, kendall, rank_sum, spearman

ALL = [spearman, kendall, hit_rate]
NAMES = ["spearman", "kendall", "hit rate"]
tied = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30)


@pytest.mark.parametrize(("statistic", "reversed_"), [(spearman, -1), (kendall, -1), (hit_rate, 0)], ids=NAMES)
def test_a_perfect_and_a_reversed_order(statistic, reversed_):
    truth = np.arange(20.0)
    assert statistic(truth**3, truth) == pytest.approx(1)
    assert statistic(-truth, truth) == pytest.approx(reversed_)


def test_known_numbers():
    """One swap in four: rho = 1 - 6 * 2 / (4 * 15), tau = (5 - 1) / 6."""
    assert spearman([1, 3, 2, 4], [1, 2, 3, 4]) == pytest.approx(0.8)
    assert kendall([1, 3, 2, 4], [1, 2, 3, 4]) == pytest.approx(2 / 3)


def test_ties_by_hand():
    """Ranks 1.5, 1.5, 3 against 1, 2, 3; two of three pairs told apart, both right."""
    assert spearman([0, 0, 1], [1, 2, 3]) == pytest.approx(1.5 / math.sqrt(1.5 * 2))
    assert kendall([0, 0, 1], [1, 2, 3]) == pytest.approx(2 / math.sqrt(2 * 3))


@given(tied)
@pytest.mark.parametrize(("statistic", "reference"), [(spearman, stats.spearmanr), (kendall, stats.kendalltau)])
def test_they_agree_with_scipy_also_on_ties_and_resamples(statistic, reference, rows):
    scores, truth = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    drawn = np.random.default_rng(0).integers(0, len(rows), len(rows))
    counts = np.bincount(drawn, minlength=len(rows))[None].astype(float)
    for s, t, found in (
        (scores, truth, statistic(scores, truth)),
        (scores[drawn], truth[drawn], statistic.over(scores, truth, counts)[0]),
    ):
        if len(set(s)) > 1 and len(set(t)) > 1:
            assert found == pytest.approx(reference(s, t).statistic)
        else:
            assert math.isnan(found)


@pytest.mark.parametrize("statistic", ALL, ids=NAMES)
def test_a_constant_score_agrees_with_nothing(statistic):
    found = estimate(statistic, [2.0] * 20, list(range(20)))
    assert all(map(math.isnan, (found.value, found.low, found.high)))


@pytest.mark.parametrize("statistic", ALL, ids=NAMES)
def test_of_nothing_and_of_one_nothing_is_known(statistic):
    assert math.isnan(statistic([], []))
    assert math.isnan(statistic([1.0], [1.0]))
    assert all(map(math.isnan, interval(statistic, [], [])))


@pytest.mark.parametrize("statistic", ALL, ids=NAMES)
def test_a_missing_score_is_the_worst(statistic):
    truth = list(range(20))
    scores = [math.nan, *range(100, 119)]
    assert statistic(scores, truth) == pytest.approx(1)
    assert statistic([*range(100, 119), math.nan], truth) < 1


def test_the_hit_rate_counts_the_best_tenth():
    truth = np.arange(40.0)
    scores = truth.copy()
    scores[[0, 1]] = 100, 101  # two of the four best by score are the worst
    assert hit_rate(scores, truth) == 0.5
    assert hit_rate(np.arange(5.0), np.array([0, 1, 2, 4, 3.0])) == 0  # of five the tenth is one


def test_scores_that_tie_at_the_border_count_with_their_chance():
    scores = np.repeat([0.0, 1.0], [12, 8])  # eight tie for two places
    truth = np.arange(20.0)
    assert hit_rate(scores, truth) == pytest.approx(2 / 8)
    assert hit_rate(truth, scores) == 1  # by truth all of them are as good as the best


def test_intervals_hold_their_value_and_are_the_same_for_the_same_seed():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=60)
    scores = truth + rng.normal(size=60)
    for statistic in ALL:
        found = estimate(statistic, scores, truth, seed=3)
        assert found.low < found.value < found.high
        assert estimate(statistic, scores, truth, seed=3) == found
    assert estimate(spearman, scores, truth, seed=4) != estimate(spearman, scores, truth, seed=3)
    assert isinstance(estimate(spearman, scores, truth), Estimate)


def test_an_interval_of_no_correlation_is_as_wide_as_theory_says():
    """The standard deviation of Spearman's rho of independent orders is 1 / sqrt(n - 1)."""
    rng = np.random.default_rng(0)
    low, high = interval(spearman, rng.normal(size=60), rng.normal(size=60))
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(59), rel=0.2)


def test_a_perfect_order_has_no_spread():
    assert interval(spearman, range(20), range(20)) == pytest.approx((1, 1))


def test_rank_sums():
    assert rank_sum({"one": [3.0, 2.0, 1.0]}) == [1, 2, 3]
    assert rank_sum({"one": [3, 2, 1], "two": [1, 2, 3]}) == [4, 4, 4]
    assert rank_sum({"one": [3, 2, 1], "two": [1, 2, 3]}, {"one": 2}) == [5, 6, 7]
    assert rank_sum({"one": [1, 1, 0]}) == [1.5, 1.5, 3]
    assert rank_sum({"one": [math.nan, 5, math.nan], "two": [7, 8, 9]}) == [5.5, 3, 3.5]
