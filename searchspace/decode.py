"""The one primitive under everything a space can do: build an architecture by asking for each active knob."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from nas.searchspace.domains import Choice, Constant, Domain, Earlier, Integer, Nested, Real, Repeat
from nas.searchspace.language import check_value, declarations

A = TypeVar("A")
Pick = Callable[[str, Domain], Any]


def decode(of: type[A], pick: Pick, prefix: str = "", position: int = 0) -> A:
    """The architecture whose every active knob is ``pick(path, domain)``.

    Knobs are asked for in the order of their fields; paths look like ``layers.0.conv``; the length of a repeat is the
    integer knob at the repeat's own path.

    Raises:
        BadInput: if ``pick`` answers with a value outside the domain, or the space forbids the combination.
    """
    partial = object.__new__(of)
    values = vars(partial)
    for name, declared in declarations(of).items():
        active = declared.active(partial)
        values[name] = _value(declared.domain, pick, prefix + name, position) if active else None
    return of(**values)


def _value(domain: Any, pick: Pick, path: str, position: int) -> Any:
    match domain:
        case Constant(value):
            return value
        case Nested(of):
            return decode(of, pick, path + ".", position)
        case Repeat(of, low, high):
            length = low if low == high else _asked(domain.length(), pick, path)
            return tuple(decode(of, pick, f"{path}.{i}.", i) for i in range(length))
        case Earlier():
            return _asked(domain.at(position), pick, path)
        case _:
            return _asked(domain, pick, path)


def _asked(domain: Domain, pick: Pick, path: str) -> Any:
    """What ``pick`` answers, checked before a condition or a length is computed from it."""
    value = pick(path, domain)
    if not domain.contains(value):
        check_value(path, domain, value)
    return value


def walk(architecture: Any, prefix: str = "", position: int = 0) -> Iterator[tuple[str, Domain, Any]]:
    """Path, domain and value of every active knob, in the order in which ``decode`` asks."""
    for name, declared in declarations(type(architecture)).items():
        if not declared.active(architecture):
            continue
        path, value = prefix + name, getattr(architecture, name)
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
            case Choice() | Integer():
                yield path, declared.domain, value
            case Real():
                yield path, declared.domain, float(value)  # 1 and 1.0 are equal, and so is all that is made of them


def every_knob(of: type[Any], prefix: str = "", position: int = 0) -> Iterator[tuple[str, Domain]]:
    """Path and domain of every knob that any architecture of the class can have."""
    for name, declared in declarations(of).items():
        domain, path = declared.domain, prefix + name
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
