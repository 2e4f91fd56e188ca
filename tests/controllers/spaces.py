"""Small spaces that the tests of controllers share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from nas.controllers import Problem, Trial
from nas.data import load
from nas.searchspace.formats import quantised
from nas.searchspace.language import architecture, choice, earlier, integer, nested, real, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from tests.nas.toys import graph


@architecture
class Flat:
    conv: str = choice("gcn", "gat", "sage")
    hidden: int = choice(16, 64, 256)
    skip: bool = choice(True, False)
    dropout: int = integer(0, 6)

    def network(self, net: Network) -> Value:
        x = net.operator(self.conv, net.x, self.hidden)
        longer = net.add(x, net.linear(net.x, self.hidden))
        return net.activation("relu", net.choose(self.skip, {True: longer, False: x}))


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

    def network(self, net: Network) -> Value:
        values = [net.linear(net.x, 4)]
        for node in self.nodes:
            h = net.choose(node.source, dict(enumerate(values)))
            convolved = {name: net.operator(name, h, 4) for name in ("gcn", "gat")}
            values.append(net.choose(node.conv, {**convolved, "skip": h}))
        return net.concat(*values[1:])

    def forbidden(self) -> str | None:
        return "all skip" if all(node.conv == "skip" for node in self.nodes) else None


@architecture
class Tiny:
    conv: str = choice("gcn", "gat")
    skip: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        x = net.operator(self.conv, net.x, 4)
        return net.choose(self.skip, {True: net.add(x, net.linear(net.x, 4)), False: x})


@architecture
class Single:
    conv: str = choice("gcn")

    def network(self, net: Network) -> Value:
        return net.operator(self.conv, net.x, 4)


@architecture
class Bit:
    on: str = choice("off", "low", "mid", "high")


@architecture
class Twelve:
    """Twelve knobs, each of which is best at its last option: random search needs millions of trials."""

    bits: tuple[Bit, ...] = repeat(Bit, 12, 12)

    def network(self, net: Network) -> Value:
        return net.x


SUPERNETS = ("lpgnas", "darts")
"""They train on a task's graphs, each before its first proposal."""

QUICK: dict[str, dict[str, int]] = {
    "evolution": {"population": 4, "sample": 2},
    "local-search": {"starts": 3},
    "tpe": {"startup": 4},
    "gp": {"startup": 4},
    "bo": {"startup": 4},
    "diffusion": {"startup": 4},
    "nsga2": {"population": 4},
    "lpgnas": {"epochs": 4},
    "darts": {"epochs": 4},
}
"""Options that bring a controller's own algorithm into a test of a few trials."""

SPACES = {of.__name__: Space(of) for of in (Flat, Conditional, Nested, Cell, Tiny)}
LISTED = ("Flat", "Cell", "Tiny")
"""Those without real numbers and lengths, whose networks can be one supernet."""


@cache
def task() -> Task:
    return load(graph(24))


def problem(name: str, space: Space[Any], seed: int = 0, objectives: int = 1) -> Problem:
    """With graphs for a controller that trains on them."""
    return Problem(space, seed, objectives, task() if name in SUPERNETS else None)


def with_formats(name: str, of: type[Any]) -> Any:
    """The class as a controller needs it: LPGNAS learns formats. The small ones stay as small."""
    weights = ("int4",) if of.__name__ in ("Tiny", "Single", "Messy") else ("int4", "int8")
    return quantised(of, weights=weights, **ONE_FORMAT) if name == "lpgnas" else of


ONE_FORMAT: dict[str, Any] = {
    "activations": ("affine8",),
    "messages": ("int8",),
    "attention": ("affine8",),
    "protect": (0.0,),
}


def space_for(name: str, which: str = "Conditional") -> Space[Any]:
    """Grid lists, and supernets have no real numbers: they take finite spaces."""
    if (name == "grid" and which == "Conditional") or (name in SUPERNETS and which not in LISTED):
        which = "Flat"
    return Space(with_formats(name, SPACES[which].of)) if name == "lpgnas" else SPACES[which]


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
