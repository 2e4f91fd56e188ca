"""The gradients of every sample apart, from one forward and one backward pass.

The samples lie side by side without links between them (``nas.zerocost.persample.egonets``, which also says where they
do not), so each row of an
activation belongs to one sample, and the gradient of sample i by a linear map is X_i^T delta_i: its input rows times
the gradients of its output rows. A mode listens for the calls that use a parameter; whatever such a call is, it is
known how its gradient follows from the rows, or the network is refused and ``by_item`` takes the slow way: a backward
pass per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nas.searchspace.layers.known import DECODERS, is_ours
from nas.searchspace.layers.quantised import Quantiser
from nas.searchspace.task import Task
from nas.zerocost.items import Items
from nas.zerocost.persample.egonets import samples
from nas.zerocost.persample.listener import Listener
from nas.zerocost.persample.receptive import all_known, hops, hops_of
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.stepping import outputs
from nas.zerocost.persample.uses import CannotSplitError, Use

PerSample = Callable[[Tensor, Samples], Tensor]
"""From the outputs of the samples, ``[samples, outputs]``, to ``[samples]``: what is differentiated."""


def uses(model: torch.nn.Module, samples: Samples, scalar: PerSample) -> Iterator[list[tuple[Use, Tensor]]]:
    """Every use of a parameter and the gradient of what it returned, of the sum of ``scalar`` over the samples.

    Of samples that share their rows, of one after the other. Uses whose output has no effect are left out. The model is
    in inference mode.

    Raises:
        CannotSplitError: if a parameter is used in a way that is not covered, or more than once.
    """
    listener = Listener(model, samples)
    with plain_torch_layers(model), torch.enable_grad():
        with listener:
            out = outputs(model, samples, listener.enter)
        each = scalar(out, samples)
        totals = list(each) if samples.shared else [each.sum()]
    for total in totals:
        yield _found(model, listener, total, again=samples.shared)


def _found(model: torch.nn.Module, listener: Listener, total: Tensor, again: bool) -> list[tuple[Use, Tensor]]:
    """Of one backward pass; ``again`` where another one follows."""
    if not total.requires_grad:
        return []
    parameters = [p for p in model.parameters() if p.requires_grad]
    edges: list[Any] = [use.edge for use in listener.uses]
    grads = torch.autograd.grad(total, [*edges, *parameters], retain_graph=again, allow_unused=True)
    if missed := [p for p, g in zip(parameters, grads[len(edges) :], strict=True) if g is not None]:
        raise CannotSplitError(f"{listener.name(missed[0])} is used in a way that is not covered")
    trained = [number for number, p in enumerate(model.parameters()) if p.requires_grad]
    found = zip(listener.uses, grads, strict=False)
    return [(use, grad) for use, grad in found if grad is not None and use.parameter[0] in trained]


@contextmanager
def plain_torch_layers(model: torch.nn.Module) -> Iterator[None]:
    """Torch's own layers call torch's functions while the block runs, so that whoever listens hears them."""
    replaced = [m for m in model.modules() if "forward" in vars(m) and type(m).__module__.startswith("torch.")]
    forwards = [vars(m).pop("forward") for m in replaced]
    try:
        yield
    finally:
        for m, forward in zip(replaced, forwards, strict=True):
            vars(m)["forward"] = forward


def unions(model: torch.nn.Module, task: Task, items: Items, alone: bool = False) -> Iterator[Samples]:
    """The items, each with what this network hears of.

    Args:
        alone: whether each graph, where graphs are the items, comes by itself.

    Raises:
        CannotSplitError: if it is not known how far it hears, or values are rounded.
    """
    if any(is_ours(type(layer)) is Quantiser for layer in model.modules()):
        raise CannotSplitError("values are rounded by the range of all items together")
    far = 0 if task.level == "graph" and all_known(model) else hops(model)
    if far is None:
        raise CannotSplitError("a layer of the network is not known, or its steps depend on the data")
    prepared = all(getattr(batch.edge_index, "divisible", False) for batch in task.batches(items.split))
    prepared = prepared and not (task.edge_weights or task.edge_features)  # they go the ordinary way
    passing = (layer for layer in model.modules() if hops_of(layer) and is_ours(type(layer)) not in DECODERS)
    prepared = prepared and all("forward" in vars(layer) for layer in passing)
    return samples(task, items, far, prepared, alone)


def by_item(
    model: torch.nn.Module, task: Task, items: Items, scalar: Callable[[Tensor, Tensor], Tensor]
) -> Iterator[list[Tensor | None]]:
    """The slow way: the gradients of each item's scalar by all trainable parameters, a backward pass for each.

    Args:
        scalar: from outputs and targets of some items to ``[some]``.
    """
    with torch.enable_grad():
        for out, y in _answers(model, task, items):
            yield from one_by_one(model, scalar(out, y))


def _answers(model: torch.nn.Module, task: Task, items: Items) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs for the items, and their targets: of one graph after the other where no other has a say in them, else of
    a whole batch, through all of which each backward pass then goes."""
    if task.level == "graph":
        try:
            alone = unions(model, task, items, alone=True)
        except CannotSplitError:
            pass
        else:
            yield from ((model(*graph.arguments), graph.y) for graph in alone)
            return
    for batch, where in items.of(task):
        out = model(*batch.arguments(task.inputs))
        yield (out if batch.index is None else out[batch.index])[where], batch.y[where]


def one_by_one(model: torch.nn.Module, each: Tensor) -> Iterator[list[Tensor | None]]:
    """The gradients of each of these numbers by all trainable parameters, None where it does not depend on one."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    for one in each:
        reached = parameters if one.requires_grad else []
        grads = torch.autograd.grad(one, reached, retain_graph=True, allow_unused=True) if reached else ()
        yield [*grads, *[None] * (len(parameters) - len(reached))]
