"""Training one network: early stopping on the validation split, the best epoch's weights, test read once."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.collate import Offsets, offsets, select
from nas.evaluation.job import Failed
from nas.metrics import Metric, loss, resolve_metric
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Batch, Split, Task

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")

GRAPHS_AT_ONCE = 512
"""Graphs in one forward pass where no gradient is needed."""


@dataclass(frozen=True)
class Trained:
    """A trained network's numbers and its best weights.

    Attributes:
        metrics: ``valid_*`` and ``test_*``, ``epochs`` and ``best_epoch``.
        state: the weights of the best epoch, on the CPU.
    """

    metrics: dict[str, float]
    state: dict[str, Tensor]


def train(
    model: torch.nn.Module,
    task: Task,
    recipe: Recipe,
    metrics: Sequence[str],
    *,
    seed: int,
    class_weights: bool = False,
    seconds: float | None = None,
) -> Trained:
    """Train ``model`` in place and leave it with the weights of its best epoch.

    The best epoch has the best first metric on the validation split, and of equals the smallest validation loss. The
    test split is read once, with those weights. ``model`` and ``task`` are on the same device.

    Raises:
        Failed: if the loss is not a number, or ``seconds`` have passed.
    """
    chosen = [resolve_metric(name, task.target) for name in metrics]
    weights = _class_weights(task) if class_weights else None
    optimiser, schedule = _optimiser(model, recipe)
    shuffle = torch.Generator().manual_seed(seed)
    begin = time.monotonic()
    best, best_loss, best_epoch, state = math.nan, math.inf, 0, _copy(model)
    epoch = 0
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for batch in _steps(task, recipe, shuffle):
            optimiser.zero_grad(set_to_none=True)
            objective = loss(predict(model, task, batch), batch.y, task.target, weights)
            objective.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
        logits, y = outputs(model, task, "valid")
        value, valid_loss = chosen[0](logits, y), loss(logits, y, task.target, weights).item()
        if not math.isfinite(valid_loss):
            raise Failed(f"not a number: the validation loss of epoch {epoch} is {valid_loss}")
        if chosen[0].better(value, best) or (value == best and valid_loss < best_loss):
            best, best_loss, best_epoch, state = value, valid_loss, epoch, _copy(model)
        elif epoch - best_epoch >= recipe.patience:
            break
        if seconds is not None and time.monotonic() - begin > seconds:
            raise Failed(f"time limit: {seconds:g} seconds were over after {epoch} of {recipe.epochs} epochs")
    if best_epoch == 0:
        raise Failed(f"not a number: {chosen[0].name} is not defined on the validation split")
    model.load_state_dict(state)
    measured: dict[str, float] = {"epochs": epoch, "best_epoch": best_epoch}
    for split in ("valid", "test"):
        measured |= measure(model, task, split, chosen, weights)
    return Trained(measured, {name: tensor.cpu() for name, tensor in state.items()})


def measure(
    model: torch.nn.Module, task: Task, split: Split, metrics: Sequence[Metric], weights: Tensor | None = None
) -> dict[str, float]:
    """``<split>_<metric>`` and ``<split>_loss``."""
    logits, y = outputs(model, task, split)
    measured = {f"{split}_{metric.name}": metric(logits, y) for metric in metrics}
    return measured | {f"{split}_loss": loss(logits, y, task.target, weights).item()}


def predict(model: torch.nn.Module, task: Task, batch: Batch) -> Tensor:
    """``[items, outputs]`` for the scored items of a batch.

    Raises:
        Failed: if the model returns another shape, as an operator of the user's own may: the wrong rows would be
            scored, or more classes than there are.
    """
    out: Tensor = model(*batch.arguments(task.inputs))
    wanted = (batch.x.size(0) if task.level == "node" else len(batch.y), task.outputs)
    if tuple(out.shape) != wanted:
        raise Failed(f"the network returned {list(out.shape)} where the task needs {list(wanted)}")
    return out if batch.index is None else out[batch.index]


def outputs(model: torch.nn.Module, task: Task, split: Split) -> tuple[Tensor, Tensor]:
    """The model's outputs on a split, and the targets, without gradients and in inference mode."""
    model.eval()
    with torch.no_grad():
        parts = [(predict(model, task, batch), batch.y) for batch in _chunks(task, split)]
    return torch.cat([out for out, _ in parts]), torch.cat([y for _, y in parts])


def _steps(task: Task, recipe: Recipe, shuffle: torch.Generator) -> Iterator[Batch]:
    """The batches of one epoch: graphs are shuffled into mini-batches, everything else comes as it is."""
    for batch in task.train:
        if task.level != "graph":
            yield batch
            continue
        at = _offsets(batch)
        order = torch.randperm(len(batch.y), generator=shuffle).to(batch.y.device)
        for chosen in torch.split(order, recipe.batch_size):
            if len(chosen) > 1 or len(order) == 1:  # batch normalisation needs two items
                yield select(batch, chosen, at)


def _chunks(task: Task, split: Split) -> Iterator[Batch]:
    for batch in task.batches(split):
        if task.level != "graph" or len(batch.y) <= GRAPHS_AT_ONCE:
            yield batch
            continue
        at = _offsets(batch)
        for chosen in torch.split(torch.arange(len(batch.y), device=batch.y.device), GRAPHS_AT_ONCE):
            yield select(batch, chosen, at)


_known_offsets: dict[int, tuple[Batch, Offsets]] = {}


def _offsets(batch: Batch) -> Offsets:
    """The offsets of a batch, computed once while it lives in the table."""
    held = _known_offsets.get(id(batch))
    if held is None or held[0] is not batch:
        if len(_known_offsets) > 8:
            _known_offsets.clear()
        held = _known_offsets[id(batch)] = (batch, offsets(batch))
    return held[1]


def _optimiser(
    model: torch.nn.Module, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise Failed("the network has no parameters to train")
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(parameters, lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)
    else:
        kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
        optimiser = kind(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    if recipe.cosine:
        return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs)
    return optimiser, torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)


def _class_weights(task: Task) -> Tensor | None:
    """Inverse class frequencies of the training split with mean one; for yes/no questions, negatives over positives."""
    if task.target == "regression":
        return None
    y = torch.cat([batch.y for batch in task.train])
    if task.target == "multiclass":
        count = torch.bincount(y, minlength=task.outputs).clamp(min=1).float()
        return count.sum() / (task.outputs * count)
    return ((y == 0).sum(0) / (y == 1).sum(0).clamp(min=1)).clamp(min=1e-3).float()


def _copy(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
