"""The one primitive under everything a space can do: build an architecture by asking for each active knob."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any, TypeVar

from nas.searchspace.domains import Choice, Constant, Domain, Earlier, Integer, Nested, Real, Repeat
from nas.searchspace.language import knob

A = TypeVar("A")
Pick = Callable[[str, Domain], Any]


def decode(of: type[A], pick: Pick, prefix: str = "", position: int = 0) -> A:
    """The architecture whose every active knob is ``pick(path, domain)``.

    Knobs are asked for in the order of their fields; paths look like ``layers.0.conv``; the length of a repeat is the
    integer knob at the repeat's own path.

    Raises:
        BadInput: if ``pick`` answers with a value outside the domain, or the space forbids the combination.
    """
    partial: Any = object.__new__(of)
    for f in fields(of):  # type: ignore[arg-type]
        declared, path = knob(f), prefix + f.name
        value = _value(declared.domain, pick, path, position) if declared.active(partial) else None
        object.__setattr__(partial, f.name, value)
    return of(**{f.name: getattr(partial, f.name) for f in fields(of)})  # type: ignore[arg-type]


def _value(domain: Any, pick: Pick, path: str, position: int) -> Any:
    match domain:
        case Constant(value):
            return value
        case Nested(of):
            return decode(of, pick, path + ".", position)
        case Repeat(of, low, high):
            length = low if low == high else pick(path, domain.length())
            return tuple(decode(of, pick, f"{path}.{i}.", i) for i in range(length))
        case Earlier():
            return pick(path, domain.at(position))
        case _:
            return pick(path, domain)


def walk(architecture: Any, prefix: str = "", position: int = 0) -> Iterator[tuple[str, Domain, Any]]:
    """Path, domain and value of every active knob, in the order in which ``decode`` asks."""
    for f in fields(architecture):
        declared, path, value = knob(f), prefix + f.name, getattr(architecture, f.name)
        if not declared.active(architecture):
            continue
        match declared.domain:
            case Constant():
                pass
            case Nested():
                yield from walk(value, path + ".", position)
            case Repeat(_, low, high):
                if low != high:
                    yield path, declared.domain.length(), len(value)
                for i, item in enumerate(value):
                    yield from walk(item, f"{path}.{i}.", i)
            case Earlier():
                yield path, declared.domain.at(position), value
            case Choice() | Integer() | Real():
                yield path, declared.domain, value


def every_knob(of: type[Any], prefix: str = "", position: int = 0) -> Iterator[tuple[str, Domain]]:
    """Path and domain of every knob that any architecture of the class can have."""
    for f in fields(of):
        domain, path = knob(f).domain, prefix + f.name
        match domain:
            case Constant():
                pass
            case Nested(inner):
                yield from every_knob(inner, path + ".", position)
            case Repeat(inner, low, high):
                if low != high:
                    yield path, domain.length()
                for i in range(high):
                    yield from every_knob(inner, f"{path}.{i}.", i)
            case Earlier():
                yield path, domain.at(position)
            case Choice() | Integer() | Real():
                yield path, domain
