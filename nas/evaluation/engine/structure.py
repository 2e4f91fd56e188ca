"""Edges in the order that products need, and constant matrices of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

HEADS_KEPT = 2
"""How many block structures of several heads are kept per structure; they take memory."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Edges sorted by target, and where each of them stands when sorted by source.

    Attributes:
        nodes: number of nodes.
        start: ``[nodes + 1]``; the edges into node i are ``start[i]`` to ``start[i + 1]``.
        source, target: ``[edges]``, sorted by target.
        start_out: ``[nodes + 1]``, as ``start`` for the edges sorted by source.
        target_out: ``[edges]``, the targets sorted by source.
        order: ``[edges]``; the k-th edge by source is the ``order[k]``-th by target.

    All int32, which sparse products take without a conversion.
    """

    nodes: int
    start: Tensor
    source: Tensor
    target: Tensor
    start_out: Tensor
    target_out: Tensor
    order: Tensor

    @staticmethod
    def of(source: Tensor, target: Tensor, nodes: int) -> Structure:
        """From edges in any order."""
        target, by_target = target.sort(stable=True)
        source = source[by_target]
        source_out, order = source.sort(stable=True)
        start, start_out = (torch.searchsorted(rows, torch.arange(nodes + 1)) for rows in (target, source_out))
        return Structure(nodes, *(t.int() for t in (start, source, target, start_out, target[order], order)))

    @cached_property
    def degree(self) -> Tensor:
        """``[nodes]`` int64, edges into each node."""
        return self.start.diff().long()

    @cached_property
    def into(self) -> Tensor:
        """``[nodes, edges]``, one where the edge goes into the node: sums over incoming edges."""
        return _csr(self.start, torch.arange(len(self.source), dtype=torch.int32), self._ones, self._by_edges)

    @cached_property
    def out_of(self) -> Tensor:
        """``[nodes, edges]``, one where the edge comes out of the node: sums over outgoing edges."""
        return _csr(self.start_out, self.order, self._ones, self._by_edges)

    def matrix(self, values: Tensor) -> Tensor:
        """``[nodes, nodes]``: row i holds the values of the edges into i at the columns of their sources."""
        return _csr(self.start, self.source, values, (self.nodes, self.nodes))

    def transposed(self, values: Tensor) -> Tensor:
        """The transposed ``matrix`` of the same values."""
        return _csr(self.start_out, self.target_out, values.index_select(0, self.order), (self.nodes, self.nodes))

    def heads(self, number: int) -> Structure:
        """The block graph of so many heads: node ``i * number + h`` stands for node i in head h.

        An attention with several heads over ``[nodes, heads, width]`` is one with a single head over
        ``[nodes * heads, width]`` of the block graph.
        """
        if number == 1:
            return self
        if number not in self._blocks:
            while len(self._blocks) >= HEADS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[number] = self._block(number)
        return self._blocks[number]

    def _block(self, heads: int) -> Structure:
        start, source, target = self._side(heads, self.start, self.source)
        start_out, target_out, source_out = self._side(heads, self.start_out, self.target_out)
        edge = self.order.index_select(0, self._positions(heads, self.start_out, start_out, source_out))
        head = source_out.remainder(heads)
        row = self.target.index_select(0, edge)
        order = start.index_select(0, row * heads + head) + edge - self.start.index_select(0, row)
        return Structure(self.nodes * heads, start, source, target, start_out, target_out, order)

    def _side(self, heads: int, start: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Start, columns and rows of the block graph, sorted by row."""
        degree = start.diff().repeat_interleave(heads)
        begin = torch.cat([degree.new_zeros(1), degree.cumsum(0, dtype=torch.int32)])
        row = torch.repeat_interleave(torch.arange(len(degree), dtype=torch.int32), degree)
        edge = self._positions(heads, start, begin, row)
        return begin, column.index_select(0, edge) * heads + row.remainder(heads), row

    def _positions(self, heads: int, start: Tensor, begin: Tensor, row: Tensor) -> Tensor:
        """Which edge of the original each edge of the block graph is."""
        within = torch.arange(len(row), dtype=torch.int32) - begin.index_select(0, row)
        return start.index_select(0, row.div(heads, rounding_mode="floor")) + within

    @cached_property
    def _ones(self) -> Tensor:
        return torch.ones(len(self.source))

    @cached_property
    def _blocks(self) -> dict[int, Structure]:
        return {}

    @property
    def _by_edges(self) -> tuple[int, int]:
        return self.nodes, len(self.source)


def _csr(start: Tensor, column: Tensor, values: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(start, column, values, size, check_invariants=False)


@dataclass(frozen=True, eq=False)
class Matrix:
    """A constant ``[nodes, nodes]`` matrix and its transpose."""

    forward: Tensor
    backward: Tensor

    @staticmethod
    def of(structure: Structure, values: Tensor) -> Matrix:
        return Matrix(structure.matrix(values), structure.transposed(values))

    def __reduce__(self) -> Any:
        return _matrix, tuple(
            part
            for m in (self.forward, self.backward)
            for part in (m.crow_indices(), m.col_indices(), m.values(), tuple(m.shape))
        )


def _matrix(*parts: Any) -> Matrix:
    return Matrix(_csr(*parts[:4]), _csr(*parts[4:]))
