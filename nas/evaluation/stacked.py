"""Several seeds of one architecture trained as one network: their weights are stacked along a first dimension.

``torch.vmap`` carries the module, as it is written, over the stack, so that one call of each operation serves all
seeds. Each seed starts from the weights it would have alone and has its own batch statistics, best epoch and early
stopping; only the random numbers of dropout are drawn for all together.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from nas.evaluation.cooling import Cooling
from nas.evaluation.engine.prepare import without_preparation
from nas.evaluation.job import Failed
from nas.evaluation.train import Trained, class_weights_of, measure, optimiser_of, outputs, pace
from nas.metrics import Metric, loss, resolve_metric
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load
from nas.searchspace.task import Batch, Split, Task


class CannotStack(Exception):  # noqa: N818
    """These networks cannot be trained as one; the message is the reason. One after the other they well may."""


def train_stacked(
    source: str,
    task: Task,
    recipe: Recipe,
    metrics: Sequence[str],
    seeds: Sequence[int],
    *,
    class_weights: bool = False,
    seconds: float | None = None,
    validate_every: int | None = None,
) -> list[Trained | Failed]:
    """What ``train.train`` gives for each seed, from one training of all of them on the task's device.

    Without dropout the numbers are those of separate trainings up to rounding. With it they come from the same
    distribution, and depend on which seeds are trained together. A seed that fails leaves the others alone.

    Args:
        seconds: limit for one seed; all together have as many times that. What is not over by then ends.

    Raises:
        CannotStack: if the seeds see different batches, as on a graph-level task, or the stack does not compute what
            the networks do.
        Failed: if none of the seeds can be trained.
        RuntimeError: of torch, if the module cannot be carried over a stack (it asks for a number by ``.item()``, or
            for a shape that depends on weights), or if memory runs out.
    """
    if task.level != "node":
        raise CannotStack(f"each seed shuffles the batches of a {task.level}-level task in its own way")
    task = without_preparation(task)
    chosen = [resolve_metric(name, task.target) for name in metrics]
    weights = class_weights_of(task) if class_weights else None
    every = pace(recipe.epochs) if validate_every is None else validate_every
    device = task.train[0].x.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        stack = _Stack(source, seeds, task)
        optimiser, schedule = optimiser_of(stack.weights, recipe)
        stack.check()
        cooling = Cooling(optimiser, recipe.epochs, None if seconds is None else seconds * len(seeds))
        runs = [_Run(chosen[0], recipe.waits) for _ in seeds]
        rows = list(runs)
        for epoch in range(1, recipe.epochs + 1):
            stack.template.train()
            for batch in task.train:
                optimiser.zero_grad(set_to_none=True)
                logits = stack.logits(batch)
                losses = vmap(lambda out, y=batch.y: loss(out, y, task.target, weights, task.spread))(logits)
                losses.sum().backward()  # type: ignore[no-untyped-call]  # each loss depends on its own network alone
                optimiser.step()
            schedule.step()
            if not (late := cooling.late):
                cooling.step(epoch + 1)
            if late or epoch % every == 0 or epoch == recipe.epochs:
                logits, y = stack.outputs("valid")
                for row, run in enumerate(rows):
                    if run.look(epoch, logits[row], y, loss(logits[row], y, task.target, weights).item()):
                        run.state = stack.state(row)
            going = [] if late else [row for row, run in enumerate(rows) if not run.over]
            if not going:
                break
            if 2 * len(going) <= len(rows):
                stack.keep(going, optimiser)
                rows = [rows[row] for row in going]
    return [_finished(run, model, task, chosen, weights) for run, model in zip(runs, stack.models, strict=True)]


@dataclass
class _Run:
    """One seed on its way: its best epoch so far and whether it is over, by the rules of ``train.train``."""

    metric: Metric
    patience: int
    best: float = math.nan
    best_loss: float = math.inf
    best_epoch: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    epochs: int = 0
    over: bool = False
    failure: Failed | None = None

    def look(self, epoch: int, logits: Tensor, y: Tensor, valid_loss: float) -> bool:
        """Take down an epoch's outputs on the validation split; whether they are the best so far."""
        if self.over:
            return False
        self.epochs = epoch
        if not math.isfinite(valid_loss):
            self.fail(f"not a number: the validation loss of epoch {epoch} is {valid_loss}")
            return False
        value = self.metric(logits, y)
        self.curve.append((epoch, value))
        if self.metric.better(value, self.best) or (value == self.best and valid_loss < self.best_loss):
            self.best, self.best_loss, self.best_epoch = value, valid_loss, epoch
            return True
        self.over = epoch - self.best_epoch >= self.patience
        return False

    def fail(self, reason: str) -> None:
        if not self.over:
            self.over, self.failure = True, Failed(reason)


class _Stack:
    """Networks of one source with their parameters and buffers as ``[networks, ...]``."""

    def __init__(self, source: str, seeds: Sequence[int], task: Task) -> None:
        self.task = task
        self.models = [_initial(source, seed, task.train[0].x.device) for seed in seeds]
        parameters, self.buffers = stack_module_state(self.models)
        self.parameters: dict[str, Tensor] = {n: torch.nn.Parameter(p, p.requires_grad) for n, p in parameters.items()}
        self.weights = torch.nn.ParameterList(self.parameters.values())
        # functional_call may leave a module that is used twice with what it was called with
        self.template = copy.deepcopy(self.models[0])

    def check(self) -> None:
        """Raises CannotStack unless the stack computes what its networks compute."""
        alone = torch.stack([outputs(model, self.task, "valid")[0] for model in self.models])
        together, _ = self.outputs("valid")
        largest = alone.nan_to_num().abs().max().item()
        if not torch.allclose(alone, together, rtol=1e-3, atol=1e-4 * largest, equal_nan=True):
            raise CannotStack("the networks keep numbers that are neither parameters nor buffers")

    def logits(self, batch: Batch) -> Tensor:
        """``[networks, items, outputs]`` for the scored items of a batch."""
        arguments = batch.arguments(self.task.inputs)

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
            out: Tensor = functional_call(self.template, (parameters, buffers), arguments)
            return out if batch.index is None else out[batch.index]

        out: Tensor = vmap(one, randomness="different")(self.parameters, self.buffers)
        return out

    def outputs(self, split: Split) -> tuple[Tensor, Tensor]:
        """``train.outputs`` of every network."""
        self.template.eval()
        with torch.no_grad():
            parts = [(self.logits(batch), batch.y) for batch in self.task.batches(split)]
        return torch.cat([out for out, _ in parts], dim=1), torch.cat([y for _, y in parts])

    def state(self, row: int) -> dict[str, Tensor]:
        """Parameters and buffers of one network, copied."""
        return {name: tensor[row].detach().clone() for name, tensor in (self.parameters | self.buffers).items()}

    def keep(self, rows: Sequence[int], optimiser: torch.optim.Optimizer) -> None:
        """Go on with these networks alone."""
        at = torch.tensor(rows, device=self.weights[0].device)
        for name, old in self.parameters.items():
            new = self.parameters[name] = torch.nn.Parameter(old.detach()[at], old.requires_grad)
            if old in optimiser.state:
                held = optimiser.state.pop(old).items()
                optimiser.state[new] = {
                    k: v[at] if isinstance(v, Tensor) and v.shape == old.shape else v for k, v in held
                }
        self.weights = torch.nn.ParameterList(self.parameters.values())
        optimiser.param_groups[0]["params"] = [p for p in self.weights if p.requires_grad]
        self.buffers = {name: buffer[at] for name, buffer in self.buffers.items()}


def _initial(source: str, seed: int, device: torch.device) -> torch.nn.Module:
    torch.manual_seed(seed)
    return load(source)().to(device)


def _finished(
    run: _Run, model: torch.nn.Module, task: Task, chosen: Sequence[Metric], weights: Tensor | None
) -> Trained | Failed:
    """A run's best weights, measured in a network of its own."""
    if run.failure is not None:
        return run.failure
    if run.best_epoch == 0:
        return Failed(f"not a number: {chosen[0].name} is not defined on the validation split")
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            tensor.copy_(run.state[name])
    measured: dict[str, float] = {"epochs": run.epochs, "best_epoch": run.best_epoch}
    for split in ("valid", "test"):
        measured |= measure(model, task, split, chosen, weights)
    state = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
    return Trained(measured, state, tuple(run.curve))
