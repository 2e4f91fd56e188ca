"""A random forest as a predictor. Uses scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nas.predictors.base import Array, Encoding
from nas.predictors.calibration import factor

SHARE = 1 / 3
"""Of the features, so many are looked at for a split: Breiman's advice for regression."""


class Forest:
    """A random forest: trees grown in full on bootstrap samples.

    Breiman, "Random Forests", Machine Learning 45, 2001. The deviation is that of the trees' predictions, as in Hutter,
    Hoos and Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm Configuration", LION 2011, section
    4.1, times what makes it right for the items that trees did not see; see ``nas.predictors.calibration``.

    Args:
        trees: how many.
        leaf: items of a leaf, at the least; more than one where values are noisy.
        seed: of the samples and the features looked at.

    Attributes:
        held_out: ``[items]``, for each item learned from what the trees say that did not see it (out of bag).
    """

    encoding: ClassVar[Encoding] = "columns"

    def __init__(self, trees: int = 100, seed: int = 0, leaf: int = 1) -> None:
        self._trees, self._seed, self._leaf = trees, seed, leaf
        self.held_out: Array = np.zeros(0)

    def fit(self, inputs: Array, values: Array, weights: Array | None = None) -> None:
        """Learn.

        Args:
            inputs: ``[items, columns]``.
            values: ``[items]``.
            weights: ``[items]``, what each counts; all the same by default.
        """
        from sklearn.ensemble import RandomForestRegressor

        self._forest = RandomForestRegressor(
            self._trees,
            min_samples_leaf=self._leaf,
            max_features=SHARE,
            bootstrap=True,
            n_jobs=1,
            random_state=self._seed % 2**32,
        )
        self._forest.fit(inputs, values, weights)
        said, new = self._said(inputs), self._held_out(len(values))
        new |= ~new.any(0)  # an item that every tree saw, which a forest of a few items or trees has
        self.held_out = np.average(said, axis=0, weights=new)
        spread = np.sqrt(np.average((said - self.held_out) ** 2, axis=0, weights=new))
        self._factor = factor(np.asarray(values), self.held_out, spread)

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        said = self._said(inputs)
        return said.mean(0), self._factor * said.std(0)

    def _said(self, inputs: Array) -> Array:
        """``[trees, items]``."""
        rows = np.asarray(inputs, np.float32)  # as the trees have them
        return np.stack([tree.predict(rows, check_input=False) for tree in self._forest.estimators_])

    def _held_out(self, items: int) -> np.ndarray:
        """``[trees, items]``, whether a tree did not see an item."""
        new = np.ones((self._trees, items), bool)
        for row, seen in zip(new, self._forest.estimators_samples_, strict=True):
            row[seen] = False
        return new
