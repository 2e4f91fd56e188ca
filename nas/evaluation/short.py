"""A short training: the first epochs of the real one, and how well the network then fits and generalises."""

from __future__ import annotations

import math
import time

import torch

from nas.evaluation.batches import steps
from nas.evaluation.job import Failed
from nas.evaluation.train import Predict, class_weights_of, optimiser_of, outputs, step
from nas.metrics import Metric
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Split, Task

LOOKS = 5
"""In a training."""
SPLITS: tuple[Split, ...] = "train", "valid"


def short_training(
    model: torch.nn.Module,
    task: Task,
    recipe: Recipe,
    metric: Metric,
    epochs: int,
    *,
    seed: int,
    class_weights: bool,
    scores: Predict,
    seconds: float | None = None,
) -> float:
    """The mean of the best training and the best validation metric at a few looks; minus it where smaller is better.

    Early on, the validation metric is the same for many networks, and what they have learned of the training items
    tells them apart. Ours; measured in ``experiments/zerocost``. The model is trained in place, by the recipe as if it
    went on.

    Args:
        seconds: after which it ends with the epoch that it is in; None for no limit.

    Raises:
        Failed: if the outputs are not numbers.
    """
    weights = class_weights_of(task) if class_weights else None
    optimiser, schedule = optimiser_of(model, recipe)
    shuffle = torch.Generator().manual_seed(seed)
    epochs = min(epochs, recipe.epochs)
    every, best = max(1, epochs // LOOKS), [math.nan, math.nan]
    begin = time.monotonic()
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in steps(task, recipe, shuffle):
            step(model, task, batch, optimiser, weights, scores)
        schedule.step()
        over = seconds is not None and time.monotonic() - begin > seconds
        if (epochs - epoch) % every and not over:
            continue
        for i, split in enumerate(SPLITS):
            found, y = outputs(model, task, split, scores)
            if not bool(found.isfinite().all()):
                raise Failed(f"not a number: what the network returns after epoch {epoch}")
            if metric.better(value := metric(found, y), best[i]):
                best[i] = value
        if over:
            break
    return sum(best) / 2 if metric.larger_is_better else -sum(best) / 2
