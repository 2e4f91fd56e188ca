"""An architecture whose knobs are not decided."""

from __future__ import annotations

from typing import Any

from nas.controllers.supernet.mixed import Branches, Knob, Mixed, together
from nas.searchspace.domains import Choice, Constant, Earlier, Integer, Nested, Real, Repeat
from nas.searchspace.language import Knob as Declaration
from nas.searchspace.language import declarations

WIDEST = 32
"""The most options of a knob."""


def relaxed(of: type[Any]) -> tuple[Any, tuple[Knob, ...]]:
    """An object of the class whose searched fields are ``Mixed``, and its knobs.

    It has the class's methods and was never checked; a knob that is not always there is None where it is not.

    Raises:
        Branches: for real numbers, integers with many values, and repeats whose length is searched.
    """
    knobs: list[Knob] = []
    return _object(of, knobs, "", 0), tuple(knobs)


def _object(of: type[Any], knobs: list[Knob], prefix: str, position: int) -> Any:
    made = object.__new__(of)
    values = vars(made)
    for name, declared in declarations(of).items():
        values[name] = _field(declared, made, knobs, prefix + name, position)
    return made


def _field(declared: Declaration, made: Any, knobs: list[Knob], path: str, position: int) -> Any:
    there: Any = True
    if declared.when is not None:
        there = declared.when(made)
        if not isinstance(there, Mixed) and not there:
            return None
    value = _value(declared.domain, knobs, path, position)
    return together(lambda here, v: v if here else None, there, value) if isinstance(there, Mixed) else value


def _value(domain: Any, knobs: list[Knob], path: str, position: int) -> Any:
    match domain:
        case Constant(value):
            return value
        case Nested(of):
            return _object(of, knobs, f"{path}.", position)
        case Repeat(of, low, high):
            if low != high:
                raise Branches(f"the length of {path} is searched, from {low} to {high}")
            return tuple(_object(of, knobs, f"{path}.{i}.", i) for i in range(low))
        case Real():
            raise Branches(f"the knob {path} is a real number")
        case Earlier():
            domain = domain.at(position)
    assert isinstance(domain, Choice | Integer)
    if domain.size() > WIDEST:
        raise Branches(f"the knob {path} has {domain.size():,} options, {WIDEST} at the most")
    options = tuple(domain.values())
    if len(options) == 1:
        return options[0]
    knobs.append(Knob(len(knobs), path, options))
    return Mixed((knobs[-1],), options)
