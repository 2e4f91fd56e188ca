"""The reference: one forward and one backward pass for each item, the loop of the code that GradSign came with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from nas.searchspace import Task
from nas.searchspace.task import Target
from nas.zerocost.base import losses
from nas.zerocost.items import Items

Gradients = dict[str, Tensor]
"""``[items, *shape]`` of each trainable parameter."""


def gradients(model: torch.nn.Module, task: Task, items: Items) -> Gradients:
    """Of the loss of every item, which is a node or a graph."""

    def loss(batch, item: int) -> Tensor:
        out = model(*batch.arguments(task.inputs))
        row = item if batch.index is None else int(batch.index[item])
        return losses(out[row : row + 1], batch.y[item : item + 1], task.target).sum()

    chosen = [(batch, item) for batch, where in items.of(task) for item in where.tolist()]
    return _loop(model, (lambda b=batch, i=item: loss(b, i) for batch, item in chosen))


def gradients_of(model: torch.nn.Module, inputs: Tensor, y: Tensor, target: Target = "multiclass") -> Gradients:
    """Of the loss of every row of ``inputs``, given to the network alone."""
    rows = [(inputs[k : k + 1], y[k : k + 1]) for k in range(len(y))]
    return _loop(model, (lambda x=x, one=one: losses(model(x), one, target).sum() for x, one in rows))


def gradsign(found: Gradients) -> float:
    """The sum over the parameters of ``|sum over the items of sign(gradient)|``."""
    return sum(each.sign().sum(0).abs().sum().item() for each in found.values())


def _loop(model: torch.nn.Module, each: Iterable[Callable[[], Tensor]]) -> Gradients:
    found: dict[str, list[Tensor]] = {name: [] for name, p in model.named_parameters() if p.requires_grad}
    for loss in each:
        model.zero_grad()
        loss().backward()
        for name, grads in found.items():
            p = model.get_parameter(name)
            grads.append(torch.zeros_like(p) if p.grad is None else p.grad.clone())
    model.zero_grad()
    return {name: torch.stack(grads) for name, grads in found.items()}
