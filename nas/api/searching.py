"""Searching, and going on with a search."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.data.naming import absolute
from nas.result import Result
from nas.searchspace.errors import NasError
from nas.settings import Settings
from nas.study.beginning import resume as go_on
from nas.study.beginning import shared, start
from nas.study.folder import RunFolder, free_name, runs_root
from nas.study.plan import Plan, make_plan, plan_of_run
from nas.study.search import Search
from nas.study.watching import Watcher


def search(
    data: Any = "digits",
    *,
    space: Any = None,
    controller: Any = "tpe",
    trials: int | None = None,
    seconds: float | None = None,
    objectives: Sequence[str] = (),
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> Result:
    """Search for the best architecture.

    Args:
        data: name of a data set, path of a file or folder, ``ogb:NAME``, or a torch_geometric ``Data``, ``Dataset``,
            list of graphs or dict of splits, or a NetworkX graph.
        space: name of a search space, ``file.py:Class``, or a class decorated with ``@architecture``; by default
            ``design``, or that of the table.
        controller: name of a controller, a controller class, or any ``optuna.samplers.BaseSampler``.
        trials: distinct architectures to train; 50 if no budget is given.
        seconds: wall-clock seconds after which no trial is started.
        objectives: metrics and costs, ``-`` in front of what should be small; the task's metric by default.
        name: of the run; by default made of data, space and controller.
        runs: folder of all runs; by default ``$NAS_RUNS``, else ``runs`` here.
        watcher: hears of each trial.
        settings: the other fields of :class:`nas.settings.Settings`, such as ``seed``, ``device``, ``workers``, and
            ``table`` to look architectures up in place of training them.

    Raises:
        BadInput: for anything that does not exist or does not fit.
        RunError: if the run cannot be written.
    """
    made = Settings.of(
        {
            "data": data_label(data) if settings.get("table") is None else label(data),
            "space": "" if space is None else label(space),
            "controller": label(controller),
            "trials": 50 if trials is None and seconds is None else trials,
            "seconds": seconds,
            "objectives": (objectives,) if isinstance(objectives, str) else tuple(objectives),
            **settings,
        }
    )
    plan = make_plan(made, data=data, space=space, controller=controller)
    return run_new(plan, name, runs, watcher)


def resume(
    name: str,
    *,
    data: Any = None,
    space: Any = None,
    controller: Any = None,
    trials: int | None = None,
    seconds: float | None = None,
    runs: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
    workers: int | None = None,
    executor: str | None = None,
    ray_address: str | None = None,
    gpus_per_trial: float | None = None,
) -> Result:
    """Go on with a run; a larger budget may be given, and another place to train.

    Objects that were no names must be given again.

    Raises:
        BadInput: if there is no such run.
        RunError: if its folder is damaged, belongs to something else, or is in use.
    """
    folder = RunFolder(runs_root(runs), name)
    where = {"workers": workers, "executor": executor, "ray_address": ray_address, "gpus_per_trial": gpus_per_trial}
    settings = folder.settings().changed({"trials": trials, "seconds": seconds, **where})
    plan = plan_of_run(name, settings, data=data, space=space, controller=controller)
    return run_on(plan, folder, watcher)


def run_new(
    plan: Plan, name: str | None, runs: str | os.PathLike[str] | None, watcher: Watcher | None = None
) -> Result:
    """Start a planned search in a new folder and see it through."""
    root = runs_root(runs)
    folder = RunFolder(root, name or default_name(plan, root))
    new = folder.create(plan.settings, plan.why)
    with folder.lock(shared(plan)):
        try:
            search = start(plan, folder, watcher)
        except NasError:
            if new:
                folder.undo()
            raise
        return _see_through(plan, folder, search)


def default_name(plan: Plan, root: Path) -> str:
    """A name that no run has yet: data, space, controller and a number."""
    return free_name(root, "-".join([plan.task.name, plan.space.name, plan.settings.controller]))


def run_on(plan: Plan, folder: RunFolder, watcher: Watcher | None = None) -> Result:
    """Go on with a planned search in its folder."""
    with folder.lock(shared(plan)):
        search = go_on(plan, folder, watcher)
        folder.rewrite(plan.settings)
        return _see_through(plan, folder, search)


def _see_through(plan: Plan, folder: RunFolder, search: Search) -> Result:
    search.run(plan.executor())
    return Result(plan, folder, search.records)


def data_label(data: Any) -> str:
    """What the settings say of data: a path in full, for a run is opened from other folders too."""
    return absolute(data) if isinstance(data, str | os.PathLike) else label(data)


def label(value: Any) -> str:
    """What the settings say of a name, or of an object that has none there."""
    if isinstance(value, str):
        return value
    if isinstance(value, type):
        return value.__name__
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and name else type(value).__name__
