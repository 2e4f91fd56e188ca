"""Stopping trainings that are behind: successive halving and Hyperband, from the learning curves of finished trials.

Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18(185), 2018: the brackets and their proportions (Algorithm 1). Li, Jamieson, Rostamizadeh,
Gonina, Ben-tzur, Hardt, Recht and Talwalkar, "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020: no
trial waits for another (ASHA); here, as in Optuna's pruners, a training is stopped at a rung where the paper pauses it.

Rungs are epochs, the same for all architectures of a study, not shares of a training: where the recipe says how many
epochs there are, values are still compared after equal work, and all trials share one small set of rungs, which has
enough values soon. The thresholds are fixed when a training starts, from the trials that are finished by then, so
workers need not talk to each other, and the same past gives the same thresholds.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate

from nas.controllers.base import Trial
from nas.evaluation.job import Rung
from nas.metrics import METRICS
from nas.searchspace.errors import BadInput
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record

FIRST = 15
"""The epoch of the first rung, Hyperband's smallest resource ``r``: before it, ranks say little of the end."""
ETA = 3
"""Of so many trainings one goes on from a rung."""
GOLDEN = (math.sqrt(5) - 1) / 2


def check(settings: Settings, objectives: Sequence[Objective]) -> None:
    """Refuse to stop trainings by a number that no learning curve shows.

    Raises:
        BadInput: on several objectives, a cost, a metric turned around, or trainings that end before they could be
            compared.
    """
    name, instead = settings.fidelity, "; use fidelity full"
    if name == "full":
        return
    if len(objectives) > 1:
        said = ", ".join(map(str, objectives))
        raise BadInput(f"fidelity {name} ranks trainings by one objective and got {said}{instead}, or name one of them")
    objective = objectives[0]
    if objective.name not in METRICS:
        raise BadInput(
            f"fidelity {name} stops trainings whose metric is behind, and the only objective is the cost "
            f"{objective.name}{instead}, or a metric as the objective"
        )
    if objective.maximise != METRICS[objective.name].larger_is_better:
        raise BadInput(
            f"fidelity {name} stops trainings with a bad {objective.name}, and {objective} asks for it{instead}"
        )
    if settings.epochs is not None and not ladder(settings.epochs):
        raise BadInput(
            f"fidelity {name} compares trainings at epoch {FIRST} first and needs {FIRST * ETA} epochs or more; got "
            f"{settings.epochs}{instead}, or more epochs"
        )


def check_folds(settings: Settings, task: Task) -> None:
    """Refuse what needs a single training of each architecture on a task with folds.

    Raises:
        BadInput: for a fidelity that stops trainings, and for shared weights.
    """
    if not task.folds or (settings.fidelity == "full" and settings.evaluator != "shared"):
        return
    what, instead = f"fidelity {settings.fidelity}", "fidelity full"
    if settings.fidelity == "full":
        what, instead = "evaluator shared", "evaluator train"
    raise BadInput(
        f"{what} works with one training of each architecture, and split {task.split} asks for {len(task.folds)}; use "
        f"{instead}, or split random"
    )


def ladder(epochs: int, eta: int = ETA) -> tuple[int, ...]:
    """The epochs of all rungs in a training of ``epochs``: 15, 45, 135, ... as far as there are ``eta`` times as many.

    Their number is the paper's ``s_max``, the logarithm of ``epochs / FIRST`` to the base ``eta``, rounded down.
    """
    rungs, at = [], FIRST
    while at * eta <= epochs:
        rungs.append(at)
        at *= eta
    return tuple(rungs)


def bracket(fidelity: str, number: int, epochs: int, eta: int = ETA) -> int:
    """The bracket of the ``number``-th training: how many rungs of the ladder it passes without being compared.

    Successive halving is the bracket 0. Hyperband hedges against slow starters with one bracket for each rung that
    may come first, and a last one without any, in the paper's proportions: of 200 epochs 9 : 5 : 3. Steps of the
    golden section deal them out evenly, so that any stretch of a search holds about these proportions.
    """
    if fidelity != "hyperband":
        return 0
    most = len(ladder(epochs, eta))
    trials = [math.ceil((most + 1) * eta**s / (s + 1)) for s in range(most, -1, -1)]
    return bisect(list(accumulate(trials))[:-1], number * GOLDEN % 1 * sum(trials))


def rungs(
    fidelity: str, bracket: int, epochs: int, records: Sequence[Record], maximise: bool, eta: int = ETA
) -> tuple[Rung, ...]:
    """The rungs of a training of ``epochs`` in a bracket, given the finished trials.

    It is compared with those of its own bracket only: others have come to the same epoch past other rungs. Rungs
    that stop nobody yet are among them all the same, so that every training is looked at there.

    Args:
        maximise: whether more of the metric is better; ``Rung.least`` has the metric's own sign.
    """
    if fidelity == "full":
        return ()
    rivals = [r.trial for r in records if r.bracket == bracket and r.trial.values is not None]
    made = []
    for epoch in ladder(epochs, eta)[bracket:]:
        values = [reached(trial, epoch, maximise) for trial in rivals]
        made.append(Rung(epoch, least([v for v in values if v is not None], maximise, eta)))
    return tuple(made)


def reached(trial: Trial, epoch: int, maximise: bool) -> float | None:
    """The best value of a trial until ``epoch``, or None if it was stopped before or knows none.

    A training that ended by itself before, out of epochs or of patience, counts with its best value: it would not
    have got a better one. Best so far, not the value of the epoch alone, because that is what a trial is worth in
    the end: whoever is stopped is worth less than each of those that the rung let pass.
    """
    if trial.stopped is not None and trial.stopped < epoch:
        return None
    values = [value for at, value in trial.curve if at <= epoch and value == value]
    return (max if maximise else min)(values, default=None)


def least(values: Sequence[float], maximise: bool, eta: int = ETA) -> float:
    """The worst value that goes on from a rung where ``values`` were reached: that of the top 1 / ``eta``.

    A training goes on if it is among the best ``(n + 1) // eta`` of these n and itself; equals go on. With fewer than
    ``eta`` values to compare with all go on.
    """
    if len(values) < eta:
        return -math.inf if maximise else math.inf
    return sorted(values, reverse=maximise)[(len(values) + 1) // eta - 1]
