"""How far layers of torch_geometric hear, and networks as sequences of layers."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.fx
import torch.nn.functional as F
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


ROWWISE_CALLS: set[Any] = {
    *(torch.relu, torch.sigmoid, torch.tanh, F.elu, F.leaky_relu, F.relu6, F.softplus, F.gelu, F.silu, F.relu),
    *(operator.add, operator.mul),
}


def is_rowwise_call(step: torch.fx.Node) -> bool:
    """Whether the step is no layer, and computes each row from the same row alone."""
    if step.target is torch.cat:
        return 1 in (step.kwargs.get("dim"), *step.args[1:2])
    return step.op in ("placeholder", "output") or step.target in ROWWISE_CALLS
