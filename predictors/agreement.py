"""Whether predictions rank as values do, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nas.predictors.base import Array

VARIANCE = 1.06
"""Of Fisher's z of a rank correlation, times the items less 3."""
APART = 0.15
"""The least by which Fisher's z of data sets is thought to differ: a few that happen to agree do not prove more."""


def spearman(predicted: Array | Sequence[float], values: Array | Sequence[float]) -> float:
    """The rank correlation of two ``[items]``, equals sharing their ranks; 0 where one of them is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(predicted), rankdata(values)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))


def one_more(correlations: Sequence[float], items: Sequence[int]) -> tuple[float, int]:
    """What is expected of one more data set from rank correlations on others, each of so many items.

    It is returned as a correlation of as many items as make it as sure. Random effects: the variance of Fisher's z over
    data sets is the one seen less that of sampling (DerSimonian and Laird, "Meta-analysis in Clinical Trials",
    Controlled Clinical Trials 7, 1986, here with equal weights).
    """
    found, sampling = np.array([_z(r) for r in correlations]), np.mean([VARIANCE / max(n - 3, 1) for n in items])
    between = max(float(found.var(ddof=1) - sampling) if len(found) > 1 else 0.0, APART**2)
    variance = between + (between + float(sampling)) / len(found)
    return math.tanh(float(found.mean())), round(VARIANCE / variance) + 3


def pooled(first: tuple[float, int], second: tuple[float, int]) -> tuple[float, int]:
    """Two correlations, each of so many items, as one: the mean of Fisher's z, weighed by the inverse variances.

    One of fewer than four items says nothing.
    """
    weights = np.array([max(items - 3, 0) for _, items in (first, second)])
    if not weights.any():
        return 0.0, 0
    return math.tanh(float(np.average([_z(r) for r, _ in (first, second)], weights=weights))), int(weights.sum()) + 3


def lower_end(correlation: float, items: int) -> float:
    """The lower end of the 95 % interval of a rank correlation of so many items; -1 of fewer than four.

    Fisher's z with the variance 1.06 / (items - 3): Fieller, Hartley and Pearson, "Tests for Rank Correlation
    Coefficients", Biometrika 44, 1957.
    """
    if items < 4:
        return -1.0
    return math.tanh(_z(correlation) - 1.96 * math.sqrt(VARIANCE / (items - 3)))


def _z(correlation: float) -> float:
    return math.atanh(min(max(correlation, -1 + 1e-12), 1 - 1e-12))
