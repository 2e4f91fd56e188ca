"""A value that depends on knobs which are not decided: a table from their options to values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

LARGEST = 4096
"""Rows of a table."""


class Branches(Exception):  # noqa: N818
    """A network does something with an undecided knob that a supernet cannot follow; the message names it."""


@dataclass(frozen=True)
class Knob:
    """A knob that is not decided.

    Attributes:
        number: its place among the knobs of the space.
        path: as in ``Space.knobs``.
        options: what it can be.
    """

    number: int
    path: str
    options: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Mixed:
    """One value for each combination of the options of some knobs. Arithmetic and comparisons give another of its kind.

    Attributes:
        knobs: in the order of their numbers.
        table: the values; the last knob changes fastest.
    """

    knobs: tuple[Knob, ...]
    table: tuple[Any, ...]

    @property
    def options(self) -> tuple[Any, ...]:
        """The different values, in the order in which they come."""
        return tuple(dict.fromkeys(self.table))

    def _refused(self, *_: Any) -> Any:
        raise Branches(f"its network decides by the knob {', '.join(knob.path for knob in self.knobs)}")

    __bool__ = __index__ = __int__ = __float__ = __iter__ = __len__ = __getitem__ = __hash__ = _refused

    def __eq__(self, other: Any) -> Any:
        return together(operator.eq, self, other)

    def __ne__(self, other: Any) -> Any:
        return together(operator.ne, self, other)

    def __lt__(self, other: Any) -> Any:
        return together(operator.lt, self, other)

    def __le__(self, other: Any) -> Any:
        return together(operator.le, self, other)

    def __gt__(self, other: Any) -> Any:
        return together(operator.gt, self, other)

    def __ge__(self, other: Any) -> Any:
        return together(operator.ge, self, other)

    def __add__(self, other: Any) -> Any:
        return together(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return together(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return together(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return together(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return together(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return together(operator.mul, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return together(operator.floordiv, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return together(operator.floordiv, other, self)

    def __truediv__(self, other: Any) -> Any:
        return together(operator.truediv, self, other)

    def __and__(self, other: Any) -> Any:
        return together(operator.and_, self, other)

    def __rand__(self, other: Any) -> Any:
        return together(operator.and_, other, self)

    def __or__(self, other: Any) -> Any:
        return together(operator.or_, self, other)

    def __ror__(self, other: Any) -> Any:
        return together(operator.or_, other, self)


def together(f: Callable[..., Any], *values: Any) -> Any:
    """``f`` of each combination; a plain value where it is the same for all of them.

    Raises:
        Branches: if there are too many combinations.
    """
    knobs = {knob.number: knob for value in values if isinstance(value, Mixed) for knob in value.knobs}
    order = tuple(knobs[number] for number in sorted(knobs))
    rows = 1
    for knob in order:
        rows *= len(knob.options)
    if rows > LARGEST:
        names = ", ".join(knob.path for knob in order)
        raise Branches(f"what its network makes of the knobs {names} has {rows:,} values, {LARGEST:,} at the most")
    table = []
    for chosen in product(*(range(len(knob.options)) for knob in order)):
        at = {knob.number: i for knob, i in zip(order, chosen, strict=True)}
        table.append(f(*(_row(value, at) for value in values)))
    return table[0] if all(_same(row, table[0]) for row in table) else Mixed(order, tuple(table))


def options(value: Any) -> tuple[Any, ...]:
    """What the value can be."""
    return value.options if isinstance(value, Mixed) else (value,)


def _row(value: Any, at: dict[int, int]) -> Any:
    if not isinstance(value, Mixed):
        return value
    place = 0
    for knob in value.knobs:
        place = place * len(knob.options) + at[knob.number]
    return value.table[place]


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)
