"""Training one architecture in full: again for its weights, or over seeds for its mean and deviation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.data.catalogue import CATALOGUE
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job, Outcome
from nas.evaluation.seeds import ALONE, evaluate_seeds
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.parsing import json_of
from nas.searchspace.task import Task
from nas.study.costs import known
from nas.study.jobs import recipe_of, sources
from nas.study.plan import Plan
from nas.study.summary import Summary


@dataclass(frozen=True)
class Seeds:
    """What training over seeds gave.

    Attributes:
        summary: by the name of what was measured.
        way: whether the seeds were trained as one or one after the other, and why.
    """

    summary: dict[str, Summary]
    way: str


def job(plan: Plan, architecture: Any, seed: int, weights: Path | None = None) -> Job:
    """The training of an architecture as the search does it, but always to its end, whatever the fidelity."""
    settings = plan.settings
    objectives = [o.name for o in plan.objectives if o.key != o.name]
    text, rounded = sources(architecture, plan.task, settings)
    return Job(
        source=text,
        rounded=rounded,
        recipe=recipe_of(architecture, plan.task, settings),
        seed=seed,
        metrics=tuple(dict.fromkeys([*objectives, plan.task.metric])),
        device=plan.device,
        class_weights=settings.class_weights,
        seconds=settings.trial_seconds,
        memory=settings.trial_memory,
        weights=None if weights is None else str(weights),
        validate_every=settings.validate_every,
        batches=settings.batches,
        precision=settings.precision,
        known=known(architecture, plan.task),
    )


def prepared(plan: Plan) -> Task:
    """The plan's task as the search's own executor trains on it."""
    return prepare(plan.task.to(plan.device))


def retrain(plan: Plan, architecture: Any, seed: int, weights: Path, seconds: float | None) -> Outcome:
    """Train once, in so many seconds at the most, and keep the weights.

    Raises:
        BadInput: if the plan trains nothing, because its numbers are looked up.
        RunError: if the training fails, or the weights cannot be written.
    """
    _check_trains(plan)
    try:
        outcome = evaluate(replace(job(plan, architecture, seed, weights), seconds=seconds), prepared(plan))
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
) -> Seeds:
    """Train over seeds; mean and deviation of every measured number.

    They are trained as one network where that is faster. Each finished seed is written to ``file``, with the way it
    was trained, and a later call goes on from there.

    Raises:
        BadInput: if no seed is given, or the plan trains nothing, because its numbers are looked up.
        RunError: if a seed fails, or the file cannot be read or written.
    """
    if not seeds:
        raise BadInput("give at least one seed to train with")
    _check_trains(plan)
    done = _read(file)
    for seed in seeds:
        if str(seed) in done:
            progress(seed, Outcome(done[str(seed)].metrics))
    left = [seed for seed in dict.fromkeys(seeds) if str(seed) not in done]
    for seed, outcome, way in evaluate_seeds(job(plan, architecture, 0), left, prepared(plan)):
        if outcome.reason is not None:
            raise RunError(f"the training with seed {seed} failed: {outcome.reason}")
        done[str(seed)] = _Row(dict(outcome.metrics), way)
        _write(file, done)
        progress(seed, outcome)
    rows = [done[str(seed)] for seed in seeds]
    shared = [name for name in rows[0].metrics if all(name in row.metrics for row in rows)]
    summary = {name: Summary.of([row.metrics[name] for row in rows]) for name in shared}
    return Seeds(summary, ", ".join(dict.fromkeys(row.way for row in rows)))


def _check_trains(plan: Plan) -> None:
    if plan.column is None:
        return
    name, space = plan.task.name, plan.space.name
    data = name if name in CATALOGUE else "DATA"
    of = "" if name in CATALOGUE else f" ({name} is not among nas datasets)"
    raise BadInput(
        f"the numbers of this run were looked up in {plan.column.table}: there are no weights, and no graph to train "
        f"on. Search on the data itself: nas search --data {data} --space {space}{of}"
    )


@dataclass(frozen=True)
class _Row:
    """A finished seed as the file holds it."""

    metrics: dict[str, float]
    way: str


def _read(file: Path) -> dict[str, _Row]:
    if not file.is_file():
        return {}
    try:
        rows = json_of(file.read_text(encoding="utf-8")).items()
        return {seed: _Row({k: v for k, v in row.items() if k != "way"}, row.get("way", ALONE)) for seed, row in rows}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{file} is damaged ({error}); delete it to train again") from error


def _write(file: Path, done: dict[str, _Row]) -> None:
    rows = {seed: {"way": row.way, **row.metrics} for seed, row in done.items()}
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error
