"""Neighbours of an architecture that are probably more accurate, or smaller, as far as formats and widths tell."""

from __future__ import annotations

import random
from typing import Any

from nas.searchspace.domains import Choice, Domain, Integer
from nas.searchspace.errors import BadInput
from nas.searchspace.precision import FORMAT
from nas.searchspace.space import Space


def in_most_bits(space: Space[Any], architecture: Any) -> Any:
    """With the widest format of each component; None where the space forbids that."""
    knobs, every = space.knobs(architecture), space.every_knob()
    wide = {path: max(named, key=bits_of) for path in knobs if (named := formats_of(every[path]))}
    return _made(space, knobs | wide)


def smaller(space: Space[Any], architecture: Any, rng: random.Random) -> Any:
    """With fewer bits in one format, or a smaller number in one knob that is a number; None if nothing is smaller."""
    knobs, every = space.knobs(architecture), space.every_knob()
    less = {path: below for path, value in knobs.items() if (below := smaller_options(every[path], value))}
    if not less:
        return None
    path = rng.choice(sorted(less))
    return _made(space, knobs | {path: rng.choice(less[path])})


def bits_of(format: str) -> int:
    """Bits of one number in a format."""
    from nas.searchspace.layers.quantised import described  # loads torch

    return described(format)[1]


def formats_of(domain: Domain) -> tuple[str, ...]:
    """The options of a knob that is a format; none for a knob of another kind."""
    options = domain.options if isinstance(domain, Choice) else ()
    return options if all(isinstance(o, str) and FORMAT.match(o) for o in options) else ()


def smaller_options(domain: Domain, value: Any) -> list[Any]:
    """Those below a format or a whole number; none for a knob of another kind."""
    if named := formats_of(domain):
        return [name for name in named if bits_of(name) < bits_of(value)]
    if type(value) is not int:
        return []
    if isinstance(domain, Integer):
        return list(range(domain.low, value))
    return [o for o in domain.options if type(o) is int and o < value] if isinstance(domain, Choice) else []


def _made(space: Space[Any], knobs: dict[str, Any]) -> Any:
    """None if that is forbidden."""
    try:
        return space.from_knobs(knobs)
    except BadInput:
        return None
