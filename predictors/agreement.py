"""Whether predictions rank as values do, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nas.predictors.base import Array


def spearman(predicted: Array | Sequence[float], values: Array | Sequence[float]) -> float:
    """The rank correlation of two ``[items]``, equals sharing their ranks; 0 where one of them is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(predicted), rankdata(values)
    if len(a) < 2 or a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))


def lower_end(correlation: float, items: int) -> float:
    """The lower end of the 95 % interval of a rank correlation of so many items; -1 of fewer than four.

    Fisher's z with the variance 1.06 / (items - 3): Fieller, Hartley and Pearson, "Tests for Rank Correlation
    Coefficients", Biometrika 44, 1957.
    """
    if items < 4:
        return -1.0
    z = math.atanh(min(max(correlation, -1 + 1e-12), 1 - 1e-12))
    return math.tanh(z - 1.96 * math.sqrt(1.06 / (items - 3)))
