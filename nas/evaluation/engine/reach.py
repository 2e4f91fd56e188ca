"""Which nodes the scored ones hear of within a number of hops, and the graph between two such circles."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.engine.graph import Edges, Part, Whole

EVERYWHERE = 99
"""The level of a circle that is all of the graph."""
WORTH_IT = 0.8
"""A circle with more than this share of the nodes counts as all of them."""


class Reach:
    """Circles around the scored nodes: level 0 is those themselves, level k what they hear of in k hops.

    Everything is made when it is first asked for and then kept: it depends on the task alone.
    """

    def __init__(self, whole: Whole, scored: Tensor) -> None:
        assert whole.features is not None
        self.whole, self._features = whole, whole.features
        self._circles = {0: scored}
        self._edges: dict[tuple[int, int], Edges] = {}
        self._rows: dict[int, Tensor] = {}
        self._places: dict[tuple[int, int], Tensor] = {}
        self._beyond = self._grow(scored)

    def _grow(self, scored: Tensor) -> int:
        """Draw the circles that leave something out; the level of all that lie further out."""
        source, target = self.whole.edges
        inside = torch.zeros(self.whole.nodes, dtype=torch.bool).index_fill_(0, scored, True)
        for level in range(1, EVERYWHERE):
            heard = inside.index_fill(0, source[inside[target]], True)
            if level > 1 and torch.equal(heard, inside):  # nothing further is connected
                return level - 1
            if heard.sum() > WORTH_IT * self.whole.nodes:
                break
            inside = heard
            self._circles[level] = inside.nonzero().squeeze(1)
        return EVERYWHERE

    def level(self, hops: int) -> int:
        """The level of the circle of so many hops."""
        return hops if hops in self._circles else self._beyond

    def features(self, level: int) -> Tensor:
        """The features of a circle's nodes."""
        if level == EVERYWHERE:
            return self._features
        if level not in self._rows:
            x, nodes = self._features, self._circles[level]
            self._rows[level] = x.rows(nodes) if isinstance(x, SparseFeatures) else x.index_select(0, nodes)
        return self._rows[level]

    def edges(self, outer: int, inner: int) -> Edges:
        """The edges into the inner circle, on the nodes of the outer one.

        The tensor holds none of them: only a layer that asks for its ``graph`` can use it.
        """
        if inner == EVERYWHERE:
            return Edges.of(self.whole.edges, self.whole)
        if (outer, inner) not in self._edges:
            nodes = None if outer == EVERYWHERE else self._circles[outer]
            part = Part(self.whole, nodes, self._circles[inner], self.features(outer), self.places(outer, inner))
            self._edges[outer, inner] = Edges.of(self.whole.edges[:, :0], part)
        return self._edges[outer, inner]

    def places(self, outer: int, inner: int) -> Tensor:
        """Where the nodes of the inner circle are among those of the outer one."""
        if (outer, inner) not in self._places:
            place = torch.arange(self.whole.nodes)
            if outer != EVERYWHERE:
                place[self._circles[outer]] = torch.arange(len(self._circles[outer]))
            self._places[outer, inner] = place[self._circles[inner]]
        return self._places[outer, inner]


def reach_of(whole: Whole, scored: Tensor) -> Reach | None:
    """The circles around these nodes, kept while the graph is; None where they cannot be drawn."""
    known = whole.reaches.get(id(scored))
    if known is None or known[0] is not scored:
        whole.reaches[id(scored)] = known = (scored, _reach(whole, scored))
    return known[1]


def _reach(whole: Whole, scored: Tensor) -> Reach | None:
    drawn = whole.features is not None and 0 < len(scored) == len(torch.unique(scored))
    return Reach(whole, scored) if drawn else None
