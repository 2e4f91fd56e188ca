"""Networks that a search has not seen yet, for a controller that only repeats itself."""

from __future__ import annotations

import random
from collections.abc import Collection, Hashable
from typing import Any

from nas.searchspace.space import Space
from nas.study.costs import Costs

DRAWS = 1000
LISTED = 300_000
"""Spaces up to this size are listed to find the last unseen networks."""


def unseen(space: Space[Any], seen: Collection[Hashable], costs: Costs, rng: random.Random) -> Any:
    """A random architecture within the limits whose network was not seen, or None if there is none left."""
    for _ in range(DRAWS):
        drawn = space.sample(rng)
        if space.canonical(drawn) not in seen and costs.within(drawn):
            return drawn
    if costs.limits or not space.finite() or space.size() > LISTED:
        return None
    return next((a for a in space.enumerate() if space.canonical(a) not in seen), None)
