"""What is timed: fixed two-layer networks and architectures sampled from the spaces, on each data set."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.jobs import recipe_of


@dataclass(frozen=True)
class TwoLayers:
    """Hidden width 64 with dropout .5; GAT has 8 heads of 8 and dropout .6 on features and attention."""

    conv: str
    layers: int = 2
    readout: str = "mean"

    def network(self, net: Network) -> Value:
        gat, x = self.conv == "gat", net.x
        last = self.layers if net.task.level == "node" else 0
        for number in range(1, self.layers + 1):
            x = net.dropout(0.6 if gat else 0.5, x)
            heads: dict[str, Any] = {"heads": 8 if number != last else 1, "dropout": 0.6} if gat else {}
            x = net.operator(self.conv, x, net.outputs if number == last else 64, **heads)
            if number != last:
                x = net.activation("elu" if gat else "relu", x)
        return net.scores(x) if last else x


@dataclass(frozen=True)
class Case:
    """One network with its training."""

    name: str
    text: str
    recipe: Recipe


def fixed(task: Task) -> Iterator[Case]:
    """GCN, SAGE, GIN (with a two-layer perceptron) and GAT."""
    for conv in ("gcn", "sage", "gin-mlp", "gat"):
        yield Case(conv, source(TwoLayers(conv, 2 if task.level == "node" else 3), task), Recipe(lr=0.01))


def sampled(space: str, task: Task, number: int) -> Iterator[Case]:
    """Architectures drawn with seed 0, as a random search would meet them."""
    bound, rng = find(space).for_task(task), random.Random(0)
    for index in range(number):
        architecture = bound.sample(rng)
        recipe = recipe_of(architecture, task, Settings())
        yield Case(f"{space} {index}", source(architecture, task), recipe)


def short(case: Case, epochs: int) -> Case:
    """The same training, of so many epochs and without early stopping."""
    return replace(case, recipe=replace(case.recipe, epochs=epochs, patience=10**6))
