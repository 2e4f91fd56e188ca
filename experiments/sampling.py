"""Random networks that every script draws alike."""

from __future__ import annotations

import random
from typing import Any

from nas.searchspace.space import Space


def sampled(space: Space[Any], n: int, seed: int) -> list[Any]:
    """The first ``n`` different networks of a fixed random sequence."""
    rng, found = random.Random(seed), dict[Any, Any]()
    while len(found) < n:
        architecture = space.sample(rng)
        found.setdefault(space.canonical(architecture), architecture)
    return list(found.values())
