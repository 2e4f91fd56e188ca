"""What the tests of predictors share: a space whose values are known, and the table of NAS-Bench-Graph."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nas.predictors.base import Array
from nas.searchspace.space import Space
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node
from nas.searchspace.task import Task

TASK = Task("small", "node", "multiclass", 5, 3, "accuracy", "random", "identity")
SPACE: Space[Any] = Space(NASBenchGraph).for_task(TASK)
TABLE = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"


def cell(*nodes: tuple[int, str]) -> NASBenchGraph:
    return NASBenchGraph(nodes=tuple(Node(input=source, op=op) for source, op in nodes))


@cache
def sampled(count: int, seed: int = 0) -> tuple[Any, ...]:
    """Different networks."""
    rng, found = random.Random(seed), dict[Any, None]()
    while len(found) < count:
        found[SPACE.canonical(SPACE.sample(rng))] = None
    return tuple(found)


def worth(architecture: NASBenchGraph) -> float:
    """Every operation counts on its own."""
    each = {"gcn": 2.0, "gat": 1.5, "sage": 1.0, "fc": -1.0, "skip": -2.0}
    return sum(each.get(node.op, 0.0) for node in SPACE.canonical(architecture).nodes)


def values(architectures: Any) -> Array:
    return np.array([worth(a) for a in architectures])


@cache
def rows(data: str, count: int) -> tuple[list[Any], Array]:
    """Random networks of the table and their validation quality."""
    with np.load(TABLE, allow_pickle=False) as table:
        column = table["datasets"].tolist().index(data)
        chosen = np.random.default_rng(0).permutation(len(table["key"]))[:count]
        names = table["op_names"].tolist()
        links, ops, valid = table["link"][chosen], table["op"][chosen], table["valid"][chosen, column]
    found = [cell(*((int(i), names[o]) for i, o in zip(*row, strict=True))) for row in zip(links, ops, strict=True)]
    return found, valid.astype(float)
