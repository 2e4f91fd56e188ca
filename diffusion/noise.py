"""The noise that architectures are hidden in: a variance-exploding stochastic differential equation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Noise:
    """``sigma(t) = low (high / low)^t``: Song et al., ICLR 2021 (arXiv 2011.13456), equation 30, with the limits of An
    et al., "DiffusionNAG", ICLR 2024 (arXiv 2305.16943).

    Attributes:
        low, high: deviation at t = 0 and t = 1; an architecture's entries are 1 and -1.
    """

    low: float = 0.1
    high: float = 5.0

    def levels(self, steps: int) -> NDArray[np.float32]:
        """``[steps + 1]`` deviations from ``high`` down to ``low``, equal in their ratio."""
        return np.geomspace(self.high, self.low, steps + 1).astype(np.float32)

    @property
    def rate(self) -> float:
        """``ln(high / low)``; the squared diffusion coefficient is ``2 sigma(t)^2`` times it."""
        return math.log(self.high / self.low)
