"""From one architecture to others: what evolution and local search do. Each is one call of ``decode``."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from nas.searchspace.decode import decode, walk
from nas.searchspace.domains import Choice, Domain, Integer, Real
from nas.searchspace.errors import BadInput
from nas.searchspace.language import Forbidden

A = TypeVar("A")
ATTEMPTS = 1000
FEW = 12
"""An integer knob with no more values than this is moved to any of them, a larger one by steps."""


def allowed(make: Callable[[], A], of: type[Any]) -> A:
    """The first result of ``make`` that the space does not forbid."""
    for _ in range(ATTEMPTS):
        try:
            return make()
        except Forbidden as error:
            last = error
    raise BadInput(f"{of.__name__} forbade {ATTEMPTS} random architectures in a row, the last one because: {last}")


def sample(of: type[A], rng: random.Random) -> A:
    """Every active knob drawn on its own."""
    return allowed(lambda: decode(of, lambda path, domain: domain.sample(rng)), of)


def mutate(architecture: A, rng: random.Random) -> A:
    """One active knob takes another value; knobs which that switches on are sampled. Never returns its input.

    Raises:
        BadInput: if the architecture is the only one of its space.
    """
    knobs = {path: (domain, value) for path, domain, value in walk(architecture)}
    movable = [path for path, (domain, value) in knobs.items() if isinstance(domain, Real) or domain.size() > 1]
    if not movable:
        raise BadInput(f"{type(architecture).__name__} declares a single architecture; there is nothing to change")

    def make() -> A:
        target = rng.choice(movable)

        def pick(path: str, domain: Domain) -> Any:
            if path == target:
                return _other(domain, knobs[path][1], rng)
            if path in knobs and domain.contains(knobs[path][1]):
                return knobs[path][1]
            return domain.sample(rng)

        return decode(type(architecture), pick)

    return allowed(make, type(architecture))


def neighbours(architecture: A, rng: random.Random) -> Iterator[A]:
    """Every architecture that differs in one active knob, in the order of the knobs; large numeric knobs move by
    steps (one, and a tenth of their range). Knobs that a move switches on are sampled."""
    knobs = {path: value for path, _, value in walk(architecture)}
    for target, domain, value in walk(architecture):
        for other in steps(domain, value):

            def pick(path: str, d: Domain, target: str = target, other: Any = other) -> Any:
                if path == target:
                    return other
                return knobs[path] if path in knobs and d.contains(knobs[path]) else d.sample(rng)

            try:
                yield decode(type(architecture), pick)
            except Forbidden:
                continue


def crossover(first: A, second: A, rng: random.Random) -> A:
    """Each knob from one parent or the other (uniform crossover); a knob that neither has is sampled."""
    parents = [{path: value for path, _, value in walk(parent)} for parent in (first, second)]

    def pick(path: str, domain: Domain) -> Any:
        values = [parent[path] for parent in parents if path in parent and domain.contains(parent[path])]
        return rng.choice(values) if values else domain.sample(rng)

    return allowed(lambda: decode(type(first), pick), type(first))


def _other(domain: Domain, value: Any, rng: random.Random) -> Any:
    """A value of the domain other than ``value``: small domains evenly, numeric ones near it half of the time."""
    if isinstance(domain, Choice) or (isinstance(domain, Integer) and domain.size() <= FEW):
        return rng.choice([v for v in domain.values() if v != value])
    if rng.random() < 0.5:
        return rng.choice(list(steps(domain, value)))
    while (drawn := domain.sample(rng)) == value:
        pass
    return drawn


def steps(domain: Domain, value: Any) -> Sequence[Any]:
    """The values next to ``value``: all others where they are few, else one step and a tenth of the range off."""
    if isinstance(domain, Choice) or (isinstance(domain, Integer) and domain.size() <= FEW):
        return [v for v in domain.values() if v != value]
    low, high = float(domain.low), float(domain.high)
    if domain.log:
        factor = math.exp((math.log(high) - math.log(low)) / 10)
        near = [value / factor, value * factor]
    else:
        near = [value - (high - low) / 10, value + (high - low) / 10]
    if isinstance(domain, Integer):
        near = [value - 1, value + 1, math.floor(near[0]), math.ceil(near[1])]
    return list(dict.fromkeys(v for v in near if domain.contains(v) and v != value))
