"""Which of the finished trials is to be taken: the best as measured, or the best as a predictor expects it to be.

The best of many measurements was lucky, too. What a predictor expects of a network leans on all of its relatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.searchspace.errors import BadInput, RunError
from nas.study.confirming import in_confirmed_order
from nas.study.records import AGAIN, Record, ranked

if TYPE_CHECKING:
    from nas.controllers.base import Trial
    from nas.predictors.base import Predictor
    from nas.settings import Settings
    from nas.study.plan import Plan

SAME = 1e-6
"""Differences that rounding to single precision makes."""
LEAST = 10
"""Fewer trials say too little: the best as measured is taken."""


def in_order(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """The trials that did not fail, the one to take first.

    By posterior those whose numbers are final are ordered by what is expected of them, before the others. Where the
    best were trained again with other seeds, their means decide.
    """
    if any(r.evaluator == AGAIN for r in records):
        return in_confirmed_order(records, plan.settings.confirm, plan.settings.seed, plan.space)
    measured = ranked(records)
    if not by_posterior(plan.settings, records):
        return measured
    final = _final(records)
    mean, _ = learned(plan, final).predict([r.trial.architecture for r in final])
    expected = dict(zip((r.trial.number for r in final), plan.objectives[0].sign * mean, strict=True))
    return sorted(measured, key=lambda r: -expected.get(r.trial.number, -np.inf))


def cheapest(trials: Sequence[tuple[Trial, float]], within: float, cost: str) -> Trial:
    """The trial with the least of a cost among those that are at most ``within`` below the best; of equals the better.

    Args:
        trials: with what each is worth, larger is better.

    Raises:
        BadInput: if ``within`` is not a number from 0 on, or the cost was not measured.
    """
    if not 0 <= within < np.inf:
        raise BadInput(f"within is a number from 0 on, in units of the objective (0.01: one point); got {within}")
    best = max(worth for _, worth in trials)
    good = [(t.metrics[cost], -worth, t) for t, worth in trials if worth >= best - within - SAME and cost in t.metrics]
    if not good:
        raise BadInput(f"the trials of this run have no {cost}; name another cost, such as params")
    return min(good, key=lambda one: one[:2])[2]


def by_posterior(settings: Settings, records: Sequence[Record]) -> bool:
    """Whether a predictor orders the trials: that is wanted, and there are enough to learn from."""
    return settings.choose == "posterior" and len(_final(records)) >= LEAST


def _final(records: Sequence[Record]) -> list[Record]:
    """Those whose numbers are those of whole trainings."""
    return [r for r in ranked(records) if r.from_scratch and r.trial.stopped is None]


def learned(plan: Plan, records: Sequence[Record]) -> Predictor:
    """A predictor of the first objective, in its natural sign, that learned from these trials.

    Of a search with ``bo`` it is of the kind that the search used, else a Gaussian process.

    Raises:
        RunError: if there are fewer than two, from which nothing can be learned.
    """
    from nas.predictors.registry import create

    finished = [(r.trial.architecture, r.trial.values[0]) for r in records if r.trial.values is not None]
    if len(finished) < 2:
        raise RunError(f"a predictor learns from two finished trials or more, and there are {len(finished)}")
    settings = plan.settings
    kind = settings.controller_options.get("predictor", "gp") if settings.controller == "bo" else "gp"
    predictor = create(kind, plan.space, seed=settings.seed, warp=True)
    architectures, values = zip(*finished, strict=True)
    predictor.fit(architectures, plan.objectives[0].sign * np.array(values))
    return predictor
