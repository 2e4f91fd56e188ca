"""Copies of nodes, side by side: what each of them hears of, with the constants of the graph that they come from."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.evaluation.engine.graph import MATRICES, Graph, Whole
from nas.evaluation.engine.structure import Structure


class Copies(Graph):
    """Several parts of a graph as one without links between them; degrees are those of the whole graph.

    Args:
        whole: the graph.
        node: ``[rows]``, which node each row is a copy of.
        group: ``[rows]``, the part it belongs to; rows are sorted by group, then by node.
        inner: ``[rows]`` bool, the rows whose incoming edges are there. Their sources are in the same group.
        features: of the rows.
    """

    def __init__(self, whole: Whole, node: Tensor, group: Tensor, inner: Tensor, features: Tensor) -> None:
        super().__init__(features)
        self._whole, self._node, self.into = whole, node, inner.nonzero()[:, 0]
        self._shift = group * whole.nodes
        self._edges: dict[str, tuple[Tensor, Tensor]] = {}

    def _make_structure(self, loops: str) -> Structure:
        whole = self._whole.structure(loops)
        edges, target = self._gathered(loops)
        source = whole.source.index_select(0, edges).long() + self._shift.index_select(0, target)
        return Structure.of(torch.searchsorted(self._node + self._shift, source), target, len(self._node))

    def _make_values(self, name: str) -> Tensor:
        return self._whole.values(name).index_select(0, self._gathered(MATRICES[name][0])[0])

    def _gathered(self, loops: str) -> tuple[Tensor, Tensor]:
        """The edges of the whole graph that go into inner rows, and the row of each; sorted by row."""
        if loops not in self._edges:
            start = self._whole.structure(loops).start.long()
            node = self._node.index_select(0, self.into)
            first, number = start.index_select(0, node), start.diff().index_select(0, node)
            target = torch.repeat_interleave(self.into, number)
            shift = torch.repeat_interleave(first - number.cumsum(0) + number, number)
            self._edges[loops] = torch.arange(len(target)) + shift, target
        return self._edges[loops]
