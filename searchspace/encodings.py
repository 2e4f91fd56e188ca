"""Architectures as numbers, graphs and text, for predictors. Plain functions of a space and an architecture."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from nas.searchspace.decode import every_knob, walk
from nas.searchspace.domains import Choice, Domain, Integer
from nas.searchspace.source import trace
from nas.searchspace.space import Space
from nas.searchspace.task import Task

LISTED = 32
"""An integer knob with more values than this is one number, like a real one."""


def columns(space: Space[Any]) -> list[str]:
    """What each entry of :func:`one_hot` means: ``layers.0.conv=gat``, ``layers.0.conv=(inactive)``, ``lr``."""
    return [name for path, domain in every_knob(space.of) for name in _columns(path, domain)]


def one_hot(space: Space[Any], architecture: Any) -> np.ndarray:
    """``[len(columns(space))]`` float32: every knob the space can have, with a category for inactive ones; numeric
    knobs with many values are scaled to 0..1 (in their logarithm where they are drawn so)."""
    values = {path: value for path, _, value in walk(architecture)}
    rows = [_encoded(domain, path in values, values.get(path)) for path, domain in every_knob(space.of)]
    return np.concatenate(rows).astype(np.float32) if rows else np.zeros(0, np.float32)


def text(architecture: Any) -> str:
    """One line of text, the same for equal architectures only: ``layers.0.conv=gcn layers.1.conv=gat hidden=64``."""
    return " ".join(f"{path}={_word(value)}" for path, _, value in walk(architecture))


@dataclass(frozen=True)
class ArchitectureGraph:
    """The network as a graph of operations.

    Attributes:
        operations: what each node does, in the order of computation; the first is ``input``, the last ``output``.
        widths: width of each node's result.
        adjacency: ``[nodes, nodes]`` bool; entry (i, j) says that j reads i.
    """

    operations: tuple[str, ...]
    widths: tuple[int, ...]
    adjacency: np.ndarray


def graph(architecture: Any, task: Task) -> ArchitectureGraph:
    """The architecture's network on this task as a graph of operations."""
    net, result = trace(architecture, task)
    position = {0: 0} | {step.output.number: i for i, step in enumerate(net.steps, 1)}
    size = len(net.steps) + 2
    adjacency = np.zeros((size, size), dtype=bool)
    for i, step in enumerate(net.steps, 1):
        for value in step.inputs:
            adjacency[position[value.number], i] = True
    adjacency[position[result.number], -1] = True
    operations = ("input", *(step.label for step in net.steps), "output")
    widths = (net.x.width, *(step.output.width for step in net.steps), net.outputs)
    return ArchitectureGraph(operations, widths, adjacency)


def _word(value: Any) -> str:
    """The value as JSON, without the quotes of text that cannot be taken for anything else."""
    bare = (
        isinstance(value, str) and re.fullmatch(r"[a-zA-Z][\w.+-]*", value) and value not in ("true", "false", "null")
    )
    return value if bare else json.dumps(value)


def _listed(domain: Domain) -> bool:
    return isinstance(domain, Choice) or (isinstance(domain, Integer) and domain.size() <= LISTED)


def _columns(path: str, domain: Domain) -> list[str]:
    if isinstance(domain, Choice | Integer) and _listed(domain):
        return [f"{path}={value}" for value in domain.values()] + [f"{path}=(inactive)"]
    return [path, f"{path}=(inactive)"]


def _encoded(domain: Domain, active: bool, value: Any) -> np.ndarray:
    if isinstance(domain, Choice | Integer) and _listed(domain):
        row = np.zeros(domain.size() + 1)
        row[list(domain.values()).index(value) if active else -1] = 1
        return row
    if not active:
        return np.array([0.0, 1.0])
    assert not isinstance(domain, Choice)
    scale = log if domain.log else float
    low, high = scale(domain.low), scale(domain.high)
    return np.array([(scale(value) - low) / max(high - low, 1e-12), 0.0])
