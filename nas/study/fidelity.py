"""Stopping trainings that are behind: successive halving and Hyperband, from the learning curves of finished trials.

Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter
Optimization", JMLR 18(185), 2018: the brackets and their proportions (Algorithm 1). Li, Jamieson, Rostamizadeh,
Gonina, Ben-tzur, Hardt, Recht and Talwalkar, "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020: no
trial waits for another (ASHA); here, as in Optuna's pruners, a training is stopped at a rung where the paper pauses it.

Rungs are epochs, the same for all architectures of a study, not shares of a training: where the recipe says how many
epochs there are, values are still compared after equal work, and all trials share one small set of rungs, which has
enough values soon. The thresholds are fixed when a training starts, from the trials that are finished by then, so
workers need not talk to each other, and the same past gives the same thresholds.

With several objectives, a metric and costs that are known before the training, a training is compared with those of
networks that cost no more, each by each. So none that is stopped would be on the front: one of its rivals costs no more
and was better at that epoch already. (Schmucker, Donini, Zafar, Salinas and Archambeau, "Multi-objective Asynchronous
Successive Halving", arXiv 2106.12639, rank by non-dominated sorting and so may stop what is cheap and good for it.)
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Mapping, Sequence
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
AHEAD = ("params", "bytes", "buffer")
"""Costs that a network has before it is trained, the same each time that they are measured."""
GOLDEN = (math.sqrt(5) - 1) / 2


def check(settings: Settings, objectives: Sequence[Objective]) -> None:
    """Refuse to stop trainings by a number that no learning curve shows.

    Raises:
        BadInput: without a metric or with several, on a cost that is not known ahead, a metric turned around, or
            trainings that end before they could be compared.
    """
    name, instead = settings.fidelity, "; use fidelity full"
    if name == "full":
        return
    metrics = [o for o in objectives if o.name in METRICS]
    said = ", ".join(map(str, objectives))
    if not metrics:
        what = f"the only objective is the cost {said}" if len(objectives) == 1 else f"{said} are costs"
        raise BadInput(
            f"fidelity {name} stops trainings whose metric is behind, and {what}{instead}, or a metric as the objective"
        )
    if len(metrics) > 1:
        raise BadInput(f"fidelity {name} ranks trainings by one metric and got {said}{instead}, or name one of them")
    for other in objectives:
        if other.name not in METRICS and (other.name not in AHEAD or other.maximise):
            raise BadInput(
                f"fidelity {name} compares a training with those of networks that cost no more, by costs that are the "
                f"same before and after it, {', '.join(AHEAD)}; got {other}{instead}, or one of these"
            )
    objective = metrics[0]
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


def no_dearer(
    records: Sequence[Record], objectives: Sequence[Objective], costs: Mapping[str, float] | None
) -> list[Record]:
    """The finished trials with which a training is compared: of networks that cost no more in any objective.

    Args:
        costs: of its network; None where it cannot be made, which nothing is compared with.
    """
    done = [record for record in records if record.trial.values is not None]
    limits = [(i, o.value(costs[o.name]) if costs else math.inf) for i, o in enumerate(objectives) if o.name in AHEAD]
    return [r for r in done if all((r.trial.values or ())[i] >= limit for i, limit in limits)]


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
