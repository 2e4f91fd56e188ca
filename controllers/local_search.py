"""Local search: climb from architecture to neighbour, and start again on every summit."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from nas.controllers.base import Counted, Problem, Trial, at_least


class LocalSearch(Counted):
    """First-improvement hill climbing from the best of some random starts, restarted on every local optimum.

    White, Nolen and Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021
    (arXiv 2005.02960). Where the paper evaluates all neighbours before it moves, this moves to the first better one:
    some spaces have hundreds. Neighbours come in a random order, and known ones are judged from memory. While
    neighbours are still being evaluated and none is left to propose, random architectures keep the workers busy.

    Everything follows from the trials in the order they were told.

    Args:
        starts: random architectures before the first climb, which leaves from the best of them.
    """

    def __init__(self, problem: Problem, *, starts: int = 10) -> None:
        super().__init__(problem)
        at_least(1, starts=starts)
        self.starts = starts
        self.known: dict[Any, float] = {}
        self.pending = Counter[Any]()
        self.current: Any = None
        self.neighbours: list[Any] = []
        """Neighbours of the current architecture that nobody told yet, the next one last."""

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        rng = self.next_rng()
        for architecture in reversed(self.neighbours):
            if not self.pending[architecture]:
                break
        else:
            architecture = self.space.sample(rng)
        self.pending[architecture] += 1
        return architecture

    def forget(self, architectures: Sequence[Any]) -> None:
        """Those are neighbours that may be proposed again."""
        super().forget(architectures)
        for architecture in architectures:
            self._answered(architecture)

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._tell(trial.architecture, -math.inf if trial.values is None else trial.values[0])
            self.heard([trial])

    def _tell(self, architecture: Any, value: float) -> None:
        self._answered(architecture)
        self.known[architecture] = value
        if self.told + 1 < self.starts:
            return
        if self.told + 1 == self.starts:
            self._climb(max(self.known, key=self.known.__getitem__))
        elif not self.neighbours:  # the current one is a local optimum: start again from here
            self._climb(architecture)
        elif architecture in self.neighbours:
            self.neighbours.remove(architecture)
            if value > self.known[self.current]:
                self._climb(architecture)

    def _answered(self, architecture: Any) -> None:
        self.pending[architecture] -= 1
        if self.pending[architecture] <= 0:
            del self.pending[architecture]

    def _climb(self, architecture: Any) -> None:
        """Make this the current one, and go on to better neighbours as far as memory knows any."""
        rng = random.Random(f"{self.problem.seed}/neighbours/{self.told}")
        step: Any = architecture
        while step is not None:
            self.current = step
            around = list(dict.fromkeys(self.space.neighbours(step, rng)))
            rng.shuffle(around)
            step = self._better(around)
        self.neighbours = [a for a in around if a not in self.known]

    def _better(self, around: Iterable[Any]) -> Any:
        value = self.known[self.current]
        return next((a for a in around if self.known.get(a, -math.inf) > value), None)
