"""An encoder of AGNN: what one class of decisions should be, given the rest of an architecture. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nas.controllers.decisions import Options, class_of, exact
from nas.controllers.policy import Baseline, Policy
from nas.searchspace.decode import walk
from nas.searchspace.domains import Domain


@dataclass(frozen=True)
class Place:
    """One knob of an architecture as a decision.

    Attributes:
        path: of the knob.
        options: the numbers of its options.
        number: the one taken.
        exact: whether an option is one value, not a range.
    """

    path: str
    options: range
    number: int
    exact: bool

    @property
    def at(self) -> int:
        """The position of the taken option among its own."""
        return self.number - self.options.start


@dataclass(frozen=True, eq=False)
class Parent:
    """An architecture to step away from.

    Attributes:
        architecture: as the space has it.
        value: how good it is.
        places: its active knobs in their order.
    """

    architecture: Any
    value: float
    places: tuple[Place, ...]

    @staticmethod
    def of(architecture: Any, value: float, options: Options) -> Parent:
        def place(path: str, domain: Domain, value: Any) -> Place:
            return Place(path, options.range(path, domain), options.number(path, domain, value), exact(domain))

        return Parent(architecture, value, tuple(place(*knob) for knob in walk(architecture)))

    @cached_property
    def classes(self) -> dict[str, list[int]]:
        """By class, the indices of its places; only of those where there is something to decide."""
        found: dict[str, list[int]] = {}
        for index, place in enumerate(self.places):
            if len(place.options) > 1:
                found.setdefault(class_of(place.path), []).append(index)
        return found


class Encoder:
    """The policy of one class.

    It reads the parent with the class hidden, both ways, and answers at each hidden place.

    Args:
        name: of the class.
        options: how many options there are, of all classes.
        changes: how many places of the class change on average before anything has been learned.
        seed: of the first weights.
        lr: of the policy.
    """

    def __init__(self, name: str, options: int, *, changes: float, seed: str, lr: float) -> None:
        self.name = name
        self.baseline = Baseline()
        self._changes = changes
        self._policy = Policy(options, both_ways=True, seed=f"{seed}/{name}", lr=lr)

    def distribution(self, parent: Parent) -> dict[str, list[float]]:
        """By path, the probabilities of the options of each place of the class."""
        with torch.no_grad():
            logs = self._logs(parent)
        indices = parent.classes[self.name]
        return {parent.places[i].path: log.exp().tolist() for i, log in zip(indices, logs, strict=True)}

    def learn(self, parent: Parent, taken: Mapping[str, int], advantage: float) -> None:
        """One step of REINFORCE on what an offspring decided: the numbers of its options, by the paths of its knobs."""
        places = [parent.places[i] for i in parent.classes[self.name]]
        pairs = [(place, log) for place, log in zip(places, self._logs(parent), strict=True) if place.path in taken]
        chosen = [log[taken[place.path] - place.options.start] for place, log in pairs]
        self._policy.ascend(advantage * torch.stack(chosen).sum())

    def _logs(self, parent: Parent) -> list[Tensor]:
        indices = parent.classes[self.name]
        hidden = set(indices)
        logits, _ = self._policy(
            [self._policy.hidden if i in hidden else place.number for i, place in enumerate(parent.places)]
        )
        logs = []
        for index in indices:
            place = parent.places[index]
            own = logits[index, place.options.start : place.options.stop]
            logs.append(torch.log_softmax(own + self._before(place, len(indices)), 0))
        return logs

    def _before(self, place: Place, places: int) -> Tensor:
        """What is added to the logits: how much more likely the present option is than any other at first.

        A class of one place always changes; of several, each one changes with the same probability.
        """
        count, added = len(place.options), torch.zeros(len(place.options))
        if places == 1:
            if place.exact:
                added[place.at] = -math.inf
            return added
        kept = 1 - self._changes / places
        if kept > 1 / count:
            added[place.at] = math.log(kept * (count - 1) / (1 - kept))
        return added
