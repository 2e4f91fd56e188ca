"""The contract of a proxy: it looks at an untrained network and says how good it expects the trained one to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.searchspace.errors import NasError
from nas.searchspace.task import Target, Task

Needs = Literal["the architecture", "features", "training labels", "validation labels"]
"""What of the task a proxy reads; each includes those before it."""

Score = Callable[[torch.nn.Module, Task, int], float]


class NotScored(NasError):  # noqa: N818
    """A proxy has no score for this network; the message says why."""


@dataclass(frozen=True)
class Proxy:
    """A score of untrained networks by which architectures are ranked.

    Attributes:
        name: what users call it.
        summary: one sentence.
        paper: where it was published, or that it was not.
        needs: what of the task it reads. No proxy reads the test split.
        cost: what it takes, in passes over the network: ``one forward pass``.
        score: from a module with fresh weights, the task, and a seed for the proxy's own random numbers to a number,
            larger for networks that it expects to be better. The module is left as it came: weights, buffers, mode.
            Raises ``NotScored`` where it has no score.
        weight: what its ranks count where those by several proxies are added.
    """

    name: str
    summary: str
    paper: str
    needs: Needs
    cost: str
    score: Score
    weight: float = 1.0


def losses(logits: Tensor, y: Tensor, target: Target) -> Tensor:
    """``[items]``: the loss of each item, whose mean training minimises.

    Cross-entropy, or the mean over the known labels of an item of the binary cross-entropy or the squared error.
    """
    if target == "multiclass":
        return F.cross_entropy(logits, y, reduction="none")
    known, filled = ~y.isnan(), y.nan_to_num()
    if target == "multilabel":
        each = F.binary_cross_entropy_with_logits(logits, filled, reduction="none")
    else:
        each = (logits - filled).square()
    return each.where(known, 0).sum(-1) / known.sum(-1).clamp(min=1)


@contextmanager
def untouched(module: torch.nn.Module, training: bool = False) -> Iterator[None]:
    """Inference (or training) mode while the block runs, then weights, buffers and modes as they were."""
    modes = {m: m.training for m in module.modules()}
    state = {name: (t, t.detach().clone()) for name, t in module.named_buffers()}
    asked = {p: p.requires_grad for p in module.parameters()}
    module.train(training)
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, before in state.values():
                tensor.copy_(before)
        for parameter, wanted in asked.items():
            parameter.requires_grad_(wanted)
        for m, mode in modes.items():
            m.training = mode
