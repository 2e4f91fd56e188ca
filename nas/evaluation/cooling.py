"""A training that runs out of time is brought to rest: its learning rate falls to zero before the time is over.

Most of the gain of a learning rate schedule comes from its last part, wherever a training ends (Hägele et al., "Scaling
Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024, section 3: constant, then cooled over
the last fifth or more). So a limit costs a slow network less than being cut off would, and one that is through its
epochs in time, or stops early, is trained as if there were no limit.
"""

from __future__ import annotations

import time

import torch

COOLED = 0.4
"""The last share of the time, in which the learning rate falls."""


class Cooling:
    """Watches the time of a training and lets its learning rate fall where the epochs will not fit.

    Args:
        optimiser: of the training; a scheduler may change its learning rates too.
        epochs: of the training.
        seconds: its limit from now on; None for none.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, epochs: int, seconds: float | None) -> None:
        self._optimiser, self._epochs, self._seconds = optimiser, epochs, seconds
        self._begin, self._factor = time.monotonic(), 1.0

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return self._spent() > 1.0

    def step(self, epoch: int) -> None:
        """Set the learning rate of the next step.

        Args:
            epoch: the present one, counted from 1.
        """
        spent = self._spent()
        if spent <= 1.0 - COOLED or epoch >= spent * self._epochs:
            return
        factor = min(self._factor, max(1e-3, (1.0 - spent) / COOLED))
        for group in self._optimiser.param_groups:
            group["lr"] *= factor / self._factor
        self._factor = factor

    def _spent(self) -> float:
        """The share of the time that is over."""
        return 0.0 if self._seconds is None else (time.monotonic() - self._begin) / self._seconds
