"""How well one order agrees with another: rank correlations, hit rate, bootstrap intervals, rank sums.

Larger numbers are better everywhere. What is no number, such as a missing score, is worse than all numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95
BEST = 0.1
"""The share of the items that counts as the best."""


@dataclass(frozen=True)
class Statistic:
    """A number that says how well scores agree with the truth; NaN where it is not defined.

    Attributes:
        over: from scores ``[n]``, truth ``[n]`` and counts ``[resamples, n]`` (how often each item was drawn) to the
            statistic of every resample, ``[resamples]``.
    """

    over: Callable[[Numbers, Numbers, Numbers], Numbers]

    def __call__(self, scores: ArrayLike, truth: ArrayLike) -> float:
        a, b = _numbers(scores), _numbers(truth)
        return float(self.over(a, b, np.ones((1, len(a))))[0]) if len(a) else np.nan


@Statistic
def spearman(scores: Numbers, truth: Numbers, counts: Numbers) -> Numbers:
    """Pearson's correlation of the ranks, ties sharing their mean rank. Undefined where one of the two is constant."""
    a, b = _ranks(scores, counts), _ranks(truth, counts)
    size = counts.sum(1, keepdims=True)
    a, b = (r - (counts * r).sum(1, keepdims=True) / size for r in (a, b))
    return _ratio((counts * a * b).sum(1), (counts * a * a).sum(1) * (counts * b * b).sum(1))


@Statistic
def kendall(scores: Numbers, truth: Numbers, counts: Numbers) -> Numbers:
    """Tau-b: agreeing less disagreeing pairs, over the geometric mean of the pairs that each of the two tells apart.

    Undefined where one of the two is constant.
    """
    a, b = _signs(scores), _signs(truth)
    agree, of_a, of_b = ((counts @ pairs * counts).sum(1) for pairs in (a * b, a * a, b * b))
    return _ratio(agree, of_a * of_b)


@Statistic
def hit_rate(scores: Numbers, truth: Numbers, counts: Numbers) -> Numbers:
    """The share of the best tenth by score that is in the best tenth by truth. A tenth is rounded, and at least one.

    Of items with the same score at the border of the tenth each counts with its chance to be drawn. By truth all that
    are as good as the worst of the tenth belong to it. Undefined where the score is constant.
    """
    found = np.empty(len(counts))
    for row, count in enumerate(counts.astype(int)):
        s, t = np.repeat(scores, count), np.repeat(truth, count)
        k = max(1, round(BEST * len(s)))
        border = np.partition(s, -k)[-k]
        above, at = s > border, s == border
        chance = above + at * (k - above.sum()) / at.sum()
        hits = (chance * (t >= np.partition(t, -k)[-k])).sum() / k
        found[row] = hits if s.min() < s.max() else np.nan
    return found


def interval(statistic: Statistic, scores: ArrayLike, truth: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """The ends of the middle 95 % of the statistic over bootstrap resamples of the items.

    Resamples for which it is not defined are left out; the ends are NaN where it is defined for none.
    """
    a, b = _numbers(scores), _numbers(truth)
    drawn = statistic.over(a, b, _resamples(len(a), seed)) if len(a) else np.empty(0)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return np.nan, np.nan
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


def estimate(statistic: Statistic, scores: ArrayLike, truth: ArrayLike, seed: int = 0) -> Estimate:
    """The statistic and its interval."""
    return Estimate(statistic(scores, truth), *interval(statistic, scores, truth, seed))


def rank_sum(columns: Mapping[str, Sequence[float]], weights: Mapping[str, float] | None = None) -> list[float]:
    """For each item the sum of its ranks by every column, 1 being the best; ties share their mean rank.

    The ranks by a column count as its weight says, which is 1 by default.

    Chen, Gong and Wang, "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021 (arXiv
    2102.11535), combine two proxies so.
    """
    from scipy.stats import rankdata

    weights = weights or {}
    ranks = [weights.get(name, 1.0) * rankdata(-_numbers(column)) for name, column in columns.items()]
    return [float(total) for total in np.sum(ranks, axis=0)]


def _numbers(values: ArrayLike) -> Numbers:
    found = np.asarray(values, dtype=float)
    return np.where(np.isnan(found), -np.inf, found)


def _resamples(n: int, seed: int) -> Numbers:
    """``[resamples, n]``: how often each of ``n`` items is among ``n`` draws with replacement."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)


def _ranks(values: Numbers, counts: Numbers) -> Numbers:
    """``[resamples, n]``: the mean rank of each item in each resample, 1 being the smallest of single ones."""
    below = (values[None, :] < values[:, None]) + 0.5 * (values[None, :] == values[:, None])
    ranks: Numbers = counts @ below.T + 0.5
    return ranks


def _signs(values: Numbers) -> Numbers:
    """``[n, n]``: 1, 0 or -1 where the first of a pair is larger, as large, smaller."""
    return (values[:, None] > values[None, :]).astype(float) - (values[:, None] < values[None, :])


def _ratio(part: Numbers, squares: Numbers) -> Numbers:
    """``part`` over the root of ``squares``; NaN where that is nothing but rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares > 1e-9, np.clip(part / np.sqrt(squares), -1, 1), np.nan)
