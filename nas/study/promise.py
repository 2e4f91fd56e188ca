"""What is expected of architectures on a data set before any was tried, by what ships with this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.diffusion.conditioned import predicted
from nas.diffusion.generator import Generator
from nas.diffusion.guidance import Guide
from nas.predictors.base import Array
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.study.pretraining import pretrained

DRAWN = 1024
"""Draws among which the most promising are looked for."""


@dataclass(frozen=True, eq=False)
class Promise:
    """A prior that draws from a generator.

    Attributes:
        generator: of the space.
        guide: towards what is good on the data set.
    """

    generator: Generator
    guide: Guide

    def features(self, architectures: Sequence[Any]) -> Array:
        """``[items, 1]``, of unit deviation over the space."""
        return predicted(self.generator.rows, self.guide, architectures).astype(np.float32)

    def first(self, n: int) -> Sequence[Any]:
        """The best of those that are drawn, guided."""
        drawn = self.generator.draw(max(DRAWN, 2 * n), guide=self.guide).architectures
        order = np.argsort(-self.features(drawn)[:, 0], kind="stable")
        return [drawn[i] for i in order[:n]]


def promise(space: Space[Any], task: Task) -> Promise:
    """Of the pair that is shipped for a space.

    Raises:
        BadInput: if none is.
    """
    generator, guide = pretrained(space, task)
    return Promise(generator, guide)
