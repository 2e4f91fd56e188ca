"""How far a network hears: messages of how many hops reach an output."""

from __future__ import annotations

import weakref
from typing import Any

import torch
import torch.fx
from torch_geometric.nn import (
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    GINEConv,
    GraphConv,
    MessagePassing,
    SAGEConv,
    TransformerConv,
)

from nas.searchspace.layers.decoders import BilinearDecoder, DotDecoder, ProductDecoder
from nas.searchspace.layers.hops import FURTHER, Layers
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised, Quantiser

ONE_HOP = (GCNConv, SAGEConv, GraphConv, GINConv, GINEConv, GATConv, GATv2Conv, TransformerConv)
HERE = (Quantised, Quantiser, DotDecoder, BilinearDecoder, ProductDecoder)
"""Layers of ours that hear of no other nodes."""
BY_ITEM = ("torch.nn.", "torch_geometric.nn.aggr.", "torch_geometric.nn.dense.linear")
"""Where the layers live that pass no messages: each node, or each graph, is for itself."""


def known(layer: Any) -> bool:
    """Whether it is known how far the layer hears: layers of ours and of the operators, and those of single items.

    A layer that hears against the direction of the edges, or keeps what it computed for the next graph, is not.
    """
    if type(layer) in (*ONE_HOP, *FURTHER):
        return layer.flow == "source_to_target" and not getattr(layer, "cached", False)
    return is_ours(type(layer)) is not None or f"{type(layer).__module__}.".startswith(BY_ITEM)


def all_known(model: torch.nn.Module) -> bool:
    """Whether every layer of the network is known; the network itself is what calls them one after the other."""
    return all(known(layer) for layer in model.modules() if layer is not model)


def hops_of(layer: torch.nn.Module) -> int:
    """Of one layer whose kind is known; what rounds passes nothing on, nor do most decoders."""
    if type(layer) in FURTHER:
        return int(FURTHER[type(layer)](layer))
    return int(is_ours(type(layer)) not in (None, *HERE) or isinstance(layer, MessagePassing))


def trace(model: torch.nn.Module) -> torch.fx.Graph | None:
    """The network as calls of its layers; None where its steps depend on the data. The last one asked for is kept."""
    known = [*map(weakref.ref, model.modules())], model.training
    if not _traced or _traced[0][0] != known:
        try:
            found = Layers().trace(model)
        except Exception:
            found = None
        _traced[:] = [(known, found)]
    return _traced[0][1]


_traced: list[tuple[tuple[list[weakref.ref[torch.nn.Module]], bool], torch.fx.Graph | None]] = []


def hops(model: torch.nn.Module) -> int | None:
    """The most hops on any path through the network; None where a layer is not known.

    None also where the network's steps depend on the data, so that it is not known which layers follow each other;
    those of readouts do.
    """
    graph = trace(model) if all_known(model) else None
    if graph is None:
        return None
    layers, far = dict(model.named_modules()), dict[torch.fx.Node, int]()
    for node in graph.nodes:
        here = max((far[source] for source in node.all_input_nodes), default=0)
        far[node] = here + (inside(layers[str(node.target)]) if node.op == "call_module" else 0)
    return max(far.values(), default=0)


def inside(layer: torch.nn.Module) -> int:
    """The hops of a layer with all that it is made of."""
    return sum(hops_of(m) for m in layer.modules())
