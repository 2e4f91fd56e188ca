"""Items of the test split that training has seen: twin nodes, nodes with the same features, the same graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.searchspace.task import Batch, Task

ROUNDS = 4
"""Of colour refinement. Two molecules that still look alike after them are the same in practice."""
RICH = 0.5
"""Distinct rows of features, as a share of all, from which on equal rows are no accident."""
NEIGHBOURS = 3
"""Fewer of them are often shared by accident."""
Hashes = NDArray[np.uint64]
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Seen:
    """Items of the test split that have their like in training.

    Attributes:
        what: in what they are alike, to be read after "have".
        items: how many there are in the test split.
        seen: how many of them are like one of training.
        agreeing: how many of those have a label of one that they are like.
    """

    what: str
    items: int
    seen: int
    agreeing: int


def made_from_graph(task: Task) -> bool:
    """Whether the features of the nodes were made from the edges, for there were none."""
    return any(word in how.lower() for how in task.transforms for word in ("degree", "walk", "laplacian"))


def seen(task: Task) -> tuple[Seen, ...]:
    """What of the test split has its like in training; nothing for links."""
    if task.level == "link" or not task.train or not task.test:
        return ()
    if task.level == "node" and len(task.train) == 1 and task.train[0].x is task.test[0].x:
        return _nodes(task.train[0], task.test[0], task)
    theirs, ours = (np.concatenate([graph_hashes(batch) for batch in task.batches(s)]) for s in ("train", "test"))
    if task.level == "node":  # whole graphs, whose nodes have labels each
        return (_counted("the same features and edges", theirs, ours, theirs, ours),)
    known, asked = (_labels(task.batches(split)) for split in ("train", "test"))
    return (_counted("the same features and edges", theirs, ours, known, asked),)


def _nodes(train: Batch, test: Batch, task: Task) -> tuple[Seen, ...]:
    known, asked = (torch.arange(len(b.x)) if b.index is None else b.index for b in (train, test))
    nodes = len(train.x)
    labels = np.zeros(nodes, dtype=np.uint64)
    for batch, rows in ((train, known), (test, asked)):
        labels[rows.numpy()] = _labels([batch])

    def among(what: str, hashes: Hashes, chosen: NDArray[np.bool_]) -> Seen:
        theirs, ours = (rows.numpy()[chosen[rows.numpy()]] for rows in (known, asked))
        found = _counted(what, hashes[theirs], hashes[ours], labels[theirs], labels[ours])
        return replace(found, items=len(asked))

    near, many = around(train), (torch.bincount(train.edge_index[1], minlength=nodes) >= NEIGHBOURS).numpy()
    out = [among(f"the same {NEIGHBOURS} or more neighbours", near, many)]
    features, filled = row_hashes(train.x), (train.x != 0).any(1).numpy()
    if not made_from_graph(task) and len(np.unique(features)) >= RICH * nodes:
        out.append(among("the same features", features, filled))
        out.append(among("the same features and neighbours", _mixed(features) + near, filled))
    return tuple(out)


def _counted(what: str, theirs: Hashes, ours: Hashes, known: NDArray[np.generic], asked: NDArray[np.generic]) -> Seen:
    found: dict[int, set[object]] = {}
    for item, label in zip(theirs.tolist(), known.tolist(), strict=True):
        found.setdefault(item, set()).add(label)
    like = [(found[item], label) for item, label in zip(ours.tolist(), asked.tolist(), strict=True) if item in found]
    return Seen(what, len(ours), len(like), sum(label in labels for labels, label in like))


def _labels(batches: Sequence[Batch]) -> Hashes:
    return np.concatenate([row_hashes(batch.y[:, None] if batch.y.dim() == 1 else batch.y) for batch in batches])


def row_hashes(matrix: Tensor) -> Hashes:
    """``[rows]``, equal for rows of equal bytes; -0.0 is 0.0."""
    plain = (matrix + 0.0 if matrix.is_floating_point() else matrix).contiguous().numpy()
    made = [int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") for row in plain]
    return np.array(made, dtype=np.uint64)


def around(graph: Batch) -> Hashes:
    """``[nodes]``, equal for nodes with the same neighbours, the node itself left out; edges count once."""
    nodes, (source, target) = len(graph.x), graph.edge_index
    pairs = torch.unique((source * nodes + target)[source != target])
    source, target = pairs.div(nodes, rounding_mode="floor"), pairs.remainder(nodes)
    return _summed(_mixed(source.numpy().astype(np.uint64)), target.numpy(), nodes)


def graph_hashes(batch: Batch) -> Hashes:
    """``[graphs]``, equal for graphs that colour refinement by Weisfeiler and Leman does not tell apart.

    Colours begin with the features of the nodes; features of edges take part.
    """
    nodes, (source, target) = len(batch.x), batch.edge_index.numpy()
    colour = row_hashes(batch.x)
    edge = np.zeros(len(source), dtype=np.uint64) if batch.edge_attr is None else row_hashes(batch.edge_attr)
    for _ in range(ROUNDS):
        colour = _mixed(colour * _ODD + _summed(_mixed(colour[source] + _mixed(edge)), target, nodes))
    owner = np.zeros(nodes, dtype=np.int64) if batch.batch is None else batch.batch.numpy()
    graphs = len(batch.y) if batch.batch is not None else 1
    return _summed(_mixed(colour), owner, graphs) + np.bincount(owner, minlength=graphs).astype(np.uint64)


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64, so that sums of hashes do not cancel."""
    z = values + _ODD
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


def _summed(values: Hashes, owner: NDArray[np.int64], owners: int) -> Hashes:
    """The sum of the values of each owner, modulo 2**64."""
    out = np.zeros(owners, dtype=np.uint64)
    np.add.at(out, owner, values)
    return out
