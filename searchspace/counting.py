"""The exact number of architectures in a space, without listing them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields
from itertools import product
from typing import Any

from nas.searchspace.decode import decode
from nas.searchspace.domains import Constant, Earlier, Nested, Real, Repeat
from nas.searchspace.errors import BadInput
from nas.searchspace.language import Forbidden, knob

LISTABLE = 2_000_000
"""The most descriptions that are listed one by one to count a space with forbidden combinations."""


def count(of: type[Any]) -> int:
    """How many distinct architectures the class declares: a Python int of any length.

    Fields multiply, the lengths of a repeat add, and a field that a condition reads is branched over its values.
    A class that forbids combinations is listed instead.

    Raises:
        BadInput: if a knob is a real number, or the space has ``forbidden`` and too many descriptions to list.
    """
    described = _count(of, 0)
    if not _constrained(of):
        return described
    if described > LISTABLE:
        raise BadInput(
            f"the exact size of {of.__name__} is unknown: it forbids some of its {described:,} descriptions, "
            f"and more than {LISTABLE:,} are not listed"
        )
    return sum(1 for _ in listing(of))


def listing(of: type[Any], position: int = 0) -> Iterable[Any]:
    """Every architecture once; the last knob changes fastest.

    Raises:
        BadInput: if a knob is a real number.
    """
    _count(of, position)  # refuses real numbers before anything is listed
    path: list[tuple[Any, int]] = []  # the values of each knob asked so far, and which of them is the current one
    while True:
        depth = 0

        def pick(_: str, domain: Any) -> Any:
            nonlocal depth
            if depth == len(path):
                path.append((domain.values(), 0))
            values, index = path[depth]
            depth += 1
            return values[index]

        try:
            yield decode(of, pick, position=position)
        except Forbidden:
            pass
        while path and path[-1][1] + 1 == len(path[-1][0]):
            path.pop()
        if not path:
            return
        values, index = path[-1]
        path[-1] = (values, index + 1)


def _constrained(of: type[Any]) -> bool:
    inner = [d.of for f in fields(of) if isinstance(d := knob(f).domain, Nested | Repeat)]
    return hasattr(of, "forbidden") or any(map(_constrained, inner))


class _Unread(Exception):
    """A condition asked for a field whose value is not fixed yet."""


class _Partial:
    """Stands for an architecture in the conditions: knows some fields, and says which one it would need."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        raise _Unread(name)


def _count(of: type[Any], position: int, known: dict[str, Any] | None = None) -> int:
    known = dict(known or {})
    total = 1
    for f in fields(of):
        declared = knob(f)
        try:
            active = declared.active(_Partial(known))
        except _Unread as unread:
            name = str(unread)
            read = next((g for g in fields(of) if g.name == name), None)
            if read is None:
                raise BadInput(f"the condition of {of.__name__}.{f.name} reads {name!r}, which is no field") from None
            return sum(_count(of, position, known | {name: v}) for v in _values(knob(read).domain, position))
        if not active:
            known[f.name] = None
        elif f.name not in known:
            total *= _size(declared.domain, position, f"{of.__name__}.{f.name}")
            if isinstance(declared.domain, Constant):
                known[f.name] = declared.domain.value
    return total


def _size(domain: Any, position: int, where: str) -> int:
    match domain:
        case Constant():
            return 1
        case Nested(of):
            return _count(of, position)
        case Repeat(of, low, high):
            each = [_count(of, i) for i in range(high)]
            return sum(math.prod(each[:n]) for n in range(low, high + 1))
        case Earlier():
            return position + 1
        case Real():
            raise BadInput(f"{where} is a real number, so the space has no finite size and cannot be listed")
        case _:
            return int(domain.size())


def _values(domain: Any, position: int) -> Iterable[Any]:
    match domain:
        case Nested(of):
            return listing(of, position)
        case Repeat(of, low, high):
            lengths = range(low, high + 1)
            return (items for n in lengths for items in product(*(list(listing(of, i)) for i in range(n))))
        case Earlier():
            return domain.at(position).values()
        case Real():
            raise BadInput("a condition reads a real number, so the space cannot be counted")
        case _:
            return domain.values()  # type: ignore[no-any-return]
