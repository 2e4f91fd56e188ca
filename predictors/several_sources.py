"""What is learned from several sources at once, in each of which the same may be worth something else."""

from __future__ import annotations

import numpy as np

from nas.predictors.base import Array
from nas.predictors.forest import Forest

TOGETHER, ALONE = 300, 100
"""Trees."""


class SeveralSources:
    """What two say on the mean: a forest that learned from all sources together, and the vote of one for each.

    Together there are more items, and what holds everywhere is found with few of them; alone a source is not disturbed
    by what holds elsewhere. In the vote a source has as much to say as its items weigh. Of data sets as sources, the
    mean ranked those left out about as well as the better of the two, where that was the one and where it was the
    other.
    """

    def fit(self, inputs: Array, values: Array, sources: Array, weights: Array) -> None:
        """Learn.

        Args:
            inputs: ``[items, columns]``.
            values: ``[items]``, noisy.
            sources: ``[items]``, the number of the source of each.
            weights: ``[items]``, what each counts.
        """
        several = [sources == number for number in np.unique(sources)]
        self._votes = [float(weights[mine].sum()) for mine in several]
        self._together = _grown(TOGETHER, inputs, values, weights)
        self._each = [_grown(ALONE, inputs[mine], values[mine], weights[mine]) for mine in several]

    def predict(self, inputs: Array) -> Array:
        """``[items]``."""
        return (self._together.predict(inputs)[0] + self.voted(inputs)) / 2

    def voted(self, inputs: Array) -> Array:
        """``[items]``, what the sources say that were learned from alone."""
        each = [forest.predict(inputs)[0] for forest in self._each]
        vote: Array = np.average(each, axis=0, weights=self._votes)
        return vote


def _grown(trees: int, inputs: Array, values: Array, weights: Array) -> Forest:
    forest = Forest(trees=trees, leaf=2)
    forest.fit(inputs, values, weights)
    return forest
