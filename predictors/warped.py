"""A predictor of ranks that answers in the units of the values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.predictors.base import Array, Predictor


class Warped:
    """Learns normal scores of the ranks of values, for values with far outliers, as search has them.

    A network that fails to learn is no better known for being far below the others, yet in its own units it would
    decide all that is learned. The scores are the normal quantiles of (rank - 1/2) / items, and equals share theirs;
    Salinas, Shen and Perrone, "A Quantile-based Approach for Hyperparameter Transfer Learning", ICML 2020 (arXiv
    1909.13595). What is predicted comes back through the quantile function of the values, linear between them and
    beyond the best and the worst, with the slope from the median to these. The deviation is half the distance between
    what becomes of the mean less, and more, the deviation.

    Args:
        predictor: of the scores.

    Attributes:
        predictor: the same, fitted to scores: its answers are those to compare architectures by.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def fit(self, architectures: Sequence[Any], values: Array) -> None:
        values = np.asarray(values, np.float64)
        finite = values.ndim == 1 and bool(np.isfinite(values).all())
        self.predictor.fit(architectures, scores(values) if finite else values)  # which says what is wrong
        self._values, first = np.unique(values, return_index=True)
        self._scores = scores(values)[first]
        self._slopes = _slopes(values, self._scores)

    def predict(self, architectures: Sequence[Any]) -> tuple[Array, Array]:
        mean, deviation = self.predictor.predict(architectures)
        return self.back(mean), (self.back(mean + deviation) - self.back(mean - deviation)) / 2

    def back(self, scored: Array) -> Array:
        """From scores to values, in the same order."""
        inside = np.interp(scored, self._scores, self._values)
        below = np.minimum(scored - self._scores[0], 0) * self._slopes[0]
        above = np.maximum(scored - self._scores[-1], 0) * self._slopes[1]
        return np.asarray(inside + below + above)


def scores(values: Array) -> Array:
    """Normal scores of ``[items]``: the standard normal quantiles of their ranks."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return np.asarray(ndtri((rankdata(values) - 0.5) / max(1, len(values))))


def _slopes(values: Array, scored: Array) -> tuple[float, float]:
    """Of the quantile function below the worst and above the best."""
    median = float(np.median(values))
    low, high = (median - values.min()) / -scored[0] if scored[0] < 0 else 0.0, 0.0
    if scored[-1] > 0:
        high = (values.max() - median) / scored[-1]
    return float(low), float(high)
