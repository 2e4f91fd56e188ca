"""Which sample each row of an activation belongs to, which follows from how many rows there are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.uses import CannotSplitError


def owner_of(out: Tensor, samples: Samples, heads: int | None = None) -> Tensor:
    """``[rows]``: the sample of each row of ``out``, which are nodes, nodes and a spare one, graphs, or edges.

    Args:
        heads: where rows may be the edges of a prepared graph, of how many heads.

    Raises:
        CannotSplitError: if there are two ways to understand the number of rows, or none.
    """
    count = out.size(0)
    if out.dim() == 3 and count == 1:  # a stack of one
        count = out.size(1)
    if samples.shared:
        return samples.node.new_zeros(count)
    if samples.graph is None:
        found = [make(samples) for rows, make in _ROWS if rows(samples) == count]
    else:
        found = [make(samples) for rows, make in _PREPARED if rows(samples) == count]
        if heads is not None:
            found += [e.repeat_interleave(heads) for e in _prepared_edges(samples) if len(e) * heads == count]
        if not found and count % len(samples.node) == 0 and out.dim() == 2:  # heads below each other
            found = [samples.node.repeat_interleave(count // len(samples.node))]
    if not found or any(not torch.equal(f, found[0]) for f in found[1:]):
        raise CannotSplitError(f"it is not known which samples {count} rows belong to")
    return found[0]


def _prepared_edges(samples: Samples) -> list[Tensor]:
    """The samples of the edges of prepared graphs, which are sorted by target, with self-loops and without."""
    return [samples.node.index_select(0, samples.graph.structure(loops).target) for loops in ("plain", "looped")]


def _spare(samples: Samples) -> Tensor:
    return torch.cat([samples.node, samples.node.new_tensor([len(samples)])])


def _next(samples: Samples) -> Tensor:
    assert samples.next is not None
    return samples.next.node


def _edges(samples: Samples) -> Tensor:
    return samples.node[samples.edge_index[1]]


def _links(samples: Samples) -> Tensor:
    """Edges that are no self-loops."""
    return samples.edge_index[:, samples.edge_index[0] != samples.edge_index[1]]


_Rows = list[tuple[Callable[[Samples], int], Callable[[Samples], Tensor]]]

_ALWAYS: _Rows = [
    (lambda s: len(s.node), lambda s: s.node),
    (lambda s: len(s) if s.scored is None else -1, lambda s: torch.arange(len(s), device=s.node.device)),
]
"""What rows there may be: how many, and the sample of each."""

_PREPARED: _Rows = [*_ALWAYS, (lambda s: -1 if s.next is None else len(s.next.node), _next)]
"""Where layers compute on prepared edges, which may leave the outermost rows out."""

_ROWS: _Rows = [
    *_ALWAYS,
    (lambda s: len(s.node) + 1, _spare),
    (lambda s: s.edge_index.size(1), _edges),
    (lambda s: _links(s).size(1) + len(s.node), lambda s: torch.cat([s.node[_links(s)[1]], s.node])),
    (lambda s: s.edge_index.size(1) + len(s.node) + 1, lambda s: torch.cat([_edges(s), _spare(s)])),
]
"""Elsewhere. Those of all layers that are known are among them."""
