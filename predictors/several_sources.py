"""What is learned from several sources at once, in each of which the same may be worth something else."""

from __future__ import annotations

import numpy as np

from nas.predictors.base import Array
from nas.predictors.forest import Forest


class SeveralSources:
    """What two say on the mean: a forest that learned from all sources together, and the vote of one for each.

    Together there are more items, and what holds everywhere is found with few of them; alone a source is not disturbed
    by what holds elsewhere. In the vote a source has as much to say as it has items. Of data sets as sources, the mean
    ranked those left out about as well as the better of the two, where that was the one and where it was the other.
    """

    def fit(self, inputs: Array, values: Array, sources: Array) -> None:
        """Learn.

        Args:
            inputs: ``[items, columns]``.
            values: ``[items]``, noisy.
            sources: ``[items]``, the number of the source of each.
        """
        numbers, self._items = np.unique(sources, return_counts=True)
        self._together = _grown(inputs, values)
        self._each = [_grown(inputs[sources == number], values[sources == number]) for number in numbers]

    def predict(self, inputs: Array) -> Array:
        """``[items]``."""
        each = [forest.predict(inputs)[0] for forest in self._each]
        return (self._together.predict(inputs)[0] + np.average(each, axis=0, weights=self._items)) / 2


def _grown(inputs: Array, values: Array) -> Forest:
    forest = Forest(trees=300, leaf=2)
    forest.fit(inputs, values)
    return forest
