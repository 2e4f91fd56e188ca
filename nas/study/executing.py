"""Where the jobs of a plan run, and whether they can: what needs the machinery of training."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

from nas.evaluation import precision
from nas.evaluation.executors import Executor, InProcess, LocalProcesses
from nas.evaluation.portions.sampling import check_batches
from nas.evaluation.proxies import check_prior, ready
from nas.evaluation.ray_executor import RayWorkers, check_installed
from nas.evaluation.tables.lookups import LookUps
from nas.searchspace.errors import BadInput
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.study.fitting import check_fits
from nas.study.plan import Plan
from nas.study.screening import some_sources

SOME = 10
"""Architectures of which one has formats, if any in the space has."""


def executor(plan: Plan, proxies: Sequence[str] = ()) -> Executor:
    """Unless the settings say it, this process for one worker, else local processes.

    Args:
        proxies: those that jobs ask for, besides the one that is the evaluator.
    """
    settings = plan.settings
    if plan.column is not None:
        return LookUps(plan.column, settings.simulated)
    if settings.executor == "process" or (settings.executor == "auto" and plan.workers == 1):
        return InProcess(plan.task, plan.device)
    asked = [*proxies, *filter(None, [settings.proxy])]
    before = None
    if asked and plan.trains_on == "cpu":  # elsewhere each worker makes its own
        before = partial(ready, sources=some_sources(plan.space, plan.task), proxies=asked)
    if settings.executor == "ray":
        return RayWorkers(
            plan.task, settings.ray_address, settings.workers, settings.gpus_per_trial, settings.space, before
        )
    return LocalProcesses(plan.task, plan.device, plan.workers, settings.space, before=before)


def check_formats(space: Space[Any], task: Task) -> None:
    """Refuse to round networks that have nothing to be rounded to.

    Raises:
        BadInput: if none of a few has formats.
    """
    for seed in range(SOME):
        a = space.sample(random.Random(seed))
        try:
            if source(a, task) != source(a, task, whole=True):
                return
        except BadInput:  # the network refuses the combination
            continue
    raise BadInput(
        f"quantisation post rounds networks to their formats, and the space {space.name} has none; search "
        f"quantised:{space.name}, or leave it out and round the best with nas export --bits"
    )


def check(plan: Plan) -> None:
    """Refuse what cannot be trained, before any work is spent.

    Raises:
        BadInput: for a precision, a way to make batches, a space or options of a controller that do not fit.
        MissingExtra: if trainings need what is not installed.
    """
    settings = plan.settings
    if settings.executor == "ray":
        check_installed()
    precision.check(settings.precision, plan.trains_on)
    check_batches(settings.batches, plan.task)
    check_fits(plan.space, plan.task)
    if settings.quantisation == "post":
        check_formats(plan.space, plan.task)
    check_prior(plan.space.of, plan.task, [*settings.screens, *filter(None, [settings.proxy])])
    plan.made_controller()
