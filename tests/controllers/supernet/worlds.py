"""One-hot weights, and what a test of supernets needs of the network of an architecture."""

from __future__ import annotations

from typing import Any

import torch

from nas.controllers.supernet.mixed import Knob
from nas.controllers.supernet.network import Supernet
from nas.controllers.supernet.sampling import Weights
from nas.searchspace.source import load, source
from nas.searchspace.space import Space
from nas.searchspace.task import Task


def one_hot(knobs: tuple[Knob, ...], chosen: dict[str, Any]) -> Weights:
    """Of the options with these values by path; of what is not there the first."""
    found = []
    for knob in knobs:
        weights = torch.zeros(len(knob.options))
        weights[knob.options.index(chosen.get(knob.path, knob.options[0]))] = 1
        found.append(weights)
    return Weights(tuple(found))


def even(knobs: tuple[Knob, ...]) -> Weights:
    return Weights(tuple(torch.full((len(knob.options),), 1 / len(knob.options)) for knob in knobs))


def supernet(of: Any, task: Task) -> Supernet:
    torch.manual_seed(0)
    return Supernet(Space(of).for_task(task).of, task)


def network(architecture: Any, task: Task) -> Any:
    torch.manual_seed(1)
    return load(source(architecture, task))()
