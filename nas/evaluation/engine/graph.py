"""A graph as layers see it: its edges with and without self-loops, and constant matrices, each made once."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.products import product, taken
from nas.evaluation.engine.structure import Matrix, Structure

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
        inner: ``[rows]``, the only rows that layers on this graph return; None for all.
    """

    inner: Tensor | None = None

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

    @cached_property
    def ranks(self) -> Tensor:
        """``[nodes]``, from 0 of the fewest incoming edges to 1 of the most."""
        degree = self.structure(PLAIN).degree
        return degree.argsort(stable=True).argsort(stable=True) / max(len(degree) - 1, 1)

    def wanted(self, rows: Tensor) -> Tensor:
        """Of a row for each node, those that layers return."""
        return rows if self.inner is None else taken(rows, self.inner)

    @property
    def given(self) -> Tensor | None:
        """``[edges]``, which edge of the ``edge_index`` each of the plain structure is; None if it is not known."""
        return None

    def _make_structure(self, loops: str) -> Structure:
        raise NotImplementedError

    def _make_values(self, name: str) -> Tensor:
        raise NotImplementedError

    def _make_propagated(self, name: str, times: int) -> Tensor:
        before = self.features if times == 1 else self.propagated(name, times - 1)
        assert before is not None
        return product(self.matrix(name).forward, before)


class Whole(Graph):
    """The graph of an ``edge_index`` as it comes."""

    def __init__(self, edge_index: Tensor, nodes: int, features: Tensor | None = None) -> None:
        super().__init__(features)
        self.edges, self.nodes = edge_index, nodes
        self.reaches: dict[int, Any] = {}

    @cached_property
    def given(self) -> Tensor:
        """As ``Structure.of`` sorts them."""
        return self.edges[1].sort(stable=True).indices

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
        inner: where the nodes ``into`` are among the kept ones.
    """

    def __init__(self, whole: Whole, nodes: Tensor | None, into: Tensor, features: Tensor, inner: Tensor) -> None:
        super().__init__(features)
        self._whole, self._nodes, self.inner = whole, nodes, inner
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

    @cached_property
    def ranks(self) -> Tensor:
        """Those of the whole graph."""
        return self._whole.ranks if self._nodes is None else self._whole.ranks[self._nodes]

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

    @property
    def divisible(self) -> bool:
        """Whether layers on ``copies`` of these edges compute on what is prepared."""
        features = self.graph.features
        return isinstance(self.graph, Whole) and features is not None and features.dtype == torch.float32

    def only(self, kept: Tensor) -> Edges:
        """Those of the edges that ``[edges]`` bool names, prepared as these are; the features are not multiplied."""
        assert isinstance(self.graph, Whole)
        edges = self.as_subclass(Tensor)[:, kept]
        return Edges.of(edges, Whole(edges, self.graph.nodes))

    def copies(self, edge_index: Tensor, node: Tensor, group: Tensor, inner: Tensor, x: Tensor) -> Edges:
        """The edges ``edge_index`` between copies of nodes of a whole graph, prepared as these are; see ``Copies``."""
        from nas.evaluation.engine.copies import Copies

        assert isinstance(self.graph, Whole)
        return Edges.of(edge_index, Copies(self.graph, node, group, inner, x))

    def inward(self) -> Edges:
        """The same, on which layers return no rows but those that the edges go into."""
        graph = copy(self.graph)
        graph.inner = getattr(graph, "into", None)
        return Edges.of(self.as_subclass(Tensor), graph)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Edges.of, (self.as_subclass(Tensor), self.graph)


def graph_of(edge_index: Tensor) -> Graph | None:
    """The prepared graph of these edges, if they are prepared."""
    return edge_index.graph if isinstance(edge_index, Edges) else None
