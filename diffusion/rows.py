"""Architectures of a space as rows of categories, which is what diffuses."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.searchspace.decode import walk
from nas.searchspace.domains import Choice, Constant, Domain, Earlier, Integer, Nested, Repeat
from nas.searchspace.errors import BadInput
from nas.searchspace.language import declarations
from nas.searchspace.space import Space

LISTED = 32
"""A number with more values than this is cut into bins of equal size, in its logarithm where it is drawn so."""
BINS = 16
"""So many; fewer where whole numbers are too few for that at the low end of a logarithm."""

Categories = NDArray[np.int32]
"""``[items, rows]``, of each knob the number of its category."""


@dataclass(frozen=True)
class Row:
    """A knob, or a link: a knob that names an earlier item.

    Attributes:
        path: of the knob.
        domain: of its values.
        optional: whether there are architectures without it; then its last category says that it is not there.
    """

    path: str
    domain: Domain
    optional: bool

    @property
    def categories(self) -> int:
        return self.values + self.optional

    @property
    def values(self) -> int:
        """How many categories are values."""
        listed = _listed(self.domain)
        return len(_cuts(self.domain)) - 1 if listed is None else len(listed)

    def category(self, value: Any) -> int:
        """Of a value of the domain."""
        if (listed := _listed(self.domain)) is not None:
            return listed.index(value)
        return min(bisect_right(_cuts(self.domain), value) - 1, self.values - 1)

    def value(self, category: int, rng: random.Random) -> Any:
        """Of a category; one anywhere in it where it is a bin."""
        if (listed := _listed(self.domain)) is not None:
            return listed[category]
        low, high = _cuts(self.domain)[category : category + 2]
        drawn = _number(self.domain, rng.uniform(_scaled(self.domain, low), _scaled(self.domain, high)))
        if isinstance(self.domain, Integer):
            return min(max(math.floor(drawn), low), high - 1)
        return min(max(drawn, low), math.nextafter(high, low))  # rounding leaves no bin


class Rows:
    """The rows of a space: one for each knob that any of its architectures can have, in the order of ``decode``.

    Args:
        space: whose architectures are encoded; in their canonical form, where it has one.

    Raises:
        BadInput: for a space without knobs.
    """

    def __init__(self, space: Space[Any]) -> None:
        self.space = space
        self.rows = tuple(_rows(space.of))
        if not self.rows:
            raise BadInput(f"the space {space.name!r} has one architecture; there is nothing to generate")
        self._number = {row.path: i for i, row in enumerate(self.rows)}
        self.width = max(row.categories for row in self.rows)

    @cached_property
    def valued(self) -> NDArray[np.bool_]:
        """``[rows, width]``, which categories of each row are values."""
        return np.arange(self.width) < np.array([row.values for row in self.rows])[:, None]

    @cached_property
    def attends(self) -> NDArray[np.bool_]:
        """``[rows, rows]``, which of them shape each other directly: those of one element, of elements side by side,
        and of an element and all that it lies in. Elements without rows of their own do not count."""
        elements = [tuple(row.path.split(".")[:-1]) for row in self.rows]
        around = {e: [e[:depth] for depth in range(len(e)) if e[:depth] in elements] for e in elements}

        def related(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
            return a in around[b] or b in around[a] or around[a] == around[b]

        return np.array([[related(a, b) for b in elements] for a in elements])

    def encode(self, architectures: Sequence[Any]) -> Categories:
        """``[items, rows]``, of the architectures as they are.

        Raises:
            BadInput: if one is of another space.
        """
        if foreign := [a for a in architectures if type(a) is not self.space.of]:
            raise BadInput(f"the space {self.space.name!r} has architectures of the class {self.space.of.__name__}; "
                           f"got {foreign[0]!r}")  # fmt: skip
        found = np.tile([row.categories - 1 for row in self.rows], (len(architectures), 1)).astype(np.int32)
        for item, architecture in enumerate(architectures):
            for path, _, value in walk(architecture):
                number = self._number[path]
                found[item, number] = self.rows[number].category(value)
        return found

    def decode(self, categories: Sequence[int], rng: random.Random, instead: Sequence[int] | None = None) -> Any | None:
        """The architecture; None where the rows are none: a knob is missing, one is there that cannot be, or the space
        forbids it.

        Args:
            categories: ``[rows]``.
            rng: for values within bins.
            instead: ``[rows]``, a value of each knob. With these nothing is missing, and of what cannot be there
                nothing is read.
        """
        used = set[int]()

        def pick(path: str, domain: Domain) -> Any:
            number = self._number[path]
            used.add(number)
            category = categories[number]
            if category >= self.rows[number].values:
                if instead is None:
                    raise BadInput(f"{path} is missing")
                category = instead[number]
            return self.rows[number].value(int(category), rng)

        try:
            made = self.space.decode(pick)
        except BadInput:
            return None
        absent = (categories[i] == row.values for i, row in enumerate(self.rows) if i not in used)
        return made if instead is not None or all(absent) else None

    def describe(self) -> Mapping[str, Any]:
        """What a file must say of the rows to be used with them: equal for equal rows."""
        return {
            "space": self.space.name,
            "knobs": self.space.knobs_fingerprint(),
            "rows": [[row.path, row.categories] for row in self.rows],
        }


def _rows(of: type[Any], prefix: str = "", position: int = 0, optional: bool = False) -> Iterator[Row]:
    for name, declared in declarations(of).items():
        domain, path = declared.domain, prefix + name
        maybe = optional or declared.when is not None
        match domain:
            case Constant():
                pass
            case Nested(inner):
                yield from _rows(inner, path + ".", position, maybe)
            case Repeat(inner, low, high):
                if low != high:
                    yield Row(path, domain.length(), maybe)
                for i in range(high):
                    yield from _rows(inner, f"{path}.{i}.", i, maybe or i >= low)
            case Earlier():
                yield Row(path, domain.at(position), maybe)
            case _:
                yield Row(path, domain, maybe)


def _listed(domain: Domain) -> Sequence[Any] | None:
    """The values, where each has its own category."""
    few = isinstance(domain, Choice) or (isinstance(domain, Integer) and domain.size() <= LISTED)
    return domain.values() if few else None  # type: ignore[union-attr]


@lru_cache(maxsize=1024)
def _cuts(domain: Domain) -> tuple[Any, ...]:
    """Where the bins of a number begin, and where the last one ends."""
    assert not isinstance(domain, Choice)
    if not isinstance(domain, Integer):
        low, high = _scaled(domain, domain.low), _scaled(domain, domain.high)
        inner = [_number(domain, low + (high - low) * k / BINS) for k in range(1, BINS)]
        return float(domain.low), *inner, float(domain.high)
    end = domain.high + 1
    if not domain.log:
        return tuple(domain.low + (end - domain.low) * k // BINS for k in range(BINS + 1))
    ratio = (end / domain.low) ** (1 / BINS)
    inner = [min(math.ceil(domain.low * ratio**k), end) for k in range(1, BINS)]
    return tuple(sorted({domain.low, *inner, end}))


def _scaled(domain: Domain, value: float) -> float:
    return math.log(value) if not isinstance(domain, Choice) and domain.log else float(value)


def _number(domain: Domain, scaled: float) -> float:
    return math.exp(scaled) if not isinstance(domain, Choice) and domain.log else scaled
