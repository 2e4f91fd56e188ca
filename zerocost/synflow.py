"""SynFlow: what flows through the weights without any data."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, untouched
from nas.zerocost.gradients import weights_of
from nas.zerocost.listening import Listening
from nas.zerocost.passes import Pass, passes


def synflow(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The logarithm of the sum over the weights of ``|w * dR/dw|``.

    R is the sum of the outputs of the network with every parameter replaced by its magnitude, every feature by one, of
    edges too, and activation functions and normalisations by the identity. Tanaka et al., "Pruning Neural Networks
    without Any Data by Iteratively Conserving Synaptic Flow", NeurIPS 2020 (arXiv 2006.05467); the logarithm changes no
    rank. Sums of positive numbers lose nothing in float32; where its range is too small the pass is repeated in
    float64. The edges are those of the first training batch.
    """
    first = next(iter(passes(task)))
    flow = _flow(model, first, torch.float32)
    if not math.isfinite(flow):
        flow = _flow(model, first, torch.float64)
    if not (math.isfinite(flow) and flow > 0):
        raise NotScored("nothing flows through the network's weights" if flow == 0 else f"the flow is {flow}")
    return math.log(flow)


def _flow(model: torch.nn.Module, p: Pass, dtype: torch.dtype) -> float:
    x: Any = p.arguments[0]
    ones = torch.ones(x.shape, dtype=dtype, device=x.device)
    edges = (torch.ones_like(a, dtype=dtype) if a.is_floating_point() else a for a in p.arguments[1:])
    values = {name: t.detach().abs().to(dtype) for name, t in model.named_parameters()}
    buffers = {name: t.to(dtype) for name, t in model.named_buffers() if t.is_floating_point()}
    wanted = {name: values[name].requires_grad_() for name in weights_of(model)}
    with untouched(model), torch.enable_grad(), _Identities(model, ones):
        total = functional_call(model, values | buffers, (ones, *edges)).sum()
        grads = torch.autograd.grad(total, list(wanted.values()), materialize_grads=True)
    return sum((w * g).abs().sum().item() for w, g in zip(wanted.values(), grads, strict=True))


class _Identities(Listening):
    """Activation functions and normalisations return what they get; a linear map of ones is a sum of columns."""

    def __init__(self, model: torch.nn.Module, ones: Tensor) -> None:
        super().__init__(model)
        self._ones = ones

    def activated(self, x: Tensor, out: Tensor) -> Tensor:
        return x

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (F.batch_norm, F.layer_norm):
            return args[0]
        if func is F.linear and args[0] is self._ones and not kwargs:
            row = args[1].sum(1)
            return (row if len(args) < 3 or args[2] is None else row + args[2]).repeat(len(self._ones), 1)
        return super().__torch_function__(func, types, args, kwargs)


SYNFLOW = Proxy(
    name="synflow",
    summary="what flows through the magnitudes of the weights",
    paper="Tanaka et al., NeurIPS 2020, arXiv 2006.05467",
    needs="features",
    cost="one forward and one backward pass",
    score=synflow,
)
