"""What is searched, how and for how long, where the user does not say: the whole of it, in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nas.evaluation.devices import resolve
from nas.metrics import resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS, Task
from nas.settings import Settings
from nas.study.plan import Plan, make_plan, task_of

SPACE, CONTROLLER, OPTIONS = "classic", "evolution", {"population": 10, "sample": 4}
"""Classic networks, known good recipes first, and from there on evolution, which changes one thing at a time: most
networks drawn at random train slowly or badly, and a short search has no time to learn that."""
SEVERAL = "nsga2"
"""The controller for several objectives."""
SEARCH, CONFIRM, TRAINING = 0.45, 0.36, 1 / 8
"""Shares of the time: for the search, for training its best again with other seeds, and the most for one training.

What is left is for the trainings that are still running at the end of the search, for reading and for writing.
"""
CONFIRMED = 4
WORKERS, WORTH_WORKERS = 4, 40.0
"""The most processes on a CPU, and the seconds from which on it pays to start several."""
FEW, FOLDS = 700, 5
"""Sets of up to so many graphs are cross-validated: a tenth of them says too little."""
RARE = 0.25
"""The share of the smaller of two classes below which accuracy says little."""


@dataclass(frozen=True)
class Automatic:
    """Settings of a search, and why they are so.

    Attributes:
        settings: by the name of the field of ``Settings``.
        why: one sentence each.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    why: tuple[str, ...] = ()


def automatic(task: Task, seconds: float, device: str, cores: int, given: dict[str, Any]) -> Automatic:
    """Settings for a task and a time.

    Args:
        seconds: for everything.
        device: ``cpu`` or a GPU.
        cores: of the machine.
        given: what the user said, which stands.
    """
    workers = min(cores, WORKERS) if device == "cpu" and seconds >= WORTH_WORKERS else 1
    space = given.get("space", SPACE)
    made: dict[str, Any] = {
        "space": space,
        "controller": CONTROLLER if _single(given) else SEVERAL,
        "known_first": space == SPACE,
        "seconds": SEARCH * seconds,
        "trial_seconds": max(TRAINING * seconds, 2.0),
        "workers": workers,
    }
    if given.get("confirm", CONFIRMED) and _can_confirm(given):
        made |= {"confirm": CONFIRMED, "confirm_seconds": CONFIRM * seconds}
    why = list[str]()
    if given.get("workers") is None:
        processes = f"{workers} {'process' if workers == 1 else 'processes'}"
        why.append(f"{processes} on {cores} cores" if device == "cpu" else f"{processes} on {device}")
    graphs = sum(len(batch.y) for split in SPLITS for batch in task.batches(split)) if task.level == "graph" else 0
    if given.get("split") is None and task.split == "random" and 0 < graphs <= FEW:
        made |= {"split": f"cv:{FOLDS}", "trial_seconds": made["trial_seconds"] / FOLDS}
        why.append(f"{graphs} graphs are few, so each architecture is trained {FOLDS} times, validated on other graphs")
    made |= {name: value for name, value in given.items() if value is not None}
    if "controller" not in given and made["controller"] == CONTROLLER:
        made["controller_options"] = OPTIONS | dict(given.get("controller_options") or {})
    parts = [f"{SEARCH:.0%} of {seconds:g} s are for the search"]
    if made.get("confirm"):
        parts.append(
            f"{CONFIRM:.0%} for training its best {made['confirm']} again with other seeds, for longer where it helps"
        )
    parts.append(f"{made['trial_seconds']:.3g} s at the most for one training of the search")
    why.append(", ".join(parts))
    if space == SPACE and made["known_first"]:
        why.append("the space is that of well tuned classic networks, whose known good recipes are trained first")
    rare = _rarer(task)
    if given.get("metric") is None and task.metric == "accuracy" and rare is not None and rare < RARE:
        made["metric"] = "roc-auc"
        why.append(f"{rare:.0%} of the training items are of the rarer class, so the metric is roc-auc, not accuracy")
    return Automatic(made, tuple(why))


def _single(given: Mapping[str, Any]) -> bool:
    """Whether there is one objective."""
    return isinstance(given.get("objectives", ""), str) or len(given["objectives"]) < 2


def _can_confirm(given: Mapping[str, Any]) -> bool:
    """Whether what the user said leaves room for training the best again, see ``Settings``."""
    return _single(given) and given.get("evaluator", "train") == "train" and given.get("choose", "best") == "best"


def automatic_plan(seconds: float, given: Mapping[str, Any], **objects: Any) -> Plan:
    """The plan of a search that takes so many seconds with all that follows, which says why it is so.

    Args:
        given: settings that the user said, by name; ``trials`` and ``seconds`` are not among them.
        objects: ``data``, ``space`` and ``controller`` that stand in for names.

    Raises:
        BadInput: as ``make_plan``, or if there is no time.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise BadInput(f"seconds must be a number above 0; got {seconds!r}")
    first = Settings.of({**given, "trials": None, "seconds": seconds})
    task = task_of(first, objects.get("data"))
    chosen = automatic(task, seconds, resolve(first.device), os.cpu_count() or 1, dict(given))
    settings = replace(first, **chosen.settings)
    if settings.split != first.split:
        task = task_of(settings, objects.get("data"))
    elif settings.metric is not None:
        task = replace(task, metric=resolve_metric(settings.metric, task.target).name)
    return replace(make_plan(settings, loaded=task, **objects), why=chosen.why)


def _rarer(task: Task) -> float | None:
    """The share of the rarer of two classes among the training items; None for other targets."""
    import torch

    if task.target != "multiclass" or task.outputs != 2:
        return None
    y = torch.cat([batch.y for batch in task.train])
    positive = float(y.float().mean())
    return min(positive, 1 - positive)
