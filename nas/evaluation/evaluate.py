"""One job from source to outcome. Whatever goes wrong with the candidate becomes a reason."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.memory import give_back_freed_memory
from nas.evaluation.engine.prepare import without_preparation
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.inheriting import inherit, lent
from nas.evaluation.job import Failed, Job, Outcome
from nas.evaluation.limits import is_out_of_memory, memory_limit
from nas.evaluation.packing import file_size, stored
from nas.evaluation.portions.fitting import Fitted, fitted
from nas.evaluation.post_training.compensating import Compensating
from nas.evaluation.post_training.remembered import Remembered, Whole
from nas.evaluation.post_training.rounding import round_to
from nas.evaluation.precision import products_in, scores_in
from nas.evaluation.proxies import scores
from nas.evaluation.train import Trained, class_weights_of, measure, outputs, predict, train
from nas.metrics import resolve_metric
from nas.searchspace.source import load
from nas.searchspace.task import Task

LATENCY_RUNS = 3
LONG = 0.1
"""Seconds of a pass that is not repeated where its latency is not what is searched for."""

trainings = Remembered()
"""Of this process: networks that differ in their formats alone are trained once."""

State = dict[str, torch.Tensor]
"""Weights by their names."""


def write_weights(state: State, path: Path) -> None:
    """Write safetensors whole or not at all.

    Raises:
        OSError: if there is no room, or no permission (safetensors' own writer says so by an error of its own).
    """
    write_whole(packed(state), path)


def evaluate(job: Job, task: Task, write: Callable[[State, Path], None] = write_weights) -> Outcome:
    """Train the job's network on ``task`` (on the job's device, prepared or not) and measure it.

    A candidate that fails returns an outcome with a reason. On a task with folds it is trained on each of them with the
    same seed: metrics, epochs and latency are means over the folds, seconds their sum, and ``fold_0_valid_<metric>``,
    ``fold_0_test_<metric>``, ``fold_1_...`` those of each fold; weights, curve and scores of proxies are of fold 0.

    Args:
        write: what becomes of the weights where the job names a file for them.

    Raises:
        OSError: if the weights cannot be written; that is not the candidate's fault.
        RunError: if those that it inherits cannot be read; likewise.
    """
    if task.folds and job.trains:
        return _over_folds(job, task.folds, write)
    begin = time.monotonic()
    weights = lent(job.inherits or ())
    try:
        with memory_limit(job.memory, job.device):
            scored = scores(job, task) if job.proxies else {}
            if not job.trains:
                costs = costs_alone(job.source, task, job.device, job.latency)
                return Outcome(scored | costs | dict(job.known), time.monotonic() - begin)
            trained, metrics, batches = _measured(job, task, begin, weights)
    except Failed as failure:
        return Outcome(seconds=time.monotonic() - begin, reason=str(failure))
    except (Exception, SystemExit) as error:
        return Outcome(seconds=time.monotonic() - begin, reason=reason_of(error, job))
    finally:
        gc.collect()
        give_back_freed_memory()
    if job.weights is not None:
        write(trained.state, Path(job.weights))
    return Outcome(metrics | scored, metrics["seconds"], curve=trained.curve, stopped=trained.stopped, batches=batches)


def _over_folds(job: Job, folds: Sequence[Task], write: Callable[[State, Path], None]) -> Outcome:
    """One outcome of the trainings on all folds; the first that fails is the candidate's failure."""
    outcomes = list[Outcome]()
    for number, fold in enumerate(folds):
        one = job if number == 0 else replace(job, weights=None, proxies=())
        outcomes.append(evaluate(one, fold, write))
        if (reason := outcomes[-1].reason) is not None:
            return Outcome(seconds=sum(o.seconds for o in outcomes), reason=f"fold {number}: {reason}")
    first = outcomes[0]
    metrics = {name: statistics.fmean(o.metrics[name] for o in outcomes if name in o.metrics) for name in first.metrics}
    for number, outcome in enumerate(outcomes):
        for split in ("valid", "test"):
            key = f"{split}_{job.metrics[0]}"
            metrics[f"fold_{number}_{key}"] = outcome.metrics[key]
    seconds = metrics["seconds"] = sum(o.metrics["seconds"] for o in outcomes)
    return replace(first, metrics=metrics, seconds=seconds, stopped=any(o.stopped for o in outcomes))


def _measured(
    job: Job, task: Task, begin: float, weights: dict[str, torch.Tensor]
) -> tuple[Trained, dict[str, float], str]:
    cuda = [torch.device(job.device)] if job.device.startswith("cuda") else []
    latency, inherited, fit = None, 0.0, Fitted(task)
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(job.seed)
        whole = trainings.get(job, task) if job.rounded else None
        if whole is None:
            model = load(job.source)().to(job.device)
            inherited = inherit(model, weights)
            fit = fitted(job, task, model)
            scores = Scoring(predict) if fit.batches == "full" else predict  # portions live as long as a step
            with lowered(model, job.seed), fit.allocating(), products_in(job.precision):
                trained = train(
                    model,
                    fit.task,
                    job.recipe,
                    job.metrics,
                    seed=job.seed,
                    class_weights=job.class_weights,
                    seconds=job.seconds,
                    validate_every=job.validate_every,
                    rungs=job.rungs,
                    scores=scores_in(job.precision, job.device, scores),
                )
                if fit.tight and not job.rounded:
                    latency = latency_of(model, fit.task, job.latency)
            if job.rounded:
                whole = Whole(trained, Compensating(model, fit.task))
                if fit.batches == "full":
                    trainings.keep(job, task, whole)
        if whole is not None:
            model, trained = _rounded(job, fit.task, whole)
    if latency is None:  # as an exported module runs, which takes more memory than as it was trained
        latency = latency_of(model, without_preparation(task), job.latency)
    costs = {
        "params": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "bytes": float(file_size(stored(model))),
        "latency": latency,
        "seconds": time.monotonic() - begin,
    }
    shared = {} if job.inherits is None else {"inherited": inherited}
    return trained, trained.metrics | costs | dict(job.known) | shared | dict(fit.metrics), fit.batches


def _rounded(job: Job, task: Task, whole: Whole) -> tuple[torch.nn.Module, Trained]:
    """The network with few bits, and what became of the numbers and the weights of the trained one."""
    model, trained = load(job.rounded)().to(job.device), whole.trained
    round_to(model, trained.state, task, whole.compensating)
    metrics = [resolve_metric(name, task.target) for name in job.metrics]
    weights = class_weights_of(task) if job.class_weights else None
    found = dict(trained.metrics)
    with lowered(model, job.seed):
        for split in ("valid", "test"):
            found |= measure(model, task, split, metrics, weights)
    return model, replace(trained, metrics=found, state={name: t.cpu() for name, t in model.state_dict().items()})


def costs_alone(source: str, task: Task, device: str, latency: bool = True) -> dict[str, float]:
    """What a network costs, with fresh weights: ``params``, ``bytes`` and, where it is wanted, ``latency``."""
    with torch.random.fork_rng(devices=[]):
        model = load(source)().to(device)
    costs = {
        "params": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "bytes": float(file_size(stored(model))),
    }
    return costs | ({"latency": latency_of(model, without_preparation(task))} if latency else {})


def latency_of(model: torch.nn.Module, task: Task, wanted: bool = True) -> float:
    """Seconds of one forward pass over the validation split, median of several; if not ``wanted`` of a long one alone.

    On a large graph three passes of the plain module can take as long as a tenth of a training.
    """
    took = [_forward_seconds(model, task)]
    while len(took) < LATENCY_RUNS and (wanted or took[0] < LONG):
        took.append(_forward_seconds(model, task))
    return statistics.median(took)


def _forward_seconds(model: torch.nn.Module, task: Task) -> float:
    begin = time.perf_counter()
    logits, _ = outputs(model, task, "valid")
    logits.sum().item()  # waits for the device
    return time.perf_counter() - begin


def reason_of(error: BaseException, job: Job) -> str:
    """What the study keeps of a candidate's error."""
    if is_out_of_memory(error):
        limit = f" (limit {job.memory} MiB)" if job.memory else ""
        return f"out of memory{limit}: {_first_line(error)}"
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"


def packed(state: State) -> bytes:
    """Weights as a file of safetensors holds them."""
    return save({name: tensor.contiguous() for name, tensor in state.items()})


def write_whole(content: bytes, path: Path) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: if there is no room, or no permission.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
