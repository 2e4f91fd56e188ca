"""Regularised evolution: a queue of the youngest architectures, mutated from tournaments."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

from nas.controllers.base import Counted, Problem, Trial, at_least
from nas.searchspace.errors import BadInput


class Evolution(Counted):
    """Regularised evolution: mutates the best of a random handful and lets the oldest die.

    Real, Aggarwal, Huang and Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019
    (arXiv 1802.01548), Algorithm 1. Here a tournament holds distinct members, and the default sizes are smaller
    than the paper's 100 and 25: searches of a few hundred trials are better with them. A failed trial enters the
    population below all others, so that it ages and dies like them.

    Args:
        population: architectures alive at a time; that many random ones come first.
        sample: how many meet in a tournament.
    """

    def __init__(self, problem: Problem, *, population: int = 20, sample: int = 5) -> None:
        super().__init__(problem)
        at_least(1, population=population, sample=sample)
        if sample > population:
            raise BadInput(f"evolution cannot sample {sample} rivals from a population of {population}; lower sample")
        self.size = population
        self.sample = sample
        self.population: deque[tuple[float, Any]] = deque(maxlen=population)

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        first = self.proposed < self.size or not self.population
        rng = self.next_rng()
        if first:
            return self.space.sample(rng)
        rivals = rng.sample(list(self.population), min(self.sample, len(self.population)))
        _, parent = max(rivals, key=lambda member: member[0])
        try:
            return self.space.mutate(parent, rng)
        except BadInput:  # nothing in the parent can change
            return self.space.sample(rng)

    def tell(self, trials: Sequence[Trial]) -> None:
        self.heard(trials)
        for trial in trials:
            self.population.append((-math.inf if trial.values is None else trial.values[0], trial.architecture))
