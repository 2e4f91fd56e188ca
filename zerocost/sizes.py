"""The size of the network, its work and its reach: what every proxy must be compared with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GINEConv

from nas.searchspace.layers.attention import AttentionConv, EdgeAttentionConv
from nas.searchspace.layers.known import is_ours
from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, untouched
from nas.zerocost.listening import Listening
from nas.zerocost.passes import passes
from nas.zerocost.persample.receptive import hops_of, known


def params(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The number of trainable parameters."""
    return float(sum(p.numel() for p in model.parameters() if p.requires_grad))


def flops(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """Floating-point operations of a forward pass over the first training batch, or up to 256 of its graphs.

    Two for every matrix entry and row that it maps, and two for every edge, column and hop of a message. Attention
    scores, activation functions and normalisations are not counted; features that are zeros are.
    """
    p = next(iter(passes(task)))
    edges = p.arguments[1].size(1)
    with untouched(model), torch.no_grad(), Listening(model) as heard:
        model(*p.arguments)
    return float(2 * sum(_mapped(layer) * len(out) + _passed(layer, out) * edges for layer, _, out in heard.layers))


def _mapped(layer: Any) -> int:
    """Matrix entries by which each row is multiplied; maps that the heads of a layer share count for each of them."""
    matrices = {name: p for name, p in layer.named_parameters() if p.dim() > 1 and not name.endswith("bias")}
    shared = layer.heads if is_ours(type(layer)) in (AttentionConv, EdgeAttentionConv) else 1
    maps = {name: p for name, p in matrices.items() if name not in _of_edges(layer)}
    return sum(p.numel() * (1 if name == "linear.weight" else shared) for name, p in maps.items())


def _passed(layer: torch.nn.Module, out: Tensor) -> int:
    """Numbers that travel along each edge, and matrix entries by which its features are multiplied."""
    averaged = not getattr(layer, "concat", True)
    mapped = sum(p.numel() for name, p in layer.named_parameters() if name in _of_edges(layer))
    return mapped + hops_of(layer) * out.size(-1) * (getattr(layer, "heads", 1) if averaged else 1)


def _of_edges(layer: torch.nn.Module) -> tuple[str, ...]:
    """Names of the matrices that map features of edges."""
    return ("lin.weight",) if isinstance(layer, GINEConv) else ("edge.weight", "lin_edge.weight")


def depth(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """How many hops away a prediction hears of: the most on any path through the network.

    Whether more or fewer are better depends on the data.
    """
    unknown = [m for m in model.modules() if m is not model and not known(m)]
    if unknown:
        raise NotScored(f"it is not known how far {type(unknown[0]).__name__} hears")
    with untouched(model), torch.no_grad(), _Hops(model) as heard:
        return float(heard.far(model(*next(iter(passes(task))).arguments)))


class _Hops(Listening):
    """Counts how many hops lie behind each tensor that the network computes."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model)
        self._far: dict[int, tuple[Any, int]] = {}

    def far(self, value: Any) -> int:
        """The most of any tensor in ``value``."""
        if isinstance(value, tuple | list):
            return max(map(self.far, value), default=0)
        return self._far.get(id(value), (value, 0))[1]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = super().__torch_function__(func, types, args, kwargs)
        self._note(out, self.far(args))
        return out

    def left(self, module: torch.nn.Module, inputs: Any, out: Tensor) -> Tensor:
        out = super().left(module, inputs, out)
        self._note(out, self.far(inputs) + sum(hops_of(m) for m in module.modules()))
        return out

    def _note(self, out: Any, far: int) -> None:
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, Tensor) and not self.inside:
                self._far[id(one)] = one, max(far, self.far(one))


PARAMS = Proxy(
    name="params",
    summary="the number of trainable parameters",
    paper="a baseline",
    needs="the architecture",
    cost="nothing",
    score=params,
)
FLOPS = Proxy(
    name="flops",
    summary="floating-point operations of a forward pass",
    paper="a baseline",
    needs="features",
    cost="one forward pass",
    score=flops,
)
DEPTH = Proxy(
    name="depth",
    summary="how many hops away a prediction hears of; its sign is to be learned: on many graphs fewer are better",
    paper="a baseline",
    needs="the architecture",
    cost="one forward pass",
    score=depth,
)
