"""How far a network hears: messages of how many hops reach an output."""

from __future__ import annotations

from typing import Any

import torch
import torch.fx
from torch_geometric.nn import ARMAConv, ChebConv, MessagePassing, SGConv, TAGConv

from nas.searchspace.layers.known import is_ours

FURTHER: dict[type, Any] = {
    SGConv: lambda layer: layer.K,
    TAGConv: lambda layer: layer.K,
    ChebConv: lambda layer: max(1, len(layer.lins) - 1),
    ARMAConv: lambda layer: layer.num_layers,
}
"""Layers of torch_geometric that pass messages more than once."""


class _Leaves(torch.fx.Tracer):
    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return True


def known(layer: torch.nn.Module) -> bool:
    """Whether it is known what the layer does: torch's own, torch_geometric's and ours."""
    return type(layer).__module__.split(".")[0] in ("torch", "torch_geometric") or is_ours(type(layer)) is not None


def hops_of(layer: torch.nn.Module) -> int:
    """Of one layer whose kind is known."""
    if type(layer) in FURTHER:
        return int(FURTHER[type(layer)](layer))
    return int(is_ours(type(layer)) is not None or isinstance(layer, MessagePassing))


def hops(model: torch.nn.Module) -> int | None:
    """The most hops on any path through the network; None where a layer is not known.

    A network that cannot be traced counts with the sum over its layers, which is never too few.
    """
    if not all(known(layer) for layer in model.modules() if layer is not model):
        return None
    try:
        graph = _Leaves().trace(model)
    except Exception:  # control flow that depends on the data
        return sum(map(hops_of, model.modules()))
    layers, far = dict(model.named_modules()), dict[torch.fx.Node, int]()
    for node in graph.nodes:
        here = max((far[source] for source in node.all_input_nodes), default=0)
        far[node] = here + (_inside(layers[str(node.target)]) if node.op == "call_module" else 0)
    return max(far.values(), default=0)


def _inside(layer: torch.nn.Module) -> int:
    """Of a layer with all that it is made of."""
    return sum(hops_of(m) for m in layer.modules())
