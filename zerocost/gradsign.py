"""GradSign: how far the gradients of the samples agree in sign."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nas.searchspace.task import Target, Task
from nas.zerocost.base import Proxy, losses, untouched
from nas.zerocost.items import Items
from nas.zerocost.persample.gradients import by_item, one_by_one, unions, uses
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.uses import CannotSplitError

MOST = 64
"""Labelled items at most, as in the paper on CIFAR and ImageNet; on NAS-Bench-201 it takes 128."""


def gradsign(model: torch.nn.Module, task: Task, seed: int = 0, items: Items | None = None) -> float:
    """The sum over the parameters of ``|sum over the items of sign(gradient of the item's loss)|``.

    Zhang and Jia, "GradSign: Model Performance Inference with Theoretical Insights", ICLR 2022 (arXiv 2110.08616),
    Algorithm 1, at one random initialisation. An item is a labelled node or graph of the training split. All trainable
    parameters count, biases too; the paper's code takes linear and convolutional weights alone. The network is in
    inference mode, where batch normalisation does not tie the items together and nothing is dropped.

    Args:
        items: at most 64 training items by default.
    """
    chosen = items or Items("train", most=MOST)
    with untouched(model):
        try:
            return _by_union(model, unions(model, task, chosen), task.target)
        except CannotSplitError:
            return _by_item(by_item(model, task, chosen, lambda out, y: losses(out, y, task.target)))


def gradsign_of(model: torch.nn.Module, inputs: Tensor, y: Tensor, target: Target = "multiclass") -> float:
    """``gradsign`` of a network whose items do not hear of each other, such as a convolutional one.

    Args:
        inputs: ``[items, ...]``, the network's only argument.
        y: the items' targets, see ``Batch.y``.
    """
    items = torch.arange(len(inputs), device=inputs.device)
    with untouched(model):
        try:
            return _by_union(model, [Samples((inputs,), y, None, items, items.new_empty(2, 0))], target)
        except CannotSplitError:
            with torch.enable_grad():
                return _by_item(one_by_one(model, losses(model(inputs), y, target)))


def split(model: torch.nn.Module, task: Task) -> str | None:
    """Why the items' gradients of this network cannot be had in one pass; None where they can."""
    with untouched(model):
        try:
            _by_union(model, unions(model, task, Items("train", most=2)), task.target)
        except CannotSplitError as why:
            return str(why)
    return None


def _by_union(model: torch.nn.Module, passes: Iterable[Samples], target: Target) -> float:
    total: dict[object, Tensor] = {}
    every = (found for some in passes for found in uses(model, some, lambda out, s: losses(out, s.y, target)))
    for found in every:
        for use, delta in found:
            signs = use.signs(delta)
            total[use.parameter] = total[use.parameter] + signs if use.parameter in total else signs
    return sum(signs.abs().sum().item() for signs in total.values())


def _by_item(gradients: Iterable[list[Tensor | None]]) -> float:
    """From the gradients of each item, which a backward pass of its own has found."""
    total: dict[int, Tensor] = {}
    for grads in gradients:
        for number, grad in enumerate(grads):
            if grad is not None:
                total[number] = total[number] + grad.sign() if number in total else grad.sign()
    return sum(signs.abs().sum().item() for signs in total.values())


GRADSIGN = Proxy(
    name="gradsign",
    summary="how far the gradients of single labelled items agree in sign",
    paper="Zhang and Jia, ICLR 2022, arXiv 2110.08616",
    needs="training labels",
    cost="a forward and a backward pass over the ego-networks of up to 64 labelled items",
    score=gradsign,
)
