"""GradSign: how far the gradients of the samples agree in sign."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.searchspace.task import Task
from nas.zerocost.base import Proxy, losses, untouched
from nas.zerocost.items import Items
from nas.zerocost.persample import CannotSplitError, by_item, unions, uses

MOST = 256
"""Labelled items at most; the paper takes a batch of 64 or 128."""


def gradsign(model: torch.nn.Module, task: Task, seed: int = 0, items: Items | None = None) -> float:
    """The sum over the parameters of ``|sum over the items of sign(gradient of the item's loss)|``.

    Zhang and Jia, "GradSign: Model Performance Inference with Theoretical Insights", ICLR 2022 (arXiv 2110.08616),
    Algorithm 1, at one random initialisation. An item is a labelled node or graph of the training split. All trainable
    parameters count, biases too; the paper's code takes linear and convolutional weights alone. The network is in
    inference mode, where batch normalisation does not tie the items together and nothing is dropped.

    Args:
        items: at most 256 training items by default.
    """
    chosen = items or Items("train", most=MOST)
    with untouched(model):
        try:
            return _by_union(model, task, chosen)
        except CannotSplitError:
            return _by_item(model, task, chosen)


def split(model: torch.nn.Module, task: Task) -> str | None:
    """Why the items' gradients of this network cannot be had in one pass; None where they can."""
    with untouched(model):
        try:
            _by_union(model, task, Items("train", most=2))
        except CannotSplitError as why:
            return str(why)
    return None


def _by_union(model: torch.nn.Module, task: Task, items: Items) -> float:
    total: dict[object, Tensor] = {}
    for some in unions(model, task, items):
        for use, delta in uses(model, some, lambda out, s: losses(out, s.y, task.target)):
            signs = use.signs(delta)
            total[use.parameter] = total[use.parameter] + signs if use.parameter in total else signs
    return sum(signs.abs().sum().item() for signs in total.values())


def _by_item(model: torch.nn.Module, task: Task, items: Items) -> float:
    """One backward pass for each item."""
    total: list[Tensor | None] = [None for p in model.parameters() if p.requires_grad]
    for batch, where in items.of(task):
        for grads in by_item(model, task, batch, where, lambda out, y: losses(out, y, task.target)):
            for number, grad in enumerate(grads):
                if grad is not None:
                    before = total[number]
                    total[number] = grad.sign() if before is None else before + grad.sign()
    return sum(signs.abs().sum().item() for signs in total if signs is not None)


GRADSIGN = Proxy(
    name="gradsign",
    summary="how far the gradients of single labelled items agree in sign",
    paper="Zhang and Jia, ICLR 2022, arXiv 2110.08616",
    needs="training labels",
    cost="a forward and a backward pass over the ego-networks of up to 256 labelled items",
    score=gradsign,
)
