"""Layers between convolutions whose own backward pass is slow on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.evaluation.engine.dropout import Noise, dropped


class _PReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.leaky_relu(x, weight.item())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x, weight), grad = ctx.saved_tensors, grads[0].contiguous()
        grad_x = torch.where(x > 0, grad, grad * weight) if weight < 0 else _leaky(grad, x, weight.item())
        return grad_x, torch.dot(x.clamp(max=0).flatten(), grad.flatten()).view(1)


def _leaky(grad: Tensor, x: Tensor, slope: float) -> Tensor:
    out: Tensor = torch.ops.aten.leaky_relu_backward(grad, x, slope, False)
    return out


class _BatchNorm(torch.autograd.Function):
    """Of a training batch; x_hat = (x - mean) / deviation is computed again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: torch.nn.BatchNorm1d, weight: Tensor, bias: Tensor) -> Tensor:
        assert layer.momentum is not None
        out, mean, inverse = torch.native_batch_norm(
            x, weight, bias, layer.running_mean, layer.running_var, True, layer.momentum, layer.eps
        )
        ctx.save_for_backward(x, weight, mean, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (x, weight, mean, inverse), grad = ctx.saved_tensors, grads[0]
        normalised = torch.addcmul(-mean * inverse, x, inverse)
        grad_bias, grad_weight = grad.sum(0), (grad * normalised).sum(0)
        scale = weight * inverse
        back = torch.addcmul(-scale * grad_bias / len(x), normalised, -scale * grad_weight / len(x))
        return back.addcmul_(grad, scale), None, grad_weight, grad_bias


def prelu(layer: torch.nn.PReLU, x: Tensor, noise: Noise) -> Tensor:
    """One slope for all columns."""
    out: Tensor = _PReLU.apply(x, layer.weight)  # type: ignore[no-untyped-call]
    return out


def batch_norm(layer: torch.nn.BatchNorm1d, x: Tensor, noise: Noise) -> Tensor:
    """Of rows, with running statistics."""
    if not layer.training or x.dim() != 2 or len(x) < 2:
        return torch.nn.BatchNorm1d.forward(layer, x)
    assert layer.num_batches_tracked is not None
    layer.num_batches_tracked.add_(1)
    out: Tensor = _BatchNorm.apply(x, layer, layer.weight, layer.bias)  # type: ignore[no-untyped-call]
    return out


def dropout(layer: torch.nn.Dropout, x: Tensor, noise: Noise) -> Tensor:
    """Of any features."""
    return dropped(noise, x, layer.p, layer.training)


ELEMENTWISE: dict[type, tuple[Any, Any]] = {
    torch.nn.Dropout: (dropout, lambda m: not m.inplace),
    torch.nn.PReLU: (prelu, lambda m: m.num_parameters == 1),
    torch.nn.BatchNorm1d: (
        batch_norm,
        lambda m: m.affine and m.track_running_stats and m.momentum is not None,
    ),
}
"""Layer to its forward pass, and to what it asks of the layer."""
