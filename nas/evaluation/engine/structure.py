"""The edges of a graph in the order that products need, and the constant matrices made of them."""

from __future__ import annotations

from collections.abc import Callable
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


class Graph:
    """Everything that layers need of an ``edge_index``, each made when it is first asked for and then kept.

    ``plain`` has the edges as they are, ``looped`` exactly one self-loop at every node, ``with_itself`` one self-loop
    at every node beside those that are there. ``features`` are the node features before any dropout.
    """

    def __init__(self, edge_index: Tensor, nodes: int, features: Tensor | None = None) -> None:
        self._edges, self._nodes, self.features = edge_index, nodes, features

    @cached_property
    def plain(self) -> Structure:
        return Structure.of(self._edges[0], self._edges[1], self._nodes)

    @cached_property
    def with_itself(self) -> Structure:
        edges = torch.cat([self._edges, torch.arange(self._nodes).expand(2, -1)], dim=1)
        return Structure.of(edges[0], edges[1], self._nodes)

    @cached_property
    def looped(self) -> Structure:
        loops = self._edges[0] == self._edges[1]
        if not loops.any():
            return self.with_itself
        edges = torch.cat([self._edges[:, ~loops], torch.arange(self._nodes).expand(2, -1)], dim=1)
        return Structure.of(edges[0], edges[1], self._nodes)

    @cached_property
    def sum(self) -> Matrix:
        """A."""
        return self._made("plain", lambda s: torch.ones(len(s.source)))

    @cached_property
    def mean(self) -> Matrix:
        """D^-1 A, D counting incoming edges."""
        return self._made("plain", _mean)

    @cached_property
    def sum_with_itself(self) -> Matrix:
        """A + I."""
        return self._made("with_itself", lambda s: torch.ones(len(s.source)))

    @cached_property
    def mean_with_itself(self) -> Matrix:
        """(D + I)^-1 (A + I)."""
        return self._made("with_itself", _mean)

    @cached_property
    def gcn(self) -> Matrix:
        """D^-1/2 (A + I) D^-1/2 with one self-loop a node (Kipf and Welling, ICLR 2017, eq. 2)."""
        return Matrix.of(self.looped, self.gcn_values)

    @cached_property
    def gcn_values(self) -> Tensor:
        """The values of ``gcn`` along the edges of ``looped``."""
        return _symmetric(self.looped)

    @cached_property
    def looped_sum(self) -> Matrix:
        """A + I with one self-loop a node."""
        return self._made("looped", lambda s: torch.ones(len(s.source)))

    @cached_property
    def symmetric(self) -> Matrix:
        """D^-1/2 A D^-1/2, D counting incoming edges."""
        return self._made("plain", _symmetric)

    @cached_property
    def laplacian(self) -> Matrix:
        """L - I = -D^-1/2 A D^-1/2 without self-loops, D counting outgoing edges: Chebyshev's scaled Laplacian."""
        return self._made("plain", _scaled_laplacian)

    def propagated(self, matrix: str, times: int = 1) -> Tensor:
        """The (dense) features times a power of a matrix."""
        assert self.features is not None
        if (matrix, times) not in self._propagated:
            before = self.features if times == 1 else self.propagated(matrix, times - 1)
            self._propagated[matrix, times] = torch.sparse.mm(getattr(self, matrix).forward, before, "sum")
        return self._propagated[matrix, times]

    @cached_property
    def _propagated(self) -> dict[tuple[str, int], Tensor]:
        return {}

    def _made(self, structure: str, values: Callable[[Structure], Tensor]) -> Matrix:
        of: Structure = getattr(self, structure)
        return Matrix.of(of, values(of))


def _mean(structure: Structure) -> Tensor:
    return structure.degree.float().reciprocal().index_select(0, structure.target)


def _symmetric(structure: Structure) -> Tensor:
    root = structure.degree.float().rsqrt()
    root = root.masked_fill(root.isinf(), 0.0)
    return root.index_select(0, structure.source) * root.index_select(0, structure.target)


def _scaled_laplacian(structure: Structure) -> Tensor:
    other = structure.source != structure.target
    degree = torch.zeros(structure.nodes).index_add_(0, structure.source, other.float())
    root = degree.rsqrt()
    root = root.masked_fill(root.isinf(), 0.0)
    return -root.index_select(0, structure.source) * root.index_select(0, structure.target) * other


class Edges(Tensor):
    """An ``edge_index`` that knows its graph. Whatever is computed from it is an ordinary tensor."""

    graph: Graph

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def of(edge_index: Tensor, graph: Graph) -> Edges:
        made: Edges = Tensor._make_subclass(Edges, edge_index)
        made.graph = graph
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Edges.of, (self.as_subclass(Tensor), self.graph)


def graph_of(edge_index: Tensor) -> Graph | None:
    """The prepared graph of these edges, if they are prepared."""
    return edge_index.graph if isinstance(edge_index, Edges) else None
