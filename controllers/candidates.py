"""Where the candidates come from among which an acquisition chooses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from nas.controllers.base import Problem
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

RANDOM = 1000
"""Random architectures among the candidates."""
PARENTS, EACH = 30, 60
"""The best so many architectures have so many of their neighbours among the candidates."""
LISTED = 300_000
"""A larger space is not listed."""

ROUND = 10
"""After so many more networks new ones are generated."""

Told = Mapping[Any, tuple[float, ...] | None]
"""The known networks in the order in which they were told, and their values; None of a failed one."""
Candidates = Callable[[Told, "Array", random.Random], Mapping[Any, Any]]
"""From the known networks, ``[known, predictors]`` what is learned of them, larger is better, and random numbers to
candidates: networks and a description of each. Known ones may be among them."""


def some(problem: Problem) -> Candidates:
    """Random architectures, and all that differ from one of the best in one knob.

    The random ones are drawn anew only when twice as many architectures are known: most of the work of a proposal is
    writing new candidates as numbers.
    """
    from nas.searchspace.encodings import text  # needs NumPy, which listing the controllers must not load

    space, seed = problem.space, problem.seed
    drawn, near = dict[int, dict[Any, Any]](), dict[Any, dict[Any, Any]]()

    def generate(told: Told, targets: Array, rng: random.Random) -> Mapping[Any, Any]:
        known, age = list(told), len(told).bit_length()
        if age not in drawn:
            drawn.clear()
            fixed = random.Random(f"{seed}/candidates/{age}")
            drawn[age] = networks(space, (space.sample(fixed) for _ in range(RANDOM)))
        found = dict[Any, Any]()
        parents = [known[i] for i in (-targets.sum(1)).argsort(kind="stable")[:PARENTS]]
        for parent in parents:
            if parent not in near:
                order = random.Random(f"{seed}/{text(parent)}")  # whenever it becomes one of the best
                near[parent] = networks(space, islice(space.neighbours(parent, order), EACH))
            found |= near[parent]
        for parent in set(near) - set(parents):
            del near[parent]
        return found | drawn[age]

    return generate


def anywhere(problem: Problem) -> Candidates:
    """Random architectures alone, new ones each time."""
    space = problem.space
    return lambda told, targets, rng: networks(space, (space.sample(rng) for _ in range(RANDOM)))


def generated(problem: Problem, every: int = ROUND, **options: Any) -> Candidates:
    """Draws from a diffusion model of the space, guided by what is known; see ``nas.controllers.generating``."""
    from nas.controllers.generating import Generating

    generating, last = Generating(problem, **options), dict[int, dict[Any, Any]]()

    def generate(told: Told, targets: Array, rng: random.Random) -> Mapping[Any, Any]:
        age = len(told) // every  # a round follows from what was known when it began
        if age not in last:
            last.clear()
            learned = generating.learned(dict(islice(told.items(), age * every)))
            last[age] = {a: a for a in generating.draw(learned, age)}
        return last[age]

    return generate


def every(problem: Problem) -> Candidates:
    """All architectures of the space.

    Raises:
        BadInput: for a space with real numbers, or too large to list.
    """
    space = problem.space
    if not space.finite() or space.size() > LISTED:
        size = f"{space.size():,} architectures" if space.finite() else "real numbers among its knobs"
        raise BadInput(
            f"candidates=all lists the space, and {space.name!r} has {size} (at most {LISTED:,} are listed); use "
            "candidates=mutations"
        )
    found = dict[Any, Any]()

    def generate(told: Told, targets: Array, rng: random.Random) -> Mapping[Any, Any]:
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


CANDIDATES: dict[str, Callable[[Problem], Candidates]] = {
    "mutations": some,
    "random": anywhere,
    "all": every,
    "diffusion": generated,
}
"""By the name of the controller's option."""
