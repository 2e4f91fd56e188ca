"""Edges that are listed once and go both ways."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges with what belongs to each.

    Attributes:
        index: ``[2, edges]`` int64.
        weight: ``[edges]`` float32, or None.
        attr: ``[edges, features]`` float32, or None.
    """

    index: Tensor
    weight: Tensor | None = None
    attr: Tensor | None = None

    def take(self, rows: Tensor) -> Edges:
        """The edges of these rows, in this order."""
        return replace(
            self,
            index=self.index[:, rows],
            weight=None if self.weight is None else self.weight[rows],
            attr=None if self.attr is None else self.attr[rows],
        )


def both_ways(edges: Edges, nodes: int, one_way: Tensor | None = None) -> tuple[Edges, str | None]:
    """The edges, and behind them the reverse of each that is not listed in both directions already.

    A reverse takes over the weight and the features of its edge. Self-loops have none.

    Args:
        edges: with node numbers below ``nodes``.
        one_way: ``[edges]`` bool, edges that keep their direction.

    Returns: the edges, and a sentence about what was assumed; None where there is nothing to say.
    """
    source, target = edges.index
    forward, backward = source * nodes + target, target * nodes + source
    listed = torch.from_numpy(np.isin(backward.numpy(), forward.numpy()))
    lone = ~listed & (source != target)
    if one_way is not None:
        lone &= ~one_way
    made, total = int(lone.sum()), edges.index.size(1)
    kept = 0 if one_way is None else int(one_way.sum())
    if not made:
        return edges, f"{kept:,} of {total:,} edges go one way, as the file says" if kept else None
    rows = lone.nonzero().flatten()
    out = edges.take(torch.cat([torch.arange(total), rows]))
    out.index[:, total:] = out.index[:, total:].flip(0)
    between = int((source != target).sum())
    if made == between:
        why = f"each edge is listed once and was made to go both ways: {total:,} became {total + made:,}"
    else:
        why = (
            f"{made:,} of {between:,} edges between two nodes were listed in one direction only and were made to go "
            f"both ways: {total:,} became {total + made:,}"
        )
    return out, why + (f"; {kept:,} go one way, as the file says" if kept else "")
