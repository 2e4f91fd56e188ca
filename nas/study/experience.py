"""What a table knows from other data sets, for a search on one of which it must know nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.evaluation.tables.base import Column
from nas.evaluation.tables.registry import find
from nas.metrics import METRICS
from nas.predictors.transfer import Experience
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from nas.searchspace.task import SPLITS, Task


def experience(table: str, root: str | None, space: Space[Any], task: Task) -> Experience:
    """What the table knows of the space from all data sets but the one of the task.

    Data sets on which it lacks some of the networks are no sources. Of each source the quality of a network is the mean
    of its normal scores by validation and by test: two measurements of the same thing, on a data set that is not the
    one searched.

    Raises:
        BadInput: if the table is of another space, has no other data set, or if the data set is one of a table that
            does not say how large it is.
    """
    found = find(table, root)
    same = [found.column(name) for name in found.datasets if name == task.name.lower()]
    columns = [found.column(name) for name in found.datasets if name != task.name.lower()]
    sources = [c for c in columns if c.network is not None and c.links is not None and whole(c)]
    if not sources or not _covers(sources[0], space):
        of = f"it knows networks of the space {sources[0].space.name}" if sources else "it knows no other data set"
        raise BadInput(f"the table {table} cannot be the prior of a search in {space.name}: {of}")
    scores = np.stack([quality(column) for column in sources], axis=1)
    row, network, theirs = sources[0].row, sources[0].network, sources[0].space
    assert network is not None
    more = space.every_knob().keys() - theirs.every_knob().keys()

    def scored(architectures: Sequence[Any]) -> NDArray[Any]:
        return scores[[row(a) for a in architectures]]

    def best(n: int, weights: NDArray[Any]) -> list[Any]:
        """Those of the space, which may have fewer operations than the table; other knobs, as a readout, are drawn."""
        rng, made = random.Random(0), list[Any]()
        for i in np.argsort(-(scores @ weights), kind="stable"):
            if len(made) == n:
                break
            knobs = (space.knobs(space.sample(rng)) if more else {}) | theirs.knobs(network(int(i)))
            try:
                made.append(space.canonical(space.from_knobs(knobs)))
            except BadInput:  # an operation that the space does not have
                continue
        return made

    return Experience(
        sources=tuple(c.task.name for c in sources),
        statistics=np.array([_statistics(c.task, c.links) for c in sources]),
        own=np.array(_statistics(task, same[0].links if same and same[0].task.features == task.features else None)),
        scores=scored,
        best=best,
    )


def whole(column: Column) -> bool:
    """Whether the quality of all its networks is known."""
    return all(np.isfinite(column.numbers[f"{split}_{column.task.metric}"]).all() for split in ("valid", "test"))


def _covers(column: Column, space: Space[Any]) -> bool:
    """Whether a network of the space has a row."""
    try:
        return column.row(space.sample(random.Random(0))) >= 0
    except (AttributeError, KeyError, IndexError):  # an architecture of another kind
        return False


def quality(column: Column) -> NDArray[Any]:
    """``[rows]``, larger is better."""
    sign = 1 if METRICS[column.task.metric].larger_is_better else -1
    splits = (column.numbers[f"{split}_{column.task.metric}"] for split in ("valid", "test"))
    found: NDArray[Any] = np.mean([normal_scores(sign * values) for values in splits], axis=0)
    return found


def _statistics(task: Task, links: tuple[int, int] | None) -> list[float]:
    """Logarithms of size, mean degree, features and outputs."""
    nodes, undirected = _counted(task) if links is None else links
    if not nodes:
        raise BadInput(f"a prior goes by how large data sets are, which the table does not say of {task.name}")
    return [math.log(n) for n in (nodes, max(2 * undirected, 1) / nodes, task.features, task.outputs)]


def _counted(task: Task) -> tuple[int, int]:
    graphs = {id(batch.edge_index): batch for split in SPLITS for batch in task.batches(split)}.values()
    return sum(len(b.x) for b in graphs), sum(b.edge_index.shape[1] for b in graphs) // 2
