"""Labelled items side by side, as a network is given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """Several labelled items and what they hear of.

    Attributes:
        arguments: of the network.
        y: the targets, ``[samples]`` or ``[samples, outputs]``.
        scored: ``[samples]``, the row of the output that belongs to each; None where the rows are the samples.
        node: ``[rows of x]`` int64, the sample that each row belongs to, ascending.
        edge_index: ``[2, edges]``, sorted by target; those of prepared tensors are fewer.
        shared: whether all samples hear of the same rows, which are those of the graph. Then ``node`` is 0 everywhere.
        key: ``[rows of x]`` int64, ascending, says which node of which sample each row is.
        hops: within how many hops these are.
        nearer: the same samples within fewer hops, the most of those that are worth it, which know further ones.
    """

    arguments: tuple[Tensor, ...]
    y: Tensor
    scored: Tensor | None
    node: Tensor
    edge_index: Tensor
    shared: bool = False
    key: Tensor | None = None
    hops: int = 0
    nearer: Samples | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def apart(self) -> int:
        """Samples that one backward pass tells apart."""
        return 1 if self.shared else len(self)

    def within(self, hops: int) -> Samples:
        """The same samples within so many hops, or somewhat more."""
        return self if self.nearer is None or self.nearer.hops < hops else self.nearer.within(hops)

    @property
    def next(self) -> Samples | None:
        """The same samples within one hop less, if they are there."""
        return None if self.nearer is None or self.nearer.hops < self.hops - 1 else self.nearer

    @property
    def size(self) -> int:
        """Rows, with those of the nearer ones."""
        return len(self.node) + (0 if self.nearer is None else self.nearer.size)

    def places(self, inner: Samples) -> Tensor:
        """Where the rows of the same samples within fewer hops are among these."""
        assert self.key is not None
        assert inner.key is not None
        return torch.searchsorted(self.key, inner.key)

    @cached_property
    def rows(self) -> Samples:
        """These without edges, for what computes on rows alone."""
        return replace(self, edge_index=self.edge_index[:, :0], nearer=None)

    @cached_property
    def inward(self) -> tuple[Tensor, ...]:
        """The arguments for a layer whose outermost rows nobody needs: if edges are prepared, it leaves them out."""
        if self.graph is None or self.next is None:
            return self.arguments
        x, edges, *further = self.arguments
        return x, cast(Any, edges).inward(), *further

    @cached_property
    def graph(self) -> Any:
        """What prepared edges know of their graph; None of ordinary ones."""
        return getattr(self.arguments[1], "graph", None) if len(self.arguments) > 1 else None

    @cached_property
    def grouped(self) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
        """Sparse features summed by sample, see ``SparseFeatures.grouped``."""
        x: Any = self.arguments[0]
        found: tuple[Callable[[Tensor], Tensor], Tensor, Tensor] = x.grouped(self.node, self.apart)
        return found
