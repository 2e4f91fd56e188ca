"""A small space with all that is shared and all that is not, searched with shared weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nas
from nas.searchspace import Network, Recipe, Task, Value, architecture, choice
from nas.searchspace.sharing import parts
from nas.study.records import searched
from tests.nas.toys import StopAfter, graph, search

DATA = graph()
SHARED = {"evaluator": "shared", "warm_up": 1, "keep": 3}


@architecture
class Deep:
    """64 networks with all that is shared and all that is not."""

    first: str = choice("gcn", "sage")
    second: str = choice("gcn", "sage")
    aggregate: str = choice("mean", "max")
    norm: str = choice("none", "batch")
    activation: str = choice("relu", "prelu")
    skip: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        x = net.x
        for conv in (self.first, self.second):
            settings = {"aggr": self.aggregate} if conv == "sage" else {}
            y = net.norm(self.norm, net.operator(conv, x, 4, **settings))
            x = net.activation(self.activation, net.add(y, net.linear(x, 4)) if self.skip else y)
        return x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=3, lr=0.05)


BASE = Deep(first="gcn", second="sage", aggregate="mean", norm="batch", activation="prelu", skip=True)


def shared(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Deep, "trials": 8, **SHARED, **more})


def resumed(name: str, **more: Any) -> Any:
    return nas.resume(name, data=DATA, space=Deep, **more)


def lenders(result: Any, mode: str = "homogeneous") -> set[int]:
    """Those whose weights are wanted: for each key the latest of the finished."""
    latest = {}
    for record in searched(result.records):
        if record.trial.values is not None:
            for part in parts(record.trial.architecture, result.plan.task, mode):
                latest[part.key] = record.trial.number
    return set(latest.values())


def kept(path: Path, of: str = "shared") -> set[str]:
    return {file.name for file in (path / of).iterdir()}


class Notes(StopAfter):
    """Stops, and remembers what it was told."""

    def __init__(self, trials: int = -1) -> None:
        super().__init__(trials)
        self.notes: list[str] = []
        self.totals: list[tuple[int, int]] = []

    def noted(self, note: str) -> None:
        self.notes.append(note)

    def finals(self, total: int, done: int) -> None:
        self.totals.append((total, done))
