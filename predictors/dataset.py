"""What a data set is like, in numbers that mean the same on every data set, however its features and classes are named.

Of its graphs everything may be looked at, of its labels those of the training split alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.predictors.descriptors import GRAPH, NODE, Labelled
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS, Task

CLASSES, NODES = 16, 24
"""So many classes, and so many training nodes of each, are described."""
KNOWN = ("log nodes", "log mean degree", "log features", "log outputs")
"""Statistics that can be told without the graph."""
STATISTICS = (*KNOWN, *GRAPH)


@dataclass(frozen=True, eq=False)
class Description:
    """What a data set is like.

    Attributes:
        statistics: ``[len(STATISTICS)]``, NaN where it is not known: without a graph all but ``KNOWN``.
        nodes: ``[CLASSES, NODES, len(NODE)]``, training nodes of each class, in no meaningful order.
        there: ``[CLASSES, NODES]``, which of these there are: none where no graph is at hand.
    """

    statistics: NDArray[np.float32]
    nodes: NDArray[np.float32]
    there: NDArray[np.bool_]


def described(task: Task, links: tuple[int, int] | None = None) -> Description:
    """What the data set of a task is like.

    Args:
        links: its nodes and undirected links, for one whose graph is not at hand.

    Raises:
        BadInput: if the task has no graph and the links are not given.
    """
    graphs = {id(batch.edge_index): batch for split in SPLITS for batch in task.batches(split)}.values()
    statistics = np.full(len(STATISTICS), np.nan, np.float32)
    nodes = np.zeros((CLASSES, NODES, len(NODE)), np.float32)
    there = np.zeros((CLASSES, NODES), bool)
    if graphs:
        links = sum(len(b.x) for b in graphs), sum(b.edge_index.shape[1] for b in graphs) // 2
    if links is None or not links[0]:
        raise BadInput(f"what {task.name} is like cannot be said: it has no graph here, nor numbers of nodes and links")
    known = links[0], 2 * max(links[1], 1) / links[0], max(task.features, 1), max(task.outputs, 1)
    statistics[: len(KNOWN)] = np.log(known)
    if any(len(batch.x) for batch in task.train):
        graph = Labelled(task)
        statistics[len(KNOWN) :] = graph.statistics()
        for number, members in enumerate(graph.classes(NODES)[:CLASSES]):
            nodes[number, : len(members)], there[number, : len(members)] = members, True
    return Description(statistics, nodes, there)
