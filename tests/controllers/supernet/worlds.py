"""One-hot weights, and what a test of supernets needs of the network of an architecture."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data import Data

from nas.controllers.supernet.mixed import Knob
from nas.controllers.supernet.network import Supernet
from nas.controllers.supernet.sampling import Weights
from nas.data import load
from nas.searchspace.source import module
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from tests.nas.toys import graph, graphs


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
    return module(architecture, task)


def carrying(data: Data, seed: int = 0) -> Data:
    """The graph with two features and a weight for each edge."""
    generator, edges = torch.Generator().manual_seed(seed), data.edge_index.size(1)
    data.edge_attr = torch.randn(edges, 2, generator=generator)
    data.edge_weight = torch.rand(edges, generator=generator) + 0.5
    return data


def kinds() -> dict[str, Task]:
    """A task of each level, with and without what edges carry."""
    return {
        "nodes": load(graph(20)),
        "graphs": load(graphs(12)),
        "links": load(graph(20), task="link"),
        "nodes, carrying edges": load(carrying(graph(20))),
        "graphs, carrying edges": load([carrying(each) for each in graphs(12)]),
        "links, carrying edges": load(carrying(graph(20)), task="link"),
    }
