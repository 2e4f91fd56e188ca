"""How far layers of torch_geometric hear, and networks as sequences of layers."""

from __future__ import annotations

from typing import Any

import torch
import torch.fx
from torch_geometric.nn import ARMAConv, ChebConv, SGConv, TAGConv

FURTHER: dict[type, Any] = {
    SGConv: lambda layer: layer.K,
    TAGConv: lambda layer: layer.K,
    ChebConv: lambda layer: max(1, len(layer.lins) - 1),
    ARMAConv: lambda layer: layer.num_layers,
}
"""Layers that pass messages more than once: how many hops."""


class Layers(torch.fx.Tracer):
    """Traces a network as calls of its layers, whatever those are made of."""

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        return True
