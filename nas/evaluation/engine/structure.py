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

    def __reduce__(self) -> Any:
        return _matrix, tuple(
            part
            for m in (self.forward, self.backward)
            for part in (m.crow_indices(), m.col_indices(), m.values(), tuple(m.shape))
        )


def _matrix(*parts: Any) -> Matrix:
    return Matrix(_csr(*parts[:4]), _csr(*parts[4:]))


PLAIN, LOOPED, WITH_ITSELF = "plain", "looped", "with itself"
"""Edges as they are; with exactly one self-loop at every node; with one at every node beside those that are there."""


def _ones(structure: Structure) -> Tensor:
    return torch.ones(len(structure.source))


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


MATRICES: dict[str, tuple[str, Callable[[Structure], Tensor]]] = {
    "sum": (PLAIN, _ones),
    "mean": (PLAIN, _mean),
    "symmetric": (PLAIN, _symmetric),
    "laplacian": (PLAIN, _scaled_laplacian),
    "looped sum": (LOOPED, _ones),
    "gcn": (LOOPED, _symmetric),
    "sum with itself": (WITH_ITSELF, _ones),
    "mean with itself": (WITH_ITSELF, _mean),
}
"""Edges and values of each constant matrix, D counting incoming edges: A; D^-1 A; D^-1/2 A D^-1/2; L - I =
-D^-1/2 A D^-1/2 without self-loops, D counting outgoing edges, which is Chebyshev's scaled Laplacian; A + I; Kipf and
Welling's normalisation (ICLR 2017, eq. 2); and the mean over a node and its neighbours."""


class Graph:
    """Everything that layers need of an ``edge_index``, each made when it is first asked for and then kept.

    Attributes:
        features: the node features before any dropout, or None.
    """

    def __init__(self, features: Tensor | None) -> None:
        self.features = features
        self._structures: dict[str, Structure] = {}
        self._values: dict[str, Tensor] = {}
        self._matrices: dict[str, Matrix] = {}
        self._propagated: dict[tuple[str, int], Tensor] = {}

    def structure(self, loops: str) -> Structure:
        """The edges with these self-loops."""
        if loops not in self._structures:
            self._structures[loops] = self._make_structure(loops)
        return self._structures[loops]

    def values(self, name: str) -> Tensor:
        """The values of a constant matrix along the edges of its structure."""
        if name not in self._values:
            self._values[name] = self._make_values(name)
        return self._values[name]

    def matrix(self, name: str) -> Matrix:
        """One of ``MATRICES``."""
        if name not in self._matrices:
            self._matrices[name] = Matrix.of(self.structure(MATRICES[name][0]), self.values(name))
        return self._matrices[name]

    def propagated(self, name: str, times: int = 1) -> Tensor:
        """The (dense) features times a power of a matrix."""
        if (name, times) not in self._propagated:
            self._propagated[name, times] = self._make_propagated(name, times)
        return self._propagated[name, times]

    def _make_structure(self, loops: str) -> Structure:
        raise NotImplementedError

    def _make_values(self, name: str) -> Tensor:
        raise NotImplementedError

    def _make_propagated(self, name: str, times: int) -> Tensor:
        before = self.features if times == 1 else self.propagated(name, times - 1)
        assert before is not None
        return torch.sparse.mm(self.matrix(name).forward, before, "sum")


class Whole(Graph):
    """The graph of an ``edge_index`` as it comes."""

    def __init__(self, edge_index: Tensor, nodes: int, features: Tensor | None = None) -> None:
        super().__init__(features)
        self.edges, self.nodes = edge_index, nodes
        self.reaches: dict[int, Any] = {}

    def _make_structure(self, loops: str) -> Structure:
        edges, itself = self.edges, torch.arange(self.nodes).expand(2, -1)
        if loops == LOOPED:
            is_loop = edges[0] == edges[1]
            if not is_loop.any():
                return self.structure(WITH_ITSELF)
            edges = edges[:, ~is_loop]
        edges = edges if loops == PLAIN else torch.cat([edges, itself], dim=1)
        return Structure.of(edges[0], edges[1], self.nodes)

    def _make_values(self, name: str) -> Tensor:
        loops, values = MATRICES[name]
        return values(self.structure(loops))


class Part(Graph):
    """Some nodes of a graph and the edges into some of those; values are those of the whole graph.

    Args:
        whole: the graph.
        nodes: ``[kept]``, in order; None keeps all.
        into: ``[targets]``, the nodes whose incoming edges are kept; all of them lie within ``nodes``.
        features: those of the kept nodes.
    """

    def __init__(self, whole: Whole, nodes: Tensor | None, into: Tensor, features: Tensor) -> None:
        super().__init__(features)
        self._whole, self._nodes = whole, nodes
        self._into = torch.zeros(whole.nodes, dtype=torch.bool).index_fill_(0, into, True)

    def _make_structure(self, loops: str) -> Structure:
        whole = self._whole.structure(loops)
        kept = self._kept(whole)
        source, target = whole.source[kept], whole.target[kept]
        if self._nodes is None:
            return Structure.of(source.long(), target.long(), self._whole.nodes)
        place = torch.zeros(self._whole.nodes, dtype=torch.long)
        place[self._nodes] = torch.arange(len(self._nodes))
        return Structure.of(place[source.long()], place[target.long()], len(self._nodes))

    def _make_values(self, name: str) -> Tensor:
        return self._whole.values(name)[self._kept(self._whole.structure(MATRICES[name][0]))]

    def _make_propagated(self, name: str, times: int) -> Tensor:
        whole = self._whole.propagated(name, times)
        return whole if self._nodes is None else whole.index_select(0, self._nodes)

    def _kept(self, whole: Structure) -> Tensor:
        return self._into.index_select(0, whole.target)


class Edges(Tensor):
    """An ``edge_index`` that knows its graph. Whatever is computed from it is an ordinary tensor."""

    graph: Graph

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

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
