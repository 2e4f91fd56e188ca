"""The ranges of what passes between the layers of a network that is rounded after training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.post_training.hearing import hear
from nas.evaluation.train import outputs
from nas.metrics import loss
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantiser, grid, limits
from nas.searchspace.task import Task

FEW = 8
"""From so many bits on there are codes enough for the whole range."""
SHARES = 40
"""Of the whole range, that are tried."""
MOST = 50_000
"""Values by which a range is chosen, evenly spread over all."""

Limits = Callable[[Any, Tensor], Tensor]


def find_ranges(model: torch.nn.Module, task: Task) -> None:
    """Give the quantisers that keep a range one, from the training split.

    With few bits there are two answers: the whole range, or the part of it in which the values are rounded with the
    least squared error, and what is beyond is cut off (Banner, Nahshan and Soudry, NeurIPS 2019, have it in closed
    form). The rare large values of hubs can be all that matters or nothing, so the loss on the training split decides:
    first for all together, then for one after the other.

    Args:
        model: lowered or not, on the device of the task; it is left in inference mode.
    """
    model.eval()
    quantisers: list[Any] = [q for q in model.modules() if is_ours(type(q)) is Quantiser and keeps(q)]
    _seen(model, task, quantisers, whole)
    few = [q for q in quantisers if q.bits < FEW and kind(q) in ("int", "affine")]
    if not few:
        return
    wide, least = _ranges(few), _loss(model, task)
    _seen(model, task, few, least_error)
    narrow, loss_of_narrow = _ranges(few), _loss(model, task)
    taken, other = (narrow, wide) if loss_of_narrow < least else (wide, narrow)
    least = min(loss_of_narrow, least)
    for quantiser in few:
        kept(quantiser).copy_(taken[quantiser])
    for quantiser in few:
        kept(quantiser).copy_(other[quantiser])
        if (now := _loss(model, task)) < least:
            least = now
        else:
            kept(quantiser).copy_(taken[quantiser])


def keeps(quantiser: Any) -> bool:
    """Whether it has a range of its own, not that of what it rounds."""
    return bool(quantiser.learned or (quantiser.moving and quantiser.kind != "float"))


def kept(quantiser: Any) -> Tensor:
    """The tensor that holds its range."""
    found: Tensor = quantiser.scale.data if quantiser.learned else quantiser.range
    return found


def kind(quantiser: Any) -> str:
    """A scale that is learned is that of symmetric codes."""
    return "int" if quantiser.learned else str(quantiser.kind)


def whole(quantiser: Any, x: Tensor) -> Tensor:
    """The limits of all values."""
    return limits(x, kind(quantiser), quantiser.by_row)


def least_error(quantiser: Any, x: Tensor) -> Tensor:
    """The share of the whole range with which the squared error of ``x`` is the least."""
    best = every = whole(quantiser, x)
    values = x.detach().reshape(-1)
    values = values[:: -(-len(values) // MOST)]
    least = float("inf")
    for number in range(SHARES, 0, -1):
        tried = every * number / SHARES
        scale, zero, top = grid(kind(quantiser), quantiser.bits, tried[0], tried[1])
        rounded = ((values / scale + zero).clamp(0, top).round() - zero) * scale
        error = float((rounded - values).square().sum())
        if error < least:
            best, least = tried, error
    return best


def _ranges(quantisers: Iterable[Any]) -> dict[Any, Tensor]:
    return {quantiser: kept(quantiser).clone() for quantiser in quantisers}


def _seen(model: torch.nn.Module, task: Task, quantisers: Iterable[Any], limits_of: Limits) -> None:
    """The mean of the limits over the batches of the training split, each behind layers whose range is set already."""
    found: dict[Any, list[Tensor]] = {quantiser: [] for quantiser in quantisers}

    def heard(quantiser: Any, given: Any) -> None:
        x = given.values_stored if isinstance(given, SparseFeatures) else given
        found[quantiser].append(limits_of(quantiser, x))
        mean = torch.stack(found[quantiser]).mean(0)
        kept(quantiser).copy_(mean[1] / (2.0 ** (quantiser.bits - 1) - 1) if quantiser.learned else mean)

    hear(model, task, {quantiser: partial(heard, quantiser) for quantiser in found})


def _loss(model: torch.nn.Module, task: Task) -> float:
    logits, y = outputs(model, task, "train")
    return float(loss(logits, y, task.target))
