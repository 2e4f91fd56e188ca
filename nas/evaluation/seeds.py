"""One job with several seeds: whether to train them as one, and what comes out."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from nas.evaluation.engine.memory import give_back_freed_memory
from nas.evaluation.engine.prepare import without_preparation
from nas.evaluation.evaluate import evaluate, latency_of, reason_of
from nas.evaluation.job import Failed, Job, Outcome
from nas.evaluation.limits import memory_limit
from nas.evaluation.packing import file_size, stored
from nas.evaluation.stacked import CannotStack, train_stacked
from nas.evaluation.train import Trained
from nas.searchspace.source import load
from nas.searchspace.task import Task

ALONE = "one after the other"
LARGEST = {"cpu": 15_000, "cuda": 20_000_000}
"""The largest ``size`` of a task whose seeds are trained as one.

On a CPU, measured by ``experiments/fast_evaluation/seeds.py``: up to here no architecture is slower as one; at twice
this size some are, and on digits and Cora all take three to six times as long, without the engine's sparse products.
On a GPU, not measured yet but expected: training on small graphs is bound by the launches of kernels there, which a
stack shares; the number keeps each tensor of ten seeds below a GB.
"""


def size(task: Task) -> int:
    """Numbers that the first layer of 64 channels reads in an epoch: the features, and a message for every edge."""
    return sum(batch.x.numel() + 64 * batch.edge_index.size(1) for batch in task.train)


def refusal(job: Job, seeds: int, task: Task) -> str | None:
    """Why so many seeds of the job should be trained one after the other; None where training them as one is faster.

    It depends on what is asked for and the kind of device alone, so that equal inputs go the same way.
    """
    if job.rounded:
        return "each is rounded when it is trained"
    if job.precision != "float32":
        return "as one they are trained in float32"
    if seeds < 2:
        return "there is one seed"
    if task.folds:
        return f"each seed is trained on each of {len(task.folds)} folds"
    if task.level != "node":
        return f"each seed shuffles the batches of a {task.level}-level task in its own way"
    if job.batches not in ("auto", "full"):
        return f"each seed draws its own batches of {job.batches}"
    kind = torch.device(job.device).type
    if size(task) > LARGEST[kind]:
        return "faster on this device for a graph of this size" if kind == "cpu" else "together they take much memory"
    return None


def evaluate_seeds(job: Job, seeds: Sequence[int], task: Task) -> Iterator[tuple[int, Outcome, str]]:
    """Each seed, what ``evaluate`` gives for the job with it, and the way it was trained.

    Seeds trained one after the other come as they are finished; of those trained as one, those that failed come last.
    """
    why = refusal(job, len(seeds), task)
    if why is None:
        try:
            outcomes = list(zip(seeds, evaluate_stacked(job, seeds, task), strict=True))
        except CannotStack as error:
            why = f"together they failed: {error}"
        else:
            for seed, outcome in sorted(outcomes, key=lambda trained: trained[1].reason is not None):
                yield seed, outcome, f"{len(seeds)} seeds in one batched training"
            return
    for seed in seeds:
        yield seed, evaluate(replace(job, seed=seed), task), f"{ALONE} ({why})"


def evaluate_stacked(job: Job, seeds: Sequence[int], task: Task) -> list[Outcome]:
    """What ``evaluate`` gives for the job with each seed, from one training of all of them.

    The limits of the job count once for each seed, and its ``seconds`` are each seed's share. Weights are not written.

    Raises:
        CannotStack: if anything keeps the networks from being trained as one; the message says what.
    """
    begin = time.monotonic()
    try:
        with memory_limit(None if job.memory is None else job.memory * len(seeds), job.device):
            trained = train_stacked(
                job.source,
                task,
                job.recipe,
                job.metrics,
                seeds,
                class_weights=job.class_weights,
                seconds=job.seconds,
                validate_every=job.validate_every,
            )
    except (CannotStack, Failed) as error:
        raise CannotStack(str(error)) from error
    except Exception as error:
        raise CannotStack(reason_of(error, job)) from error
    finally:
        gc.collect()
        give_back_freed_memory()
    share = (time.monotonic() - begin) / len(seeds)
    return [_outcome(job, one, without_preparation(task), share) for one in trained]


def _outcome(job: Job, trained: Trained | Failed, task: Task, seconds: float) -> Outcome:
    if isinstance(trained, Failed):
        return Outcome(seconds=seconds, reason=str(trained))
    model = load(job.source)()
    model.load_state_dict(trained.state)
    model.to(job.device)
    costs = {
        "params": float(sum(p.numel() for p in model.parameters() if p.requires_grad)),
        "bytes": float(file_size(stored(model))),
        "latency": latency_of(model, task, job.latency),
        "seconds": seconds,
    }
    return Outcome(trained.metrics | costs | dict(job.known), seconds, curve=trained.curve)
