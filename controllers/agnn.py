"""AGNN's reinforced conservative search: small steps from the best architecture, guided by decision entropies."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nas.controllers.base import Learner, Problem, Trace, Trial, at_least, positive
from nas.controllers.decisions import Options
from nas.searchspace.decode import walk
from nas.searchspace.domains import Domain
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

if TYPE_CHECKING:
    from nas.controllers.encoder import Encoder, Parent

GUIDES = ("proportional", "softmax", "largest")
ATTEMPTS = 10
"""Draws of known networks after which one more class of decisions is changed."""
REMEMBERED = 16
"""Former bests of which a trial may be the offspring: with several workers the best may change in the meantime."""


class AGNN(Learner):
    """Changes one class of decisions of the best architecture so far, one its policies are unsure about.

    Zhou, Song, Huang and Hu, "Auto-GNN: Neural Architecture Search of Graph Neural Networks" (arXiv 1909.03184). The
    knobs of any space are grouped into classes by their names. Each class has an encoder of its own, an LSTM that reads
    the best architecture without that class and answers with a distribution for each of its knobs; their entropies,
    summed over the class, guide which class is decided anew. The rest stays as it is, knobs that the change switches on
    are sampled, and the offspring replaces the best when it is better. REINFORCE, on how much better an offspring is
    than its parent, trains the encoder of what was changed.

    Where we differ, for searches of hundreds of trials instead of thousands: the search begins with a few random
    architectures; a class is drawn in proportion to its entropy, since the largest one is always that of the class with
    the most options until much has been learned (``guide`` has the published ways); of a class of many knobs only some
    are expected to change (``changes``); rewards count against their moving average in units of their own spread;
    networks evaluated before are drawn again; the learning rate is larger than the published 3.5e-4.

    Args:
        initial: random architectures before the first small step.
        classes: classes of decisions that change in a step.
        changes: knobs of a class that change in a step, on average, before anything has been learned; as many as the
            class has, or more, decides all of it anew, as published.
        guide: how the entropies choose: ``proportional``, ``softmax`` or ``largest``.
        lr: learning rate of the encoders.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        initial: int = 10,
        classes: int = 1,
        changes: float = 1.0,
        guide: str = "proportional",
        lr: float = 0.005,
    ) -> None:
        super().__init__(problem)
        at_least(1, initial=initial, classes=classes)
        positive(changes=changes, lr=lr)
        if guide not in GUIDES:
            raise unknown("guide", guide, GUIDES)
        self._initial, self._classes, self._guide = initial, classes, guide
        self._changes, self._lr = changes, lr
        self._options = Options.of(self.space)
        self._encoders: dict[str, Encoder] = {}
        self._bests: list[Parent] = []
        self._said: dict[tuple[str, Parent], dict[str, list[float]]] = {}
        self._entropies: dict[str, list[tuple[int, float]]] = {name: [] for name in self._options.classes}
        self._steps: dict[str, list[tuple[int, bool]]] = {name: [] for name in self._options.classes}

    # proposing

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        first = self.proposed < self._initial
        rng = self.next_rng()
        if first or not self._bests or not self._bests[-1].classes:
            return self._unseen(lambda _: self.space.sample(rng), rng)
        best = self._bests[-1]
        decided = {name: self._distribution(name, best) for name in best.classes}
        entropies = {name: entropy(distribution) for name, distribution in decided.items()}

        def step(attempt: int) -> Any:
            chosen = guided(entropies, self._guide, self._classes + attempt // ATTEMPTS, rng)
            return self._offspring(best, {path: p for name in chosen for path, p in decided[name].items()}, rng)

        return self._unseen(step, rng)

    def _unseen(self, make: Callable[[int], Any], rng: random.Random) -> Any:
        """The first of several architectures that was not evaluated before; if there is none, one that was.

        Where even the widest step leads to known ones, the last one goes on by mutations.
        """
        made, steps = None, ATTEMPTS * max(1, len(self._options.classes))
        for attempt in range(steps + ATTEMPTS):
            try:
                made = make(attempt) if made is None or attempt < steps else self.space.mutate(made, rng)
            except BadInput:  # forbidden, or nothing in it can change
                continue
            if self.space.canonical(made) not in self.seen:
                return made
        return self._bests[-1].architecture if made is None else made

    def _offspring(self, best: Parent, decided: dict[str, list[float]], rng: random.Random) -> Any:
        """The best with new decisions where there are probabilities for them."""
        knobs, places = self.space.knobs(best.architecture), {place.path: place for place in best.places}

        def pick(path: str, domain: Domain) -> Any:
            if path in decided:
                options = self._options.range(path, domain)
                number = rng.choices(options, decided[path])[0]
                if number != places[path].number or len(decided) == 1:
                    return self._options.value(path, domain, number, rng)
            return knobs[path] if path in knobs and domain.contains(knobs[path]) else domain.sample(rng)

        return self.space.decode(pick)

    def _encoder(self, name: str) -> Encoder:
        from nas.controllers.encoder import Encoder

        if name not in self._encoders:
            seed, count = f"{self.problem.seed}/encoder", self._options.count
            self._encoders[name] = Encoder(name, count, changes=self._changes, seed=seed, lr=self._lr)
        return self._encoders[name]

    def _distribution(self, name: str, parent: Parent) -> dict[str, list[float]]:
        """What the encoder of a class says now; it changes when the encoder learns or there is a new best."""
        key = (name, parent)
        if key not in self._said:
            self._said[key] = self._encoder(name).distribution(parent)
        return self._said[key]

    # learning

    def learn(self, trial: Trial) -> None:
        value = None if trial.values is None else trial.values[0]
        better = value is not None and (not self._bests or value > self._bests[-1].value)
        if self.told > self._initial and self._bests:
            self._learn(trial, value, better)
        if better:
            assert value is not None
            from nas.controllers.encoder import Parent

            self._said.clear()
            self._bests = [*self._bests, Parent.of(trial.architecture, value, self._options)][-REMEMBERED:]

    def _learn(self, trial: Trial, value: float | None, better: bool) -> None:
        """REINFORCE on the encoders of the classes in which a trial is a small step from a best."""
        taken = {path: (domain, v) for path, domain, v in walk(trial.architecture)}
        parent, changed = self._parent(taken)
        if len(changed) > self._classes:  # from elsewhere, or a wide step: it says little of each class
            return
        reward = None if value is None else value - parent.value
        numbers = {path: self._options.number(path, domain, v) for path, (domain, v) in taken.items()}
        for name in changed:
            encoder = self._encoder(name)
            encoder.learn(parent, numbers, encoder.baseline.advantage(reward))
            self._said = {key: said for key, said in self._said.items() if key[0] != name}
            self._steps[name].append((trial.number, better))
            self._entropies[name].append((trial.number, entropy(self._distribution(name, parent))))

    def _parent(self, taken: dict[str, tuple[Domain, Any]]) -> tuple[Parent, list[str]]:
        """The best, present or former, that differs in the fewest classes, and these; of equals the youngest.

        Follows from what was told alone, so that a search can be resumed.
        """
        knobs = {path: value for path, (_, value) in taken.items()}

        def changed(parent: Parent) -> list[str]:
            before = self.space.knobs(parent.architecture)
            return [
                name
                for name, indices in parent.classes.items()
                if any((path := parent.places[i].path) in knobs and knobs[path] != before[path] for i in indices)
            ]

        found = [(parent, changed(parent)) for parent in reversed(self._bests)]
        return min(found, key=lambda pair: len(pair[1]))

    def traces(self) -> list[Trace]:
        """How the entropies fell, and what was changed."""
        return [
            Trace(
                "Decision entropy",
                "The decision entropy of each class of knobs after it was changed, in nats, summed over its knobs: how "
                "undecided its encoder is. Below, the trials in which the class was changed, and which of them became "
                "the best.",
                self._entropies,
                self._steps,
            )
        ]


def entropy(distribution: dict[str, list[float]]) -> float:
    """The decision entropy of a class, in nats, summed over its knobs."""
    return -sum(p * math.log(p) for probabilities in distribution.values() for p in probabilities if p > 0)


def guided(entropies: dict[str, float], guide: str, number: int, rng: random.Random) -> list[str]:
    """The classes to change, ``number`` of them, or all if there are no more."""
    left, chosen = dict(entropies), list[str]()
    while left and len(chosen) < number:
        if guide == "largest":
            name = max(left, key=lambda name: left[name])
        else:
            weights = [math.exp(e) if guide == "softmax" else e for e in left.values()]
            name = rng.choices(list(left), weights)[0] if sum(weights) > 0 else rng.choice(list(left))
        chosen.append(name)
        del left[name]
    return chosen
