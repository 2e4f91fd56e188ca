"""A graph neural network on architectures as a predictor. Uses JAX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from nas.predictors.base import Array, Encoding
from nas.predictors.encoder import Graph

LEAST = 8
"""Nodes that there is room for at least; beyond, in steps of half as many again."""


class GraphNetwork:
    """Graph neural networks on the networks themselves, trained together.

    Wen et al., "Neural Predictor for Neural Architecture Search", ECCV 2020 (arXiv 1912.00848), and Ning et al., "A
    Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based NAS", ECCV 2020 (arXiv 2004.01899):
    nodes are operators, messages go both ways along the data. Here a node is told by its name, its settings and the
    width of its result, plain steps are words of the node that they follow, and the mean and the largest of all nodes
    are read out beside the columns of other predictors. Without the counts among these the rank correlation after 50
    networks of NAS-Bench-Graph fell from .62 to .45, mean of three data sets. See
    ``nas.predictors.committee`` for how the members differ and how sure they are.

    Args:
        seed: of the members' weights and of the items that each sees.
    """

    encoding: ClassVar[Encoding] = "graph"

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def fit(self, inputs: Sequence[Graph], values: Array) -> None:
        from nas.predictors.committee import Committee
        from nas.predictors.message_passing import MESSAGE_PASSING

        words = sorted({word for graph in inputs for said in _said(graph) for word in said})
        self._words = {word: column for column, word in enumerate(words)}
        self._columns = -(-len(words) // 32) * 32 + 1  # one shape for vocabularies of about a size
        self._room = LEAST
        self._committee = Committee(MESSAGE_PASSING, self._seed)
        self._committee.fit(self._arrays(inputs), values)

    def predict(self, inputs: Sequence[Graph]) -> tuple[Array, Array]:
        return self._committee.predict(self._arrays(inputs))

    def _arrays(self, graphs: Sequence[Graph]) -> dict[str, Array]:
        """What each node is, which exist, which reads which, and the features beside the network."""
        self._room = room = _room(max(len(graph.skeleton.names) for graph in graphs), self._room)
        nodes = np.zeros((len(graphs), room, self._columns), np.float32)
        exists, reads = np.zeros((len(graphs), room), np.float32), np.zeros((len(graphs), room, room), np.float32)
        for i, graph in enumerate(graphs):
            exists[i, : len(graph.skeleton.names)] = 1
            nodes[i, : len(graph.skeleton.names), -1] = np.log2(graph.skeleton.widths) / 8
            for node, (said, sources) in enumerate(zip(_said(graph), graph.skeleton.sources, strict=True)):
                for word in said:
                    if word in self._words:
                        nodes[i, node, self._words[word]] = 1
                for source in sources:
                    reads[i, node, source] = 1
        row = np.stack([graph.row for graph in graphs])
        return {"nodes": nodes, "exists": exists, "reads": reads, "row": row * row.shape[1] ** 0.5}


def _said(graph: Graph) -> list[list[str]]:
    """The words of each node, a setting together with whose it is."""
    made = graph.skeleton
    return [
        [name, *(f"{name} {word}" if "=" in word else word for word in words)]
        for name, words in zip(made.names, made.words, strict=True)
    ]


def _room(nodes: int, room: int) -> int:
    while room < nodes:
        room += room // 2
    return room
