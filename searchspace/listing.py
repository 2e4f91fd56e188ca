"""Every architecture of a space, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

from nas.searchspace.decode import decode, every_knob
from nas.searchspace.domains import Real
from nas.searchspace.errors import BadInput
from nas.searchspace.language import Forbidden

A = TypeVar("A")


def refuse_real(of: type[Any]) -> None:
    """Raise BadInput if some knob is a real number: such a space has no finite size and cannot be listed."""
    for path, domain in every_knob(of):
        if isinstance(domain, Real):
            raise BadInput(f"{path} is a real number, so {of.__name__} has no finite size and cannot be listed")


def listing(of: type[A], position: int = 0) -> Iterator[A]:
    """Every architecture once; the last knob changes fastest.

    Args:
        of: the class that declares the space; none of its knobs is a real number.
        position: where the architecture stands in a repeat.
    """
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

        with suppress(Forbidden):
            yield decode(of, pick, position=position)
        while path and path[-1][1] + 1 == len(path[-1][0]):
            path.pop()
        if not path:
            return
        values, index = path[-1]
        path[-1] = (values, index + 1)
