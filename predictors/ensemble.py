"""A deep ensemble as a predictor. Uses JAX."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nas.predictors.base import Array, Encoding

COMPONENTS = 128
"""Principal components that the members see, at most: a fit takes a third of the time and ranks as well."""


class Ensemble:
    """A deep ensemble: small perceptrons on the principal components of the features, trained together.

    Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017 (arXiv 1612.01474); as a predictor of architectures White,
    Neiswanger and Savani, "BANANAS", AAAI 2021 (arXiv 1910.11858). See ``nas.predictors.committee`` for how the members
    differ and how sure they are.

    Args:
        seed: of the members' weights and of the items that each sees.
    """

    encoding: ClassVar[Encoding] = "columns"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def fit(self, inputs: Array, values: Array) -> None:
        from nas.predictors.committee import Committee
        from nas.predictors.perceptron import PERCEPTRON

        self._committee = Committee(PERCEPTRON, self._seed)
        self._centre = inputs.mean(0)
        _, _, axes = np.linalg.svd(inputs - self._centre, full_matrices=False)
        size = min(COMPONENTS, inputs.shape[1])
        kept = axes[:size]
        self._axes = np.zeros((inputs.shape[1], size), np.float32)  # one shape, however few items there are
        self._axes[:, : len(kept)] = kept.T
        self._committee.fit(self._components(inputs), values)

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        return self._committee.predict(self._components(inputs))

    def _components(self, inputs: Array) -> Array:
        """``[items, components]``, with a total variance of one for each column of the inputs."""
        components: Array = (inputs - self._centre) @ self._axes * inputs.shape[1] ** 0.5
        return components.astype(np.float32)
