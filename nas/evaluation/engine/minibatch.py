"""Mini-batches of prepared graphs: what the whole set has in order is taken out in order, and never sorted again."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from nas.data.collate import Offsets, gather, select
from nas.evaluation.engine.graph import MATRICES, PLAIN, Edges, Graph, Whole, graph_of
from nas.evaluation.engine.structure import Structure
from nas.searchspace.task import Batch


class Chosen(Graph):
    """Some of the graphs that lie side by side in a whole, in the order of ``graph_ids``."""

    def __init__(self, whole: Whole, at: Offsets, graph_ids: Tensor) -> None:
        super().__init__(None)
        self._whole, self._first, self._ids = whole, at.nodes, graph_ids
        self._nodes, self._node_shift, self._owner = gather(at.nodes, graph_ids)
        self._edges: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    def _make_structure(self, loops: str) -> Structure:
        whole = self._whole.structure(loops)
        edges, shift, owner = self._gathered(loops)
        node_shift = self._node_shift.int().index_select(0, owner)
        edge_shift = shift.int().index_select(0, owner)
        source, target, target_out = (
            rows.index_select(0, edges) - node_shift for rows in (whole.source, whole.target, whole.target_out)
        )
        order = whole.order.index_select(0, edges) - edge_shift
        starts = (self._starts(begin, shift, len(edges)) for begin in (whole.start, whole.start_out))
        start, start_out = starts
        return Structure(len(self._nodes), start, source, target, start_out, target_out, order)

    @cached_property
    def given(self) -> Tensor:
        """A graph's edges lie together as they are given, too."""
        edges, shift, owner = self._gathered(PLAIN)
        return self._whole.given.index_select(0, edges) - shift.index_select(0, owner)

    def _make_values(self, name: str) -> Tensor:
        return self._whole.values(name).index_select(0, self._gathered(MATRICES[name][0])[0])

    def _gathered(self, loops: str) -> tuple[Tensor, Tensor, Tensor]:
        """The edges of these graphs, how far those of each move up, and the graph of each.

        A graph's edges lie together whether they are sorted by target or by source.
        """
        if loops not in self._edges:
            first = self._whole.structure(loops).start.index_select(0, self._first).long()
            self._edges[loops] = gather(first, self._ids)
        return self._edges[loops]

    def _starts(self, begin: Tensor, shift: Tensor, edges: int) -> Tensor:
        moved = begin.index_select(0, self._nodes) - shift[self._owner].int()
        return torch.cat([moved, moved.new_tensor([edges])])

    def batch(self, batch: Batch, at: Offsets) -> Batch:
        """The chosen graphs of the collated batch that the whole was prepared from."""
        ids, _, owner = gather(at.edges, self._ids)
        edges = batch.edge_index.as_subclass(Tensor).index_select(1, ids) - self._node_shift[owner]
        x = batch.x.index_select(0, self._nodes)
        return Batch(
            x,
            Edges.of(edges, self),
            batch.y[self._ids],
            batch=self._owner,
            edge_weight=None if batch.edge_weight is None else batch.edge_weight.index_select(0, ids),
            edge_attr=None if batch.edge_attr is None else batch.edge_attr.index_select(0, ids),
        )


def chosen(batch: Batch, graph_ids: Tensor, at: Offsets) -> Batch:
    """``select`` for a batch that may be prepared: the mini-batch then is, too."""
    whole = graph_of(batch.edge_index)
    if not isinstance(whole, Whole):
        return select(batch, graph_ids, at)
    return Chosen(whole, at, graph_ids).batch(batch, at)
