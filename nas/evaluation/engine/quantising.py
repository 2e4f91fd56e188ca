"""Rounding in fewer passes over memory, of sparse features on their stored values; degrees in a prepared graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.graph import graph_of
from nas.searchspace.layers.quantised import Quantiser, grid, limits

KEPT = 4
"""Features whose rounded values a quantiser keeps."""


class _Rounding(torch.autograd.Function):
    """The values of codes, and the gradient where they are in range: ``coded`` without what it keeps on the way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero: Tensor | float, top: float) -> Tensor:
        out = (x / scale).add_(zero)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(out.ge(0).logical_and_(out.le(top)))
        return out.clamp_(0, top).round_().sub_(zero).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0] * ctx.saved_tensors[0], None, None, None


def rounded(layer: Any, x: Tensor) -> Tensor:
    """``Quantiser.rounded``, the same values."""
    if layer.kind not in ("affine", "int") or layer.learned:
        return Quantiser.rounded(layer, x)
    now = layer.followed(limits(x, layer.kind, True) if layer.by_row else _limits(x.detach(), layer.kind))
    out: Tensor = _Rounding.apply(x, *grid(layer.kind, layer.bits, now[0], now[1]))  # type: ignore[no-untyped-call]
    return out


def _limits(x: Tensor, kind: str) -> Tensor:
    """The function of that name for the whole of ``x``, in one pass."""
    low, high = torch.aminmax(x)
    if kind == "affine":
        return torch.stack([low.clamp(max=0), high.clamp(min=0)])
    return torch.maximum(-low, high).expand(2).clone()


def quantise(layer: Quantiser, x: Tensor, edge_index: Tensor | None = None) -> Tensor:
    """``Quantiser``; where a zero stays a zero, sparse features stay sparse."""
    if not isinstance(x, SparseFeatures) or layer.kind in ("binary", "float") or layer.learned:
        return Quantiser.forward(layer, plain(x), edge_index)
    values, out = x.values_stored, _rounded(layer, x)
    if layer.training and layer.protect > 0 and edge_index is not None:
        chance = layer.chance(edge_index, x.size(0))
        kept = torch.rand(chance.shape) < chance
        return x.with_values(torch.where(kept.index_select(0, x.layout_of.row), values, out.values_stored))
    return out


def _rounded(layer: Quantiser, x: SparseFeatures) -> SparseFeatures:
    """The features rounded. They do not change, and so their range does not, once it was seen."""
    held: dict[int, tuple[Any, ...]] = vars(layer).setdefault("held", {})
    found = held.get(id(x))
    if found is not None and found[0] is x and torch.equal(found[1], layer.range):
        return found[2]  # type: ignore[no-any-return]
    constant = not layer.range.isnan().any()
    before = layer.range.clone()
    out = x.with_values(Quantiser.forward(layer, x.values_stored))
    if constant and torch.allclose(before, layer.range):  # it has settled, but for rounding
        layer.range.copy_(before)
        while len(held) >= KEPT:
            del held[next(iter(held))]
        held[id(x)] = (x, before, out)
    return out


def chance(layer: Any, edge_index: Any, nodes: int) -> Tensor:
    """``Quantiser.chance``, by the degrees in the whole graph where only a part of it is computed."""
    graph = graph_of(edge_index)
    return Quantiser.chance(layer, edge_index, nodes) if graph is None else layer.protect * graph.ranks
