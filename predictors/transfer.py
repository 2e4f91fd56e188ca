"""What was found on other data sets, for one of which little is known yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from nas.predictors.base import Array

NEAR = 0.5
"""Of the distances between data sets, in deviations of their statistics: at so many a source counts two fifths less."""
SINGLE = 0.3
"""What a source may add on its own, beside the weighted mean of all of them."""
EVEN = 0.3
"""So much of that is shared evenly: which sources turn out to be of use cannot be said for sure."""


class Prior(Protocol):
    """What is expected of architectures on a data set before any was tried there."""

    def features(self, architectures: Sequence[Any]) -> Array:
        """``[items, numbers]``, of which a predictor learns weights; larger promises more."""
        ...

    def first(self, n: int) -> Sequence[Any]:
        """So many architectures, those of which most is expected, best first."""
        ...


@dataclass(frozen=True, eq=False)
class Experience:
    """How architectures of a space did on other data sets, the sources. Never on the one at hand.

    Attributes:
        sources: names of the data sets.
        statistics: ``[sources, numbers]``, what is easily said of each: the logarithms of its size, mean degree,
            features and classes.
        own: ``[numbers]``, the same of the data set at hand.
        scores: from architectures to ``[items, sources]``: normal scores of their quality there.
        best: from a number to so many architectures, best first by given ``[sources]`` weights.
    """

    sources: tuple[str, ...]
    statistics: Array
    own: Array
    scores: Callable[[Sequence[Any]], Array]
    best: Callable[[int, Array], Sequence[Any]]

    @cached_property
    def weights(self) -> Array:
        """``[sources]``, how much each is expected to say, in all 1: the more, the more alike its statistics are."""
        every = np.concatenate([self.statistics, self.own[None]])
        scaled = (every - every.mean(0)) / np.maximum(every.std(0), 1e-9)
        squares = ((scaled[:-1] - scaled[-1]) ** 2).mean(1)
        weights: Array = np.exp((squares.min() - squares) / (2 * NEAR**2))
        shares: Array = weights / weights.sum()
        return shares

    def prior(self, architectures: Sequence[Any]) -> Array:
        """``[items]``, what is expected of each here before anything was tried: larger is better."""
        expected: Array = self.scores(architectures) @ self.weights
        return expected

    def features(self, architectures: Sequence[Any]) -> Array:
        """``[items, 1 + sources]``: of these a predictor learns weights, expecting that the first has the most to say.

        They are the prior, and the score on each source, the smaller the less it resembles the data set at hand.
        """
        scores = self.scores(architectures)
        trust = np.sqrt((1 - EVEN) * self.weights * len(self.weights) + EVEN)
        prior = scores @ self.weights / np.linalg.norm(self.weights)  # about as variable as one source
        return np.concatenate([prior[:, None], SINGLE * trust * scores], axis=1).astype(np.float32)

    def first(self, n: int) -> Sequence[Any]:
        """So many architectures, those of which most is expected, best first."""
        return self.best(n, self.weights)
