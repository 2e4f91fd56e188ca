"""A random forest as a predictor. Imports scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from nas.predictors.base import Array

SHARE = 1 / 3
"""Of the features, so many are looked at for a split: Breiman's advice for regression."""


class Forest:
    """Trees grown in full on bootstrap samples: Breiman, "Random Forests", Machine Learning 45, 2001.

    The deviation is that of the trees' predictions, as in Hutter, Hoos and Leyton-Brown, "Sequential Model-Based
    Optimization for General Algorithm Configuration", LION 2011, section 4.1.

    Args:
        trees: how many.
        seed: of the samples and the features looked at.

    Attributes:
        held_out: ``[items]``, for each item learned from what the trees say that did not see it (out of bag).
    """

    def __init__(self, trees: int = 100, seed: int = 0) -> None:
        self._trees, self._seed = trees, seed
        self.held_out: Array = np.zeros(0)

    def fit(self, features: Array, values: Array) -> None:
        self._forest = RandomForestRegressor(
            self._trees, max_features=SHARE, bootstrap=True, oob_score=True, n_jobs=1, random_state=self._seed % 2**32
        )
        self._forest.fit(features, values)
        self.held_out = self._forest.oob_prediction_

    def predict(self, features: Array) -> tuple[Array, Array]:
        rows = np.asarray(features, np.float32)  # as the trees have them
        said = np.stack([tree.predict(rows, check_input=False) for tree in self._forest.estimators_])
        return said.mean(0), said.std(0)
