"""Made-up searches: architectures of the built-in spaces with invented scores."""

import math
import random
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nas.controllers.base import Trial
from nas.report.page import View
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record, ranked

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that of torch.jit would fail the first test which needs torch_geometric
    import torch_geometric  # noqa: F401

ACCURACY, PARAMS = Objective("accuracy", True), Objective("params", False)
TASK = Task(
    name="toy",
    level="node",
    target="multiclass",
    features=12,
    outputs=3,
    metric="accuracy",
    split="given",
    identity="x",
)
VERSIONS = {"gnn-nas": "0.1.0", "python": "3.11", "torch": "2.13.0"}


def _record(
    number: int,
    architecture: Any,
    objectives: tuple[Objective, ...],
    rng: random.Random,
    reason: str | None = None,
    stopped: int | None = None,
) -> Record:
    if reason is not None:
        return Record(Trial(number, architecture, None, {}, 1.0, reason), 2.0 * number + 1, "evolution")
    accuracy, params = rng.uniform(0.5, 0.9), float(rng.randint(100, 10**6))
    if stopped is not None:  # only those that are behind are
        accuracy /= 2
    metrics = {
        "valid_accuracy": accuracy,
        "test_accuracy": accuracy - 0.01,
        "params": params,
        "bytes": 4 * params,
        "seconds": 1.5,
        "latency": 0.001,
        "epochs": 100.0,
        "best_epoch": 40.0,
    }
    values = tuple(o.value(metrics[o.key]) for o in objectives)
    if stopped is not None:
        metrics |= {"epochs": float(stopped), "best_epoch": float(stopped)}
    looks = range(5, int(metrics["epochs"]) + 1, 5)
    curve = tuple((at, accuracy * (1 - 0.8 * math.exp((looks[0] - at) / 12))) for at in looks)
    trial = Trial(number, architecture, values, metrics, 1.5, None, curve, stopped)
    return Record(trial, 2.0 * number + 1, "evolution")


def _view(
    space: str = "agnn",
    trials: int = 20,
    objectives: tuple[Objective, ...] = (ACCURACY,),
    failures: dict[int, str] | None = None,
    early: dict[int, int] | None = None,
    task: Task = TASK,
    retrained: int | None = None,
    **changed: Any,
) -> View:
    """A search; trials failed for the reasons in ``failures`` and were stopped at the epochs in ``early``.

    With ``retrained`` it was one with shared weights, after which so many of the best were trained from scratch.
    """
    rng = random.Random(0)
    bound = find(space).for_task(task)
    failures, early = failures or {}, early or {}
    records = [_record(i, bound.sample(rng), objectives, rng, failures.get(i), early.get(i)) for i in range(trials)]
    if retrained is not None:
        records = [_warmed_up(r) for r in records]
        again = [r.trial.architecture for r in ranked(records)[:retrained]]
        records += [_record(trials + i, a, objectives, rng) for i, a in enumerate(again)]
    settings = Settings(data=task.name, space=space, evaluator="train" if retrained is None else "shared")
    given = {
        "name": "toy-1",
        "settings": settings,
        "objectives": objectives,
        "records": records,
        "space": bound,
        "task": task,
        "versions": VERSIONS,
        "state": "finished",
    }
    return View(**(given | changed))


def _warmed_up(record: Record) -> Record:
    """With weights of others and 15 epochs."""
    trial = record.trial
    measured = trial.metrics | ({"epochs": 15.0, "best_epoch": 10.0} if trial.values else {})
    short = tuple(look for look in trial.curve if look[0] <= 15)
    return replace(record, trial=replace(trial, metrics=measured, curve=short), evaluator="shared")


@pytest.fixture
def view() -> Callable[..., View]:
    """Makes a search of a toy data set: ``view(space, trials, objectives, failures, ...)``."""
    return _view


@pytest.fixture
def task() -> Task:
    return TASK
