"""Architectures read off the probabilities of a supernet, the most probable first."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nas.controllers.supernet.mixed import Knob
from nas.searchspace.domains import Domain
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space

Probabilities = Sequence[Sequence[float]]
"""Of the options of each knob."""
EVEN = 1e-6
"""Knobs whose probabilities differ less than this were never learned: they mean nothing, or show in trainings alone."""


def most_probable(probabilities: Probabilities) -> Iterator[tuple[int, ...]]:
    """The options of all knobs together, numbered, in the order of the product of their probabilities.

    What was never learned keeps its first option.
    """
    orders = [
        [0] if max(p) - min(p) < EVEN else sorted(range(len(p)), key=p.__getitem__, reverse=True) for p in probabilities
    ]
    best = tuple(0 for _ in orders)

    def badness(ranks: tuple[int, ...]) -> float:
        each = zip(probabilities, orders, ranks, strict=True)
        return -sum(math.log(max(p[order[r]], 1e-30)) for p, order, r in each)

    heap, seen = [(badness(best), best)], {best}
    while heap:
        _, ranks = heapq.heappop(heap)
        yield tuple(order[r] for order, r in zip(orders, ranks, strict=True))
        for k, order in enumerate(orders):
            worse = (*ranks[:k], ranks[k] + 1, *ranks[k + 1 :])
            if worse[k] < len(order) and worse not in seen:
                seen.add(worse)
                heapq.heappush(heap, (badness(worse), worse))


def drawn(probabilities: Probabilities, rng: random.Random) -> tuple[int, ...]:
    """Options of all knobs at random, by their probabilities."""
    return tuple(rng.choices(range(len(p)), p)[0] for p in probabilities)


def likelihood(probabilities: Probabilities, knobs: Sequence[Knob], values: Mapping[str, Any]) -> float:
    """Mean logarithm of the probabilities of these values, by path, of the knobs that have one."""
    logs = [
        math.log(max(p[knob.options.index(values[knob.path])], 1e-30))
        for knob, p in zip(knobs, probabilities, strict=True)
        if knob.path in values
    ]
    return sum(logs) / max(len(logs), 1)


def architecture(
    space: Space[Any],
    knobs: Sequence[Knob],
    numbers: Sequence[int],
    probabilities: Probabilities,
    rng: random.Random,
    kept: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """The architecture with these options; what was never learned is drawn. None if the space forbids it.

    Args:
        kept: values of knobs by path, which go before all that.
    """
    decided = {}
    for knob, number, p in zip(knobs, numbers, probabilities, strict=True):
        decided[knob.path] = rng.choice(knob.options) if max(p) - min(p) < EVEN else knob.options[number]
    decided |= kept

    def pick(path: str, domain: Domain) -> Any:
        return decided[path] if path in decided else domain.sample(rng)

    try:
        return space.decode(pick)
    except BadInput:
        return None
