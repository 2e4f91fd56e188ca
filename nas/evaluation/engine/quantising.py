"""Rounding of sparse features on their stored values, and degrees of the nodes of a prepared graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.graph import graph_of
from nas.searchspace.layers.quantised import Quantiser

KEPT = 4
"""Features whose rounded values a quantiser keeps."""


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
