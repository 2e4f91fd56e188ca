"""Where the candidates come from among which an acquisition chooses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space

RANDOM = 1000
"""Random architectures among the candidates."""
PARENTS, EACH = 30, 60
"""The best so many architectures have so many of their neighbours among the candidates."""
LISTED = 300_000
"""A larger space is not listed."""

Candidates = Callable[[Sequence[Any], random.Random], Mapping[Any, Any]]
"""From the known networks, best first, and random numbers to candidates: networks and a description of each.

Known ones may be among them. A generator of another kind, such as one that draws from a learned distribution, is such a
function too.
"""


def some(space: Space[Any], seed: int) -> Candidates:
    """Random architectures, and all that differ from one of the best in one knob.

    The random ones are drawn anew only when twice as many architectures are known: most of the work of a proposal is
    writing new candidates as numbers.
    """
    from nas.searchspace.encodings import text  # needs NumPy, which listing the controllers must not load

    drawn, near = dict[int, dict[Any, Any]](), dict[Any, dict[Any, Any]]()

    def generate(known: Sequence[Any], rng: random.Random) -> Mapping[Any, Any]:
        age = len(known).bit_length()
        if age not in drawn:
            drawn.clear()
            fixed = random.Random(f"{seed}/candidates/{age}")
            drawn[age] = networks(space, (space.sample(fixed) for _ in range(RANDOM)))
        found = dict[Any, Any]()
        for parent in known[:PARENTS]:
            if parent not in near:
                order = random.Random(f"{seed}/{text(parent)}")  # whenever it becomes one of the best
                near[parent] = networks(space, islice(space.neighbours(parent, order), EACH))
            found |= near[parent]
        for parent in set(near) - set(known[:PARENTS]):
            del near[parent]
        return found | drawn[age]

    return generate


def anywhere(space: Space[Any], seed: int) -> Candidates:
    """Random architectures alone, new ones each time."""
    return lambda known, rng: networks(space, (space.sample(rng) for _ in range(RANDOM)))


def every(space: Space[Any], seed: int) -> Candidates:
    """All architectures of the space.

    Raises:
        BadInput: for a space with real numbers, or too large to list.
    """
    if not space.finite() or space.size() > LISTED:
        size = f"{space.size():,} architectures" if space.finite() else "real numbers among its knobs"
        raise BadInput(
            f"candidates=all lists the space, and {space.name!r} has {size} (at most {LISTED:,} are listed); use "
            "candidates=mutations"
        )
    found = dict[Any, Any]()

    def generate(known: Sequence[Any], rng: random.Random) -> Mapping[Any, Any]:
        if not found:
            found.update(networks(space, space.enumerate()))
        return found

    return generate


def networks(space: Space[Any], architectures: Iterable[Any]) -> dict[Any, Any]:
    """Each network with the first of its descriptions."""
    found = dict[Any, Any]()
    for architecture in architectures:
        found.setdefault(space.canonical(architecture), architecture)
    return found


CANDIDATES: dict[str, Callable[[Space[Any], int], Candidates]] = {
    "mutations": some,
    "random": anywhere,
    "all": every,
}
"""By the name of the controller's option."""
