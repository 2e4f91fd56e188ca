"""By how much a predictor is too sure of itself, or not sure enough."""

from __future__ import annotations

import math

import numpy as np

from nas.predictors.base import Array

COVERED = 0.9
"""Of the values should lie within ``WITHIN`` deviations of the mean, as of a normal distribution."""
WITHIN = 1.645
BELIEF = 10
"""Items that count for the predictor's own deviation."""


def factor(values: Array, mean: Array, deviation: Array) -> float:
    """What deviations are to be multiplied by, so that nine in ten of the values lie within 1.645 of them.

    The values must be new to whatever said ``mean`` and ``deviation``. The one number is the quantile of the errors in
    units of the deviation, as in split conformal prediction (Papadopoulos et al., ECML 2002) and, for the whole
    distribution, in Kuleshov, Fenner and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression",
    ICML 2018; of few items it is drawn towards 1, because a high quantile of them is mostly chance.
    """
    items = len(values)
    least = 1e-3 * float(np.sqrt(np.mean(np.square(deviation)))) if items else 0.0
    if least == 0:
        return 1.0
    errors = np.sort(np.abs(values - mean) / np.maximum(deviation, least))
    found = float(errors[min(items, math.ceil(COVERED * (items + 1))) - 1]) / WITHIN
    return math.exp(items / (items + BELIEF) * math.log(max(found, 1e-3)))
