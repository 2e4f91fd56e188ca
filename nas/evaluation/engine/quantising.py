"""Rounding of sparse features on their stored values, and degrees of the nodes of a prepared graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.graph import graph_of
from nas.searchspace.layers.quantised import Quantiser


def quantise(layer: Quantiser, x: Tensor, edge_index: Tensor | None = None) -> Tensor:
    """``Quantiser``; where a zero stays a zero, sparse features stay sparse."""
    if not isinstance(x, SparseFeatures) or layer.kind == "binary" or layer.learned:
        return Quantiser.forward(layer, plain(x), edge_index)
    values = x.values_stored
    out = Quantiser.forward(layer, values)
    if layer.training and layer.protect > 0 and edge_index is not None:
        chance = layer.chance(edge_index, x.size(0))
        kept = torch.rand(chance.shape) < chance
        out = torch.where(kept.index_select(0, x.layout_of.row), values, out)
    return x.with_values(out)


def chance(layer: Any, edge_index: Any, nodes: int) -> Tensor:
    """``Quantiser.chance``, by the degrees in the whole graph where only a part of it is computed."""
    graph = graph_of(edge_index)
    return Quantiser.chance(layer, edge_index, nodes) if graph is None else layer.protect * graph.ranks
