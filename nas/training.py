"""Training one architecture in full: again for its weights, or over seeds for its mean and deviation."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job, Outcome
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.source import source
from nas.searchspace.task import Task
from nas.study.plan import Plan
from nas.study.search import recipe_of


@dataclass(frozen=True)
class Summary:
    """One metric over seeds: mean and sample standard deviation; NaN where a value is, or is alone."""

    mean: float
    deviation: float
    values: tuple[float, ...]

    @staticmethod
    def of(values: Sequence[float]) -> Summary:
        defined = len(values) > 1 and all(map(math.isfinite, values))
        deviation = statistics.stdev(values) if defined else math.nan
        return Summary(statistics.fmean(values), deviation, tuple(values))


def job(plan: Plan, architecture: Any, seed: int, weights: Path | None = None) -> Job:
    """The training of an architecture as the search does it, but always to its end, whatever the fidelity."""
    settings = plan.settings
    objectives = [o.name for o in plan.objectives if o.key != o.name]
    return Job(
        source=source(architecture, plan.task),
        recipe=recipe_of(architecture, plan.task, settings),
        seed=seed,
        metrics=tuple(dict.fromkeys([*objectives, plan.task.metric])),
        device=plan.device,
        class_weights=settings.class_weights,
        seconds=settings.trial_seconds,
        memory=settings.trial_memory,
        weights=None if weights is None else str(weights),
        validate_every=settings.validate_every,
    )


def prepared(plan: Plan) -> Task:
    """The plan's task as the search's own executor trains on it."""
    return prepare(plan.task.to(plan.device))


def retrain(plan: Plan, architecture: Any, seed: int, weights: Path) -> Outcome:
    """Train once and keep the weights.

    Raises:
        RunError: if the training fails, or the weights cannot be written.
    """
    try:
        outcome = evaluate(job(plan, architecture, seed, weights), prepared(plan))
    except OSError as error:
        raise RunError(f"the weights {weights} cannot be written: {error.strerror or error}") from error
    if outcome.reason is not None:
        raise RunError(f"the training failed: {outcome.reason}")
    return outcome


def train_seeds(
    plan: Plan,
    architecture: Any,
    seeds: Sequence[int],
    file: Path,
    progress: Callable[[int, Outcome], None] = lambda seed, outcome: None,
) -> dict[str, Summary]:
    """Train over seeds; mean and deviation of every measured number.

    Each finished seed is written to ``file``, and a later call goes on from there.

    Raises:
        BadInput: if no seed is given.
        RunError: if a seed fails, or the file cannot be read or written.
    """
    if not seeds:
        raise BadInput("give at least one seed to train with")
    done: dict[str, dict[str, float]] = {}
    if file.is_file():
        try:
            done = {seed: dict(row) for seed, row in json.loads(file.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise RunError(f"{file} is damaged ({error}); delete it to train again") from error
    task = prepared(plan)
    for seed in seeds:
        if str(seed) in done:
            progress(seed, Outcome(done[str(seed)]))
            continue
        outcome = evaluate(job(plan, architecture, seed), task)
        if outcome.reason is not None:
            raise RunError(f"the training with seed {seed} failed: {outcome.reason}")
        done[str(seed)] = dict(outcome.metrics)
        _write(file, done)
        progress(seed, outcome)
    rows = [done[str(seed)] for seed in seeds]
    return {name: Summary.of([row[name] for row in rows]) for name in rows[0]}


def _write(file: Path, done: dict[str, dict[str, float]]) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(done, indent=1), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error
