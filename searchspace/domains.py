"""What one knob can be."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nas.searchspace.errors import BadInput

When = Callable[[Any], bool]


def plain(value: Any) -> bool:
    """Whether the value is text, a finite number, a boolean or None: what JSON and generated source can hold."""
    return value is None or type(value) in (str, int, bool) or (type(value) is float and math.isfinite(value))


@dataclass(frozen=True)
class Choice:
    """One of some options, without order."""

    options: tuple[Any, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise BadInput("a choice needs at least one option: a space with no architectures cannot be searched")
        for option in self.options:
            if not plain(option):
                raise BadInput(
                    f"the options of a choice are text, finite numbers, booleans or None; got {option!r}. "
                    "Register an operator of your own with @operator(name) and choose it by that name"
                )
        if len(set(self.options)) < len(self.options):  # 1, 1.0 and True are equal, so their architectures would be
            raise BadInput(f"a choice names an option twice: {', '.join(map(repr, self.options))}")

    def sample(self, rng: random.Random) -> Any:
        return rng.choice(self.options)

    def contains(self, value: Any) -> bool:
        try:
            option = self.options[self.options.index(value)]  # no two of them are equal
        except ValueError:
            return False
        return type(value) is type(option)

    def values(self) -> Sequence[Any]:
        return self.options

    def size(self) -> int:
        return len(self.options)

    def __str__(self) -> str:
        return ", ".join(str(o) for o in self.options)


@dataclass(frozen=True)
class Integer:
    """A whole number from ``low`` to ``high``, both included; drawn evenly, or evenly in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not (type(self.low) is int and type(self.high) is int):
            raise BadInput(f"the limits of an integer are whole numbers; got {self.low!r}, {self.high!r}")
        if self.low > self.high:
            raise BadInput(f"an integer from {self.low} to {self.high} has no values: low must not exceed high")
        if self.log and self.low < 1:
            raise BadInput(f"an integer on a log scale starts at 1 or above; got {self.low}")

    def sample(self, rng: random.Random) -> int:
        if not self.log:
            return rng.randint(self.low, self.high)
        drawn = int(math.exp(rng.uniform(math.log(self.low), math.log(self.high + 1))))
        return min(self.high, max(self.low, drawn))

    def contains(self, value: Any) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def values(self) -> Sequence[int]:
        return range(self.low, self.high + 1)

    def size(self) -> int:
        return self.high - self.low + 1

    def __str__(self) -> str:
        return f"{self.low} to {self.high}" + (" (log)" if self.log else "")


@dataclass(frozen=True)
class Real:
    """A number from ``low`` to ``high``, drawn evenly, or evenly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise BadInput(f"a real number needs finite limits, low below high; got {self.low}, {self.high}")
        if self.log and self.low <= 0:
            raise BadInput(f"a real number on a log scale starts above 0; got {self.low}")

    def sample(self, rng: random.Random) -> float:
        if not self.log:
            return rng.uniform(self.low, self.high)
        return min(self.high, max(self.low, math.exp(rng.uniform(math.log(self.low), math.log(self.high)))))

    def contains(self, value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (" (log, real)" if self.log else " (real)")


Domain = Choice | Integer | Real
"""What a controller meets: the domain of one active knob."""


@dataclass(frozen=True)
class Earlier:
    """Inside a repeat: an earlier item. At position k the values are 0 (what enters the repeat) to k (item k - 1)."""

    def at(self, position: int) -> Integer:
        return Integer(0, position)


@dataclass(frozen=True)
class Constant:
    """A field that every architecture of the space holds alike; no knob."""

    value: Any

    def __post_init__(self) -> None:
        if not plain(self.value):
            raise BadInput(f"a constant is text, a finite number, a boolean or None; got {self.value!r}")


@dataclass(frozen=True)
class Nested:
    """A whole architecture as the value of a field."""

    of: type[Any]


@dataclass(frozen=True)
class Repeat:
    """A tuple of ``low`` to ``high`` architectures; its length is an integer knob unless the two are equal."""

    of: type[Any]
    low: int
    high: int

    def __post_init__(self) -> None:
        if not (type(self.low) is int and type(self.high) is int and 0 <= self.low <= self.high):
            raise BadInput(f"a repeat takes 0 <= low <= high items; got {self.low} to {self.high}")

    def length(self) -> Integer:
        return Integer(self.low, self.high)


Declared = Domain | Earlier | Constant | Nested | Repeat
"""What a field of a space may be declared as."""
