"""Screening: a controller is asked for a pool of architectures, and the most promising of them is proposed.

What is promising is judged without training, by scores that are handed in. A screened controller is a controller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from nas.controllers.base import Controller, Trace, Trial, recall_by_asking
from nas.controllers.grid import Grid
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space

Scores = Mapping[str, float]
"""What is known of an untrained network, by name; larger is better. What has no score is absent."""

SCREENED, SECONDS = "screened", "screening_seconds"
"""Of how many architectures a proposal was the most promising, and what it took to find out."""


class Ranking(Protocol):
    """Which of several architectures is the most promising, as far as what was told says."""

    def ready(self) -> bool:
        """Whether it has a say yet."""
        ...

    def worth(self, architectures: Sequence[Any], scores: Sequence[Scores]) -> list[float]:
        """One number for each, larger is better; they are compared with each other alone."""
        ...

    def learn(self, trial: Trial) -> None:
        """Hear of a network for the first time; its scores are among its metrics."""
        ...

    def traces(self) -> list[Trace]:
        """What it shows of itself."""
        ...


class RankSum:
    """Ranks by several scores and adds the ranks, as Chen, Gong and Wang do (TE-NAS, ICLR 2021, arXiv 2102.11535).

    Some may count more than others. Equals share their ranks. What has no score by one of them comes last there.

    Args:
        columns: the names of the scores.
        weights: what the ranks by each count; all the same by default.
    """

    def __init__(self, columns: Sequence[str], weights: Sequence[float] | None = None) -> None:
        self.columns = tuple(columns)
        self.weights = (1.0,) * len(columns) if weights is None else tuple(weights)

    def ready(self) -> bool:
        return True

    def worth(self, architectures: Sequence[Any], scores: Sequence[Scores]) -> list[float]:
        sums = [0.0] * len(scores)
        for column, weight in zip(self.columns, self.weights, strict=True):
            values = [found.get(column, -math.inf) for found in scores]
            for i, own in enumerate(values):
                sums[i] += weight * sum((own > other) + 0.5 * (own == other) for other in values)
        return sums

    def learn(self, trial: Trial) -> None:
        """Nothing."""

    def traces(self) -> list[Trace]:
        return []


class Screened:
    """Proposes the most promising of every ``pool`` architectures that a controller proposes.

    Known networks, those that are out, and second descriptions of the same network are left out of a pool; if nothing
    is left, its first is proposed. While the ranking has no say, the controller is asked for one architecture at a time
    and the search is the one that it would be without a screen.

    The controller is told of what was proposed alone, and forgets the rest. A trial that is told without having been
    asked for stands for one that was, before an interruption: the pool is asked for again, without scoring it, so that
    a resumed search goes on as it would have. That needs trials to be told in the order in which they were asked for,
    as with one worker.

    Args:
        inner: the controller.
        space: of the architectures.
        scores: the scores of an architecture, whichever it is.
        ranking: what they are worth.
        pool: how many architectures are proposed for one that is kept.

    Raises:
        BadInput: for a grid, which never proposes again what was left out.
    """

    def __init__(
        self, inner: Controller, space: Space[Any], scores: Callable[[Any], Scores], ranking: Ranking, pool: int
    ) -> None:
        if isinstance(inner, Grid):
            raise BadInput(
                "grid proposes every architecture once, so those that a screen leaves out would never be trained; "
                "screen another controller, such as random or evolution, or leave the screen out"
            )
        self.multi_objective = inner.multi_objective
        self.inner, self.space = inner, space
        self._scores, self._ranking, self._pool = scores, ranking, pool
        self._known = set[Any]()
        self._out = list[Any]()
        self._notes = dict[Any, Scores]()

    def ask(self, n: int) -> list[Any]:
        return [proposal for _ in range(n) for proposal in self._propose()]

    def _propose(self) -> list[Any]:
        """The next proposal, or none if the controller has none."""
        proposed = self.inner.ask(self._asked)
        if not proposed:
            return []
        chosen = self._chosen(proposed)
        proposed.remove(chosen)
        if proposed and hasattr(self.inner, "forget"):
            self.inner.forget(proposed)
        self._out.append(self.space.canonical(chosen))
        return [chosen]

    @property
    def _asked(self) -> int:
        """How many the controller is asked for now; follows from what was told."""
        return self._pool if self._ranking.ready() else 1

    def _chosen(self, proposed: Sequence[Any]) -> Any:
        by_network = {self.space.canonical(a): a for a in reversed(proposed)}  # of several descriptions the first
        fresh = {
            network: by_network[network]
            for network in map(self.space.canonical, proposed)
            if network not in self._known and network not in self._out
        }
        if not fresh or not self._ranking.ready():
            return proposed[0]
        begin = time.perf_counter()
        pool = list(fresh.values())
        worth = self._ranking.worth(pool, [self._scores(a) for a in pool])
        best = max(range(len(pool)), key=worth.__getitem__)
        spent = time.perf_counter() - begin
        self._notes[self.space.canonical(pool[best])] = {SCREENED: float(len(pool)), SECONDS: spent}
        return pool[best]

    def about(self, architecture: Any) -> dict[str, float]:
        """What a trial of the architecture should keep: its scores and, if it was chosen by them, out of how many.

        And what the controller itself would have it keep.
        """
        theirs = getattr(self.inner, "about", None)
        return {
            **(theirs(architecture) if theirs else {}),
            **self._scores(architecture),
            **self._notes.get(self.space.canonical(architecture), {}),
        }

    def tell(self, trials: Sequence[Trial]) -> None:
        networks = [self.space.canonical(trial.architecture) for trial in trials]
        for trial, network in zip(trials, networks, strict=True):
            if network in self._out:
                self._out.remove(network)
            else:
                recall = getattr(self.inner, "recall", None) or self._recall
                recall(self._asked, trial.architecture)
        self.inner.tell(trials)
        for trial, network in zip(trials, networks, strict=True):
            self._notes.pop(network, None)
            if network not in self._known:
                self._known.add(network)
                self._ranking.learn(trial)

    def _recall(self, n: int, architecture: Any) -> None:
        recall_by_asking(self.inner, n, architecture)

    def traces(self) -> list[Trace]:
        """What the controller shows of its own state, and what the ranking does."""
        own = self.inner.traces() if hasattr(self.inner, "traces") else []
        return [*own, *self._ranking.traces()]
