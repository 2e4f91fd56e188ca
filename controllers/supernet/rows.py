"""One option of a step as a module, made from the row that generated source is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import torch
import torch.nn.functional as F
import torch_geometric.nn as pyg
from torch import Tensor

from nas.searchspace import operators
from nas.searchspace.elements import ACTIVATIONS, DECODERS, NORMALISATIONS, READOUTS
from nas.searchspace.errors import BadInput
from nas.searchspace.source import load, source
from nas.searchspace.task import Batch, Task


def layer(task: Task, inputs: int, outputs: int, name: str, **settings: Any) -> torch.nn.Module:
    """A layer of the operator table."""
    alone = replace(task, level="node", features=inputs, outputs=outputs, train=(), valid=(), test=())
    model: Any = load(source(_One(name, outputs, settings), alone))()
    made: torch.nn.Module = model.conv1
    return made


Taken = tuple[tuple[Any, ...], dict[str, Any]]


def arguments(task: Task, name: str) -> Callable[[Tensor, Batch], Taken]:
    """From what enters a layer of the table and the batch to the arguments that the layer is called with."""
    row = operators.find(name).on_edges(task.edge_weights, task.edge_features)
    names = {"call": lambda *given, **named: (given, named)}
    text = row.call.format(self="call", x="x")
    run: Any = eval(f"lambda x, edge_index, edge_weight, edge_attr: {text}", names)
    return lambda x, batch: run(x, batch.edge_index, batch.edge_weight, batch.edge_attr)


class _One:
    """An architecture of one operator."""

    def __init__(self, name: str, width: int, settings: dict[str, Any]) -> None:
        self.name, self.width, self.settings = name, width, settings

    def network(self, net: Any) -> Any:
        return net.scores(net.operator(self.name, net.x, self.width, **self.settings))


class Activation(torch.nn.Module):
    """An activation by its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        if name not in ACTIVATIONS:
            raise BadInput(f"there is no activation {name!r}")
        self.name, self.prelu = name, torch.nn.PReLU() if name == "prelu" else None
        self.run: Any = eval(f"lambda x: {ACTIVATIONS[name].format(x='x')}", {"torch": torch, "F": F})

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.run(x) if self.prelu is None else self.prelu(x)
        return out


def norm(name: str, width: int) -> torch.nn.Module:
    """A normalisation by its name."""
    if name == "none":
        return torch.nn.Identity()
    if name not in NORMALISATIONS:
        raise BadInput(f"there is no normalisation {name!r}")
    made: torch.nn.Module = eval(NORMALISATIONS[name].format(width=width), {"torch": torch})
    return made


class Readout(torch.nn.Module):
    """A readout by its name."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        construct, call, _ = READOUTS[name]
        names = {**vars(pyg), "torch": torch}
        self.made = eval(construct.format(width=width), names) if construct else None
        self.run: Any = eval(f"lambda made, x, batch: {call.format(self='made', x='x')}", names)

    def forward(self, x: Tensor, batch: Tensor) -> Tensor:
        out: Tensor = self.run(self.made, x, batch)
        return out


class Decoder(torch.nn.Module):
    """A decoder by its name."""

    def __init__(self, name: str, width: int, outputs: int) -> None:
        super().__init__()
        row = DECODERS[name]
        home = import_module(row.printed.partition(":")[0])
        self.reads = row.reads
        self.made: Any = eval(row.construct.format(width=width, outputs=outputs), vars(home))

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        out: Tensor = self.made(x, *batch.arguments(self.reads))
        return out
