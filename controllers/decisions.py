"""Knobs as decisions that a policy can make: classes of them, each with a small list of options.

A class is what Zhou et al. (AGNN, arXiv 1909.03184) group the decisions of an architecture by: the knobs that share a
name across repeated parts (``layers.*.activation``); a knob that stands alone is a class of its own.
"""

from __future__ import annotations

import math
import random
from bisect import bisect
from dataclasses import dataclass
from typing import Any

from nas.searchspace.domains import Choice, Domain, Integer
from nas.searchspace.space import Space

MOST = 24
"""An integer knob with more values than this is decided by ranges, and so is every real one."""
RANGES = 8


def class_of(path: str) -> str:
    """The class of a knob: its path with the positions taken out."""
    return ".".join("*" if part.isdigit() else part for part in path.split("."))


def exact(domain: Domain) -> bool:
    """Whether an option of the domain is one value, not a range."""
    return isinstance(domain, Choice) or (isinstance(domain, Integer) and domain.size() <= MOST)


def options(domain: Domain) -> int:
    """How many options a decision over the domain has."""
    return domain.size() if exact(domain) else RANGES  # type: ignore[union-attr]


@dataclass(frozen=True)
class Options:
    """All options of all classes of a space, numbered from 0.

    Attributes:
        first: by class, the number of its first option; those of a class follow each other.
        count: options in all.
        classes: names of the classes in which there is something to decide, in the order of the space.
    """

    first: dict[str, int]
    count: int
    classes: tuple[str, ...]

    @staticmethod
    def of(space: Space[Any]) -> Options:
        most: dict[str, int] = {}
        for path, domain in space.every_knob().items():
            name = class_of(path)
            most[name] = max(most.get(name, 0), options(domain))
        first, count = {}, 0
        for name, number in most.items():
            first[name], count = count, count + number
        return Options(first, count, tuple(name for name, number in most.items() if number > 1))

    def range(self, path: str, domain: Domain) -> range:
        """The options of one knob; where its domain depends on its position, those that it has there."""
        first = self.first[class_of(path)]
        return range(first, first + options(domain))

    def number(self, path: str, domain: Domain, value: Any) -> int:
        """The option that a value is, or lies in."""
        first = self.first[class_of(path)]
        if isinstance(domain, Choice):
            return first + domain.options.index(value)
        if exact(domain):
            return first + int(value - domain.low)
        return first + bisect(_borders(domain)[1:-1], value)

    def value(self, path: str, domain: Domain, number: int, rng: random.Random) -> Any:
        """The value of an option; of a range a random one."""
        at = number - self.first[class_of(path)]
        if isinstance(domain, Choice):
            return domain.options[at]
        if exact(domain):
            return domain.low + at
        low, high = _borders(domain)[at : at + 2]
        drawn = math.exp(rng.uniform(math.log(low), math.log(high))) if domain.log else rng.uniform(low, high)
        near = round(drawn) if isinstance(domain, Integer) else drawn
        return min(max(near, domain.low), domain.high)


def _borders(domain: Any) -> list[float]:
    """The limits of the ranges of a numeric domain, even on its own scale."""
    low, high = float(domain.low), float(domain.high)
    if domain.log:
        return [low * (high / low) ** (i / RANGES) for i in range(RANGES + 1)]
    return [low + (high - low) * i / RANGES for i in range(RANGES + 1)]
