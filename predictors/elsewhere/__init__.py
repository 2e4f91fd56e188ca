"""How random networks of a space did on data sets of old: what is expected of others before any was tried here.

All of them classify nodes, and nothing is said of other tasks.

What was measured comes with the package, a file for each space that has one; see ``experiments/experience``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nas.predictors.agreement import one_more
from nas.predictors.base import Array
from nas.predictors.several_sources import SeveralSources
from nas.searchspace.encodings import one_hot
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task

HOME = Path(__file__).parent
LEVEL = "node"
"""Of the tasks that were trained on."""


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """Trainings of networks of a space on other data sets, never on the one at hand.

    Attributes:
        sources: names of the data sets.
        owners: ``[items]``, which of them each training was on.
        architectures: of the trained networks.
        values: ``[items]``, normal scores of their quality among the networks of the same data set, larger is better.
        weights: ``[items]``, what each says of the task at hand, at most 1; see :func:`resemblance`.
        evidence: how well others are ranked here, as far as that can be told: the rank correlation on each source of
            what was learned from the others, as one of so many items; see :func:`nas.predictors.agreement.one_more`.
    """

    sources: tuple[str, ...]
    owners: Array
    architectures: tuple[Any, ...]
    values: Array
    weights: Array
    evidence: tuple[float, int]


def spaces() -> list[str]:
    """Names of the spaces of which something is known."""
    return [name for name in SPACES.names() if _file(name).exists()]


def elsewhere(of: type[Any], task: Task) -> Elsewhere | None:
    """What is known of the architectures of a class from all data sets but that of the task; None if it is nothing.

    Where a task comes without its graph, as the report of a run has it, all weigh the same.
    """
    if task.level != LEVEL:
        return None
    for name in spaces():
        if SPACES.load(name) is of:
            return _read(name, task.name.lower(), sum(batch.x.size(0) for batch in task.train))
    return None


def resemblance(nodes: int, others: int) -> float:
    """What a data set of so many nodes says of one of others: the square root of the ratio of smaller to larger.

    Data sets that were left out were ranked better so than with all weights the same, in both spaces; see
    ``experiments/experience/learners.py``.
    """
    return float((min(nodes, others) / max(nodes, others)) ** 0.5) if nodes and others else 1.0


@lru_cache
def _read(name: str, but: str, nodes: int) -> Elsewhere | None:
    space, held = find(name), json.loads(_file(name).read_text())
    known = {data: rows for data, rows in held["trainings"].items() if data != but}
    if not known:
        return None
    rows, counts = [row for data in known.values() for row in data], [len(of) for of in known.values()]
    return Elsewhere(
        sources=tuple(known),
        owners=np.repeat(np.arange(len(known)), counts),
        architectures=tuple(space.from_knobs(_active(held["knobs"], knobs)) for _, *knobs in rows),
        values=np.array([value for value, *_ in rows]),
        weights=np.repeat([resemblance(held["nodes"][data], nodes) for data in known], counts),
        evidence=one_more([held["agreement"][data] for data in known], counts),
    )


def _file(name: str) -> Path:
    return HOME / f"{name}.json"


def _active(knobs: list[str], values: list[Any]) -> dict[str, Any]:
    return {knob: value for knob, value in zip(knobs, values, strict=True) if value is not None}


def prior(of: type[Any], task: Task) -> Callable[[Any], float] | None:
    """From an architecture to the normal score that is expected of it by its knobs alone.

    None if nothing is known of the architectures of the class.
    """
    known = elsewhere(of, task)
    return None if known is None else _prior(known)


@lru_cache
def learned(known: Elsewhere) -> SeveralSources:
    """What tells from encodings, ``one_hot``, what is expected of their architectures."""
    space, learner = Space(type(known.architectures[0])), SeveralSources()
    learner.fit(np.stack([one_hot(space, a) for a in known.architectures]), known.values, known.owners, known.weights)
    return learner


@lru_cache
def _prior(known: Elsewhere) -> Callable[[Any], float]:
    space, learner = Space(type(known.architectures[0])), learned(known)
    return lambda architecture: float(learner.predict(one_hot(space, architecture)[None])[0])
