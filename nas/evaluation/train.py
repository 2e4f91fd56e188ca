"""Training one network: early stopping on the validation split, the best epoch's weights, test read once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.evaluation.batches import chunks, steps
from nas.evaluation.cooling import Cooling
from nas.evaluation.job import Failed, Rung
from nas.metrics import Metric, loss, resolve_metric
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Batch, Split, Task

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
warnings.filterwarnings("ignore", message="The usage of `scatter.*can be accelerated")  # on a GPU

LOOKS = 40
"""Looks at the validation split in a training of full length, where the user does not say."""
RAREST = 5
"""The most epochs between two looks, where the user does not say."""

Predict = Callable[[torch.nn.Module, Task, Batch], Tensor]
"""From a model, a task and a batch to ``[items, outputs]`` for the scored items."""


@dataclass(frozen=True)
class Trained:
    """A trained network's numbers and its best weights.

    Attributes:
        metrics: ``valid_*`` and ``test_*``, ``epochs`` and ``best_epoch``.
        state: the weights of the best epoch, on the CPU.
        curve: ``(epoch, value)`` of the first metric at every look at the validation split.
        stopped: whether a rung or the time limit ended the training.
    """

    metrics: dict[str, float]
    state: dict[str, Tensor]
    curve: tuple[tuple[int, float], ...] = ()
    stopped: bool = False


def pace(epochs: int) -> int:
    """Epochs from one look at the validation split to the next: 1 for short trainings, 5 from 200 epochs on."""
    return min(RAREST, max(1, epochs // LOOKS))


def train(
    model: torch.nn.Module,
    task: Task,
    recipe: Recipe,
    metrics: Sequence[str],
    *,
    seed: int,
    class_weights: bool = False,
    seconds: float | None = None,
    validate_every: int | None = None,
    rungs: Sequence[Rung] = (),
    scores: Predict | None = None,
) -> Trained:
    """Train ``model`` in place and leave it with the weights of its best epoch.

    The validation split is looked at every ``validate_every`` epochs, after the last one, and at the rungs; a training
    that a rung finds behind ends there, and so does one whose ``seconds`` are over, cooled down and after a last look.
    Of the epochs looked at, the best has the best first metric, and of equals the smallest validation loss. The test
    split is read once, with its weights. ``model`` and ``task`` are on the same device, which is waited for only at
    these looks.

    Args:
        scores: how to score a batch, if not by ``predict``.

    Raises:
        Failed: if the loss is not a number.
    """
    scores = scores or predict
    chosen = [resolve_metric(name, task.target) for name in metrics]
    weights = class_weights_of(task) if class_weights else None
    optimiser, schedule = optimiser_of(model, recipe)
    shuffle = torch.Generator().manual_seed(seed)
    every = pace(recipe.epochs) if validate_every is None else validate_every
    least = {rung.epoch: rung.least for rung in rungs}
    cooling = Cooling(optimiser, recipe.epochs, seconds)
    best, best_loss, best_epoch, state = math.nan, math.inf, 0, _copy(model)
    curve, epoch, late, stopped = list[tuple[int, float]](), 0, False, False
    for epoch in range(1, recipe.epochs + 1):
        model.train()
        for batch in steps(task, recipe, shuffle):
            step(model, task, batch, optimiser, weights, scores)
            if late := cooling.late:
                break
            cooling.step(epoch)
        schedule.step()
        if not late and epoch % every and epoch != recipe.epochs and epoch not in least:
            continue
        logits, y = outputs(model, task, "valid", scores)
        value, valid_loss = chosen[0](logits, y), loss(logits, y, task.target, weights).item()
        if not math.isfinite(valid_loss):
            raise Failed(f"not a number: the validation loss of epoch {epoch} is {valid_loss}")
        curve.append((epoch, value))
        if chosen[0].better(value, best) or (value == best and valid_loss < best_loss):
            best, best_loss, best_epoch, state = value, valid_loss, epoch, _copy(model)
        elif epoch - best_epoch >= recipe.waits:
            break
        stopped = late or (epoch in least and chosen[0].better(least[epoch], best))
        if stopped:
            break
    if best_epoch == 0:
        raise Failed(f"not a number: {chosen[0].name} is not defined on the validation split")
    model.load_state_dict(state)
    measured: dict[str, float] = {"epochs": epoch, "best_epoch": best_epoch}
    for split in ("valid", "test"):
        measured |= measure(model, task, split, chosen, weights, scores)
    return Trained(measured, {name: tensor.cpu() for name, tensor in state.items()}, tuple(curve), stopped)


def step(
    model: torch.nn.Module,
    task: Task,
    batch: Batch,
    optimiser: torch.optim.Optimizer,
    weights: Tensor | None,
    scores: Predict,
) -> None:
    """One step of training on a batch."""
    optimiser.zero_grad(set_to_none=True)
    objective = loss(scores(model, task, batch), batch.y, task.target, weights, task.spread)
    objective.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def measure(
    model: torch.nn.Module,
    task: Task,
    split: Split,
    metrics: Sequence[Metric],
    weights: Tensor | None = None,
    scores: Predict | None = None,
) -> dict[str, float]:
    """``<split>_<metric>`` and ``<split>_loss``."""
    logits, y = outputs(model, task, split, scores)
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


def outputs(model: torch.nn.Module, task: Task, split: Split, scores: Predict | None = None) -> tuple[Tensor, Tensor]:
    """The model's outputs on a split, and the targets, without gradients and in inference mode."""
    model.eval()
    with torch.no_grad():
        parts = [((scores or predict)(model, task, batch), batch.y) for batch in chunks(task, split)]
    return torch.cat([out for out, _ in parts]), torch.cat([y for _, y in parts])


def optimiser_of(
    model: torch.nn.Module, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """The recipe's optimiser and learning rates.

    Raises:
        Failed: if there is nothing to train.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise Failed("the network has no parameters to train")
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "sgd":
        decay = recipe.weight_decay
        optimiser = torch.optim.SGD(parameters, lr=recipe.lr, momentum=0.9, weight_decay=decay, fused=True)
    else:
        kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
        optimiser = kind(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    if recipe.cosine:
        return optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs)
    return optimiser, torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)


def class_weights_of(task: Task) -> Tensor | None:
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
