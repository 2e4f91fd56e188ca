"""Dropout from random bytes: one byte decides an entry, a fraction of the cost of one random float each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


class Noise:
    """Masks of dropout, from a stream of its own that begins at a seed.

    The probability is rounded to a 256th, and what stays is scaled by the rounded one, so the mean is kept exactly.
    """

    def __init__(self, seed: int) -> None:
        self._stream = np.random.SFC64(seed)

    def mask(self, like: Tensor, p: float) -> Tensor:
        """Zero with probability ``p`` and else 1 / (1 - p), in the shape of ``like``."""
        least = min(255, round(p * 256))
        words = self._stream.random_raw(-(-like.numel() // 8))
        kept = words.view(np.uint8)[: like.numel()] >= least
        scaled = np.empty(like.numel(), np.float32)
        np.multiply(kept.view(np.uint8), np.float32(256 / (256 - least)), out=scaled)
        return torch.from_numpy(scaled).view(like.shape).to(like.dtype)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (mask,) = ctx.saved_tensors
        return grads[0] * mask, None


def dropped(noise: Noise, x: Tensor, p: float, training: bool) -> Tensor:
    """``x`` after dropout; sparse features keep to their stored values."""
    from nas.evaluation.engine.features import SparseFeatures

    if not training or p == 0:
        return x
    if isinstance(x, SparseFeatures):
        return x.with_values(x.values_stored * noise.mask(x.values_stored, p))
    out: Tensor = _Drop.apply(x, noise.mask(x, p))  # type: ignore[no-untyped-call]
    return out
