"""Small spaces that the tests of controllers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.controllers import Trial
from nas.searchspace.language import architecture, choice, earlier, integer, nested, real, repeat
from nas.searchspace.space import Space


@architecture
class Flat:
    conv: str = choice("gcn", "gat", "sage")
    hidden: int = choice(16, 64, 256)
    skip: bool = choice(True, False)
    dropout: int = integer(0, 6)


@architecture
class Conditional:
    conv: str = choice("gcn", "gat", "arma")
    heads: int | None = choice(1, 4, 8, when=lambda a: a.conv == "gat")
    stacks: int | None = integer(1, 4, when=lambda a: a.conv == "arma")
    rate: float = real(1e-4, 1e-1, log=True)


@architecture
class Layer:
    conv: str = choice("gcn", "gat")
    heads: int | None = choice(1, 4, when=lambda a: a.conv == "gat")


@architecture
class Nested:
    head: Layer = nested(Layer)
    layers: tuple[Layer, ...] = repeat(Layer, 1, 3)


@architecture
class Node:
    source: int = earlier()
    conv: str = choice("gcn", "gat", "skip")


@architecture
class Cell:
    nodes: tuple[Node, ...] = repeat(Node, 3, 3)

    def forbidden(self) -> str | None:
        return "all skip" if all(node.conv == "skip" for node in self.nodes) else None


@architecture
class Tiny:
    conv: str = choice("gcn", "gat")
    skip: bool = choice(True, False)


@architecture
class Single:
    conv: str = choice("gcn")


@architecture
class Bit:
    on: str = choice("off", "low", "mid", "high")


@architecture
class Twelve:
    """Twelve knobs, each of which is best at its last option: random search needs millions of trials."""

    bits: tuple[Bit, ...] = repeat(Bit, 12, 12)


QUICK: dict[str, dict[str, int]] = {
    "evolution": {"population": 4, "sample": 2},
    "local-search": {"starts": 3},
    "tpe": {"startup": 4},
    "gp": {"startup": 4},
    "bo": {"startup": 4},
    "diffusion": {"startup": 4},
    "nsga2": {"population": 4},
}
"""Options that bring a controller's own algorithm into a test of a few trials."""

SPACES = {of.__name__: Space(of) for of in (Flat, Conditional, Nested, Cell, Tiny)}


def score(architecture: Any) -> float:
    """A smooth-ish value in which every knob counts on its own."""
    return sum(_worth(value) for value in SPACES[type(architecture).__name__].knobs(architecture).values())


def _worth(value: Any) -> float:
    return float(sum(map(ord, value)) % 7) if isinstance(value, str) else float(value)


def solved(architecture: Twelve) -> float:
    """The share of the best options, 0 to 1."""
    worth = {"off": 0, "low": 1, "mid": 2, "high": 3}
    return sum(worth[bit.on] for bit in architecture.bits) / 36


def judge(number: int, architectures: Sequence[Any], objectives: int = 1) -> list[Trial]:
    """The trials numbered from ``number``. Every seventh one failed."""
    trials = []
    for i, a in enumerate(architectures, start=number):
        values = (score(a), -float(len(str(a))))[:objectives]
        trials.append(Trial(i, a, None if i % 7 == 3 else values, reason="out of memory" if i % 7 == 3 else None))
    return trials
