"""Layers whose messages carry learned weights: one softmax over edges and one product, for all heads at once."""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import GATConv, GATv2Conv, TransformerConv

from nas.evaluation.engine.convolutions import SUMS
from nas.evaluation.engine.dropout import Noise, dropped
from nas.evaluation.engine.graph import LOOPED, PLAIN, Graph
from nas.evaluation.engine.products import at_sources, at_targets, edge_dot, softmax, weighted_sum
from nas.evaluation.engine.structure import Structure


def gat(layer: GATConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Velickovic et al., ICLR 2018, eqs. 1-4."""
    structure = (graph.structure(LOOPED) if layer.add_self_loops else graph.structure(PLAIN)).heads(layer.heads)
    h = layer.lin(x).view(-1, layer.heads, layer.out_channels)
    to, of = (h * layer.att_dst).sum(-1).flatten(), (h * layer.att_src).sum(-1).flatten()
    score = F.leaky_relu(at_targets(structure, to) + at_sources(structure, of), layer.negative_slope)
    return _finished(layer, _attended(layer, structure, score, h, noise))


def gatv2(layer: GATv2Conv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Brody et al., ICLR 2022, eq. 7."""
    structure = (graph.structure(LOOPED) if layer.add_self_loops else graph.structure(PLAIN)).heads(layer.heads)
    of = layer.lin_l(x)
    to = of if layer.share_weights else layer.lin_r(x)
    of, to = of.view(-1, layer.out_channels), to.view(-1, layer.out_channels)
    mixed = F.leaky_relu(at_targets(structure, to) + at_sources(structure, of), layer.negative_slope)
    return _finished(layer, _attended(layer, structure, by_head(mixed, layer.att[0], structure), of, noise))


def transformer(layer: TransformerConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Shi et al., IJCAI 2021."""
    structure = graph.structure(PLAIN).heads(layer.heads)
    query, key, value = (
        linear(x).view(-1, layer.out_channels) for linear in (layer.lin_query, layer.lin_key, layer.lin_value)
    )
    score = edge_dot(structure, query, key) / math.sqrt(layer.out_channels)
    out = _attended(layer, structure, score, value, noise)
    out = out.flatten(1) if layer.concat else out.mean(dim=1)
    return out + layer.lin_skip(x) if layer.root_weight else out


def by_head(mixed: Tensor, weights: Tensor, structure: Structure) -> Tensor:
    """The inner product of every edge's row, ``[edges, width]``, with its head's row of ``[heads, width]``."""
    heads = len(weights)
    if heads == 1:
        return mixed @ weights[0]
    head = structure.target.remainder(heads)
    return (mixed @ weights.t()).gather(1, head.long().unsqueeze(1)).squeeze(1)


def _attended(layer: Any, structure: Structure, score: Tensor, h: Tensor, noise: Noise) -> Tensor:
    """``[nodes, heads, width]`` from the score of each edge of the block graph."""
    weight = dropped(noise, softmax(structure, score), layer.dropout, layer.training)
    return weighted_sum(structure, weight, h.reshape(-1, layer.out_channels)).view(-1, layer.heads, layer.out_channels)


def _finished(layer: Any, out: Tensor) -> Tensor:
    out = out.flatten(1) if layer.concat else out.mean(dim=1)
    return out if layer.bias is None else out + layer.bias


ATTENTIONS: dict[type, tuple[Any, Any]] = {
    GATConv: (gat, lambda m: m.lin is not None and m.edge_dim is None and m.res is None and m.aggr in SUMS),
    GATv2Conv: (gatv2, lambda m: m.edge_dim is None and m.res is None and m.aggr in SUMS),
    TransformerConv: (transformer, lambda m: m.edge_dim is None and m.lin_beta is None and m.aggr in SUMS),
}
"""Layer to its forward pass, and to what it asks of the layer."""
