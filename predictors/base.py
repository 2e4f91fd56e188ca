"""The contract of a predictor: from architectures as numbers to how good they are, and how sure that is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Predictor(Protocol):
    """Learns values, larger or smaller being better as the values have it, from features."""

    def fit(self, features: Array, values: Array) -> None:
        """Learn from ``[items, features]`` and ``[items]`` and from nothing that was learned before."""
        ...

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the value of each item, ``[items]`` each."""
        ...
