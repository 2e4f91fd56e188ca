"""Our own layers, whose classes are printed into every generated module and so are known by their code."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.evaluation.engine.attention import by_head
from nas.evaluation.engine.dropout import Noise, dropped
from nas.evaluation.engine.features import plain
from nas.evaluation.engine.graph import LOOPED, PLAIN, WITH_ITSELF, Graph
from nas.evaluation.engine.products import (
    at_sources,
    at_targets,
    edge_dot,
    highest,
    propagate,
    softmax,
    summed,
    tanh,
    top,
    weighted_sum,
)
from nas.evaluation.engine.structure import Structure
from nas.searchspace.layers.aggregate import Aggregate, EdgeAggregate
from nas.searchspace.layers.attention import AttentionConv


def aggregate(layer: Aggregate, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """``Aggregate`` by one product."""
    if layer.aggr == "max":
        return highest(graph.structure(WITH_ITSELF), plain(x))
    matrix = "mean with itself" if layer.aggr == "mean" else "sum with itself"
    if x is graph.features and x is plain(x):
        return graph.propagated(matrix)
    return propagate(graph.matrix(matrix), plain(x))


def edge_aggregate(
    layer: EdgeAggregate, x: Tensor, graph: Graph, edge_weight: Tensor | None = None, edge_attr: Tensor | None = None
) -> Tensor:
    """``EdgeAggregate`` by sums over edges that are sorted by target."""
    structure, given, x = graph.structure(PLAIN), graph.given, plain(x)
    assert given is not None
    sent = at_sources(structure, x)
    if layer.edge is not None:
        assert edge_attr is not None
        sent = torch.relu(sent + layer.edge(edge_attr.index_select(0, given)))
    if edge_weight is not None:
        sent = sent * edge_weight.index_select(0, given).unsqueeze(1)
    if layer.aggr == "max":
        return top(structure, sent, x)
    out = summed(structure, sent) + x
    return out / (structure.degree + 1).unsqueeze(1) if layer.aggr == "mean" else out


def attention_conv(layer: AttentionConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """``AttentionConv`` by products with the edges of all its heads at once."""
    looped, h = graph.structure(LOOPED), layer.send(layer.linear(x))
    if layer.attention in ("constant", "gcn"):  # one weight for all heads
        out = _alike(layer, h, graph, noise)
    else:
        structure, rows = looped.heads(layer.heads), h.view(-1, layer.width)
        weight = layer.weigh(softmax(structure, _score(layer, rows, structure)))
        weight = dropped(noise, weight, layer.dropout, layer.training)
        out = highest(structure, rows, weight) if layer.aggregate == "max" else weighted_sum(structure, weight, rows)
    out, h = (rows.view(-1, layer.heads, layer.width) for rows in (out, h))
    if layer.aggregate == "mean":
        out = out / looped.degree.clamp(min=1).view(-1, 1, 1)
    return layer.combined(graph.wanted(out), graph.wanted(h))


def _alike(layer: AttentionConv, h: Tensor, graph: Graph, noise: Noise) -> Tensor:
    structure = graph.structure(LOOPED)
    constant, exact = layer.attention == "constant", isinstance(layer.weigh, torch.nn.Identity)
    if layer.aggregate != "max" and (constant or (exact and (layer.dropout == 0 or not layer.training))):
        return propagate(graph.matrix("looped sum") if constant else graph.matrix("gcn"), h)
    weight = None
    if not constant:
        weight = dropped(noise, layer.weigh(graph.values("gcn")), layer.dropout, layer.training)
    if layer.aggregate == "max":
        return highest(structure, h, weight)
    assert weight is not None
    return weighted_sum(structure, weight, h)


def _score(layer: AttentionConv, h: Tensor, structure: Structure) -> Tensor:
    """The score of each edge of the block graph before the softmax; ``h`` is ``[nodes * heads, width]``."""
    by_node = h.view(-1, layer.heads, layer.width)
    if layer.attention in ("gat", "sym-gat"):
        left, right = (by_node * layer.left).sum(-1).flatten(), (by_node * layer.right).sum(-1).flatten()
        score = F.leaky_relu(at_targets(structure, left) + at_sources(structure, right), 0.2)
        if layer.attention == "sym-gat":
            score = score + F.leaky_relu(at_sources(structure, left) + at_targets(structure, right), 0.2)
        return score
    if layer.attention == "cos":
        left, right = (by_node * layer.left).view_as(h), (by_node * layer.right).view_as(h)
        return edge_dot(structure, left, right)
    if layer.attention == "linear":
        return at_sources(structure, tanh((by_node * layer.right).sum(-1)).flatten())
    mapped = at_targets(structure, layer.left_map(h)) + at_sources(structure, layer.right_map(h))
    return by_head(tanh(mapped), layer.gate, structure)


PRINTED: dict[type, tuple[Any, Any]] = {
    Aggregate: (aggregate, lambda m: m.aggr in ("mean", "max", "sum")),
    AttentionConv: (attention_conv, lambda m: True),
}
"""Layer to its forward pass, and to what it asks of the layer."""
NARROWING = (attention_conv,)
"""Those that return the wanted rows of the graph alone, so that nothing more is computed for the others."""
CARRYING: dict[type, Any] = {EdgeAggregate: edge_aggregate}
"""Layer to its forward pass along edges that carry something, where it is known which edge is which."""
