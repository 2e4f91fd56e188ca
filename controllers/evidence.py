"""What a predictor may know of an architecture besides its knobs and its network: scores, and other data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ScoreOf = Callable[[Any], Mapping[str, float]]
"""From an architecture to the scores of its untrained network; what has no score is absent."""


class Scores:
    """Zero-cost scores as a group of features, scaled by those of a few architectures.

    They enter as logarithms with their sign, for some are beyond single precision; what has no score is taken to be
    like the mean.

    Args:
        score: of one architecture; asked once for each.
        architectures: by which the scores are scaled.
        columns: the names of the scores.
    """

    def __init__(self, score: ScoreOf, architectures: Sequence[Any], columns: Sequence[str]) -> None:
        self._score, self._columns = score, tuple(columns)
        found = self._logs(architectures)
        some = np.isfinite(found).any(0)
        self._centre, self._scale = np.zeros(found.shape[1]), np.ones(found.shape[1])
        self._centre[some] = np.nanmean(found[:, some], 0)
        self._scale[some] = np.maximum(np.nanstd(found[:, some], 0), 1e-6) * math.sqrt(found.shape[1])

    def __call__(self, architectures: Sequence[Any]) -> NDArray[Any]:
        """``[items, scores]``."""
        return np.nan_to_num((self._logs(architectures) - self._centre) / self._scale).astype(np.float32)

    def _logs(self, architectures: Sequence[Any]) -> NDArray[Any]:
        rows = []
        for architecture in architectures:
            found = self._score(architecture)
            values = [found.get(column, math.nan) for column in self._columns]
            rows.append([math.copysign(math.log1p(abs(v)), v) for v in values])
        return np.array(rows, np.float64).reshape(len(rows), len(self._columns))
