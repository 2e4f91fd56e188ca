"""The constant part of every training on a task, computed once and shared by all candidates."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from nas.evaluation.engine.features import DENSEST, SparseFeatures, plain
from nas.evaluation.engine.graph import MATRICES, Edges, Whole, graph_of
from nas.searchspace.task import SPLITS, Batch, Task

SHARED = 4
"""The most graphs whose constant matrices are made before the workers start."""


def prepare(task: Task) -> Task:
    """The task with its constant part: sparse features where that pays, and edges that know their graph.

    On a GPU it is returned as it is. What is prepared travels to worker processes in shared memory.
    """
    if any(b.x.device.type != "cpu" for b in task.train):
        return task
    features: dict[int, Tensor] = {}
    edges: dict[tuple[int, int], Edges] = {}

    def prepared(batch: Batch) -> Batch:
        key = id(batch.x), id(batch.edge_index)  # the same edges may come with other features
        if key[0] not in features:
            features[key[0]] = batch.x if task.level == "graph" else _sparse_where_it_pays(batch.x)
        x, edge_index = features[key[0]], batch.edge_index.as_subclass(Tensor)
        if key not in edges:
            edges[key] = Edges.of(edge_index, Whole(edge_index, batch.x.size(0), x))
        return replace(batch, x=x, edge_index=edges[key])

    return task.map(prepared)


def complete(task: Task) -> None:
    """Make now what a prepared task would make when first asked for, so that processes share it.

    A task of many graphs is left alone: every tensor in shared memory takes one of the process's open files.
    """
    batches = [batch for split in SPLITS for batch in task.batches(split)]
    graphs = list({id(g): g for batch in batches if (g := graph_of(batch.edge_index)) is not None}.values())
    if len(graphs) <= SHARED:
        for graph in graphs:
            for name in MATRICES:
                graph.matrix(name)


def without_preparation(task: Task) -> Task:
    """The same task with ordinary tensors, as an exported module meets them."""
    return task.map(lambda b: replace(b, x=plain(b.x), edge_index=b.edge_index.as_subclass(Tensor)))


def _sparse_where_it_pays(x: Tensor) -> Tensor:
    if isinstance(x, SparseFeatures) or x.count_nonzero() >= DENSEST * x.numel():
        return x
    return SparseFeatures.of(x)
