"""Graphs of some dozen nodes, spaces of some dozen networks, and layers that misbehave."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import Any

import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

import nas
from nas.data import load
from nas.evaluation.executors import InProcess
from nas.evaluation.job import Job, Outcome
from nas.result import Result
from nas.searchspace import Network, Recipe, Task, Value, architecture, choice, integer
from nas.searchspace.errors import BadInput
from nas.searchspace.operators import OPERATORS, operator
from nas.searchspace.source import source
from nas.study.plan import Plan
from nas.study.records import Record
from nas.study.search import Silent

MEASURED = ("seconds", "latency")
"""What the clock says, which differs from run to run."""


def graph(nodes: int = 48, classes: int = 3, features: int = 5, seed: int = 0) -> Data:
    """A ring with chords in which the features hint at the classes."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(nodes) % classes
    x = torch.randn(nodes, features, generator=generator) + torch.nn.functional.one_hot(y, features)
    ring = torch.stack([torch.arange(nodes), (torch.arange(nodes) + 1) % nodes])
    chords = torch.randint(nodes, (2, nodes), generator=generator)
    return Data(x=x, edge_index=to_undirected(torch.cat([ring, chords], 1), num_nodes=nodes), y=y)


def graphs(count: int = 24, seed: int = 0) -> list[Data]:
    """Rings of two classes, labelled as a whole."""
    made = []
    for number in range(count):
        data = graph(5 + number % 4, classes=2, features=3, seed=seed + number)
        data.x = data.x + (number % 2)
        data.y = torch.tensor([number % 2])
        made.append(data)
    return made


def task(**more: Any) -> Task:
    return load(graph(**more))


@architecture
class Toy:
    """24 networks; all train."""

    conv: str = choice("gcn", "sage", "fc")
    hidden: int = choice(2, 4, 6, 8)
    dropout: float = choice(0.0, 0.3)

    def network(self, net: Network) -> Value:
        x = net.activation("relu", net.operator(self.conv, net.x, self.hidden))
        return net.dropout(self.dropout, x)

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=2)


@architecture
class Messy:
    """12 descriptions of 10 networks, of which four cannot be trained."""

    conv: str = choice("gcn", "fc", "bad")
    hidden: int = choice(2, 4)
    bias: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        if self.conv == "bad" and self.hidden == 2:
            raise BadInput("two is bad")
        if self.conv == "bad":
            return net.linear(net.x, [][0])
        x = (
            net.operator(self.conv, net.x, self.hidden)
            if self.conv == "gcn"
            else net.linear(net.x, self.hidden, bias=self.bias)
        )
        return net.activation("relu", x)

    def supernet(self, net: Network) -> Value:
        maps = {"gcn": net.operator("gcn", net.x, self.hidden), "fc": net.linear(net.x, self.hidden)}
        return net.activation("relu", net.choose(self.conv, {**maps, "bad": maps["fc"]}))

    def canonical(self, task: Task | None) -> Messy:
        return replace(self, bias=True) if self.conv == "gcn" else self

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=2)


@architecture
class Wide:
    """128 networks."""

    conv: str = choice("gcn", "sage")
    hidden: int = integer(1, 64)

    def network(self, net: Network) -> Value:
        return net.activation("relu", net.operator(self.conv, net.x, self.hidden))

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=2)


@architecture
class One:
    """A single network, with the operator that a test gives it."""

    conv: str = choice("one")

    def network(self, net: Network) -> Value:
        return net.scores(net.operator(OP[0], net.x, net.outputs))

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=2)


OP = ["fc"]


class Dies(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        os._exit(7)


class Killed(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        os.kill(os.getpid(), signal.SIGKILL)


class Hangs(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        time.sleep(600)


class Raises(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        raise LookupError("no such thing\nand more")


class Exits(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        raise SystemExit("good bye")


class Shapeless(torch.nn.Module):
    """Returns one column too many."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs + 1)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Shorter(torch.nn.Module):
    """Leaves the first node out."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x)[1:]


class NotANumber(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * float("nan")


class Weightless(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return x[:, : self.outputs]


class Huge(torch.nn.Module):
    """Wants 8 GiB."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(2**31, outputs)


MISBEHAVING = {
    "dies": Dies,
    "killed": Killed,
    "hangs": Hangs,
    "raises": Raises,
    "exits": Exits,
    "shapeless": Shapeless,
    "shorter": Shorter,
    "nan": NotANumber,
    "weightless": Weightless,
    "huge": Huge,
}


def job(name: str, task: Task, architecture: Any = None, **more: Any) -> Job:
    """A training of one operator of the table or of a layer of this file, or of an architecture."""
    before = dict(OPERATORS)
    if name in MISBEHAVING:
        operator("toy-" + name)(MISBEHAVING[name])
    OP[0] = "toy-" + name if name in MISBEHAVING else name
    try:
        text = source(architecture or One(conv="one"), task)
    finally:
        OP[0] = "fc"
        OPERATORS.clear()
        OPERATORS.update(before)
    recipe = more.pop("recipe", Recipe(epochs=2))
    return Job(source=text, recipe=recipe, seed=0, metrics=more.pop("metrics", (task.metric,)), **more)


def numbers(outcome: Outcome) -> dict[str, float]:
    """What was measured, without the clock."""
    return {name: value for name, value in outcome.metrics.items() if name not in MEASURED}


def search(data: Any = None, name: str = "run", **more: Any) -> Result:
    given = {"space": Toy, "controller": "random", "trials": 4, "device": "cpu", **more}
    return nas.search(graph() if data is None else data, name=name, **given)


def told(records: Any) -> list[Any]:
    """Everything of the trials that must not depend on the clock."""
    rows = []
    for record in records:
        trial = record.trial
        measured = {k: v for k, v in trial.metrics.items() if k not in MEASURED}
        what = (trial.number, trial.architecture, trial.values, trial.reason, measured)
        rows.append((*what, record.origin, record.repeats))
    return rows


class _Slots:
    """Two slots that run a job when it is waited for, so that two are out at a time."""

    slots = 2

    def __init__(self, inner: InProcess) -> None:
        self.inner = inner

    def __enter__(self) -> Any:
        self.inner.__enter__()
        return self

    def __exit__(self, *rest: Any) -> None:
        self.inner.__exit__(*rest)

    def submit(self, job: Any) -> Any:
        return self.inner.submit(job)


def two_slots(plan: Plan) -> Any:
    """In place of ``Plan.executor``: two jobs at a time, in this very process."""
    return _Slots(InProcess(plan.task, "cpu"))


class StopAfter(Silent):
    """A watcher that stops the search when so many trials are stored."""

    def __init__(self, trials: int, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.trials, self.error = trials, error

    def recorded(self, record: Record) -> None:
        if record.trial.number + 1 == self.trials:
            raise self.error("enough")
