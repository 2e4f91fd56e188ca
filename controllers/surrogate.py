"""What candidates are worth trying, going by predictors that learned from what is known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.controllers.acquisition import (
    expected_hypervolume_improvement,
    expected_improvement,
    nearby,
    thompson,
    upper_bound,
)
from nas.controllers.base import Problem
from nas.predictors.warped import scores as normal_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nas.predictors.encoded import Encoded
    from nas.predictors.encoder import Extra

    Array = NDArray[Any]

WORSE = 0.1
"""The reference point lies so far below the worst value, in the range of the values."""
LEAST = 1e-9


class Surrogate:
    """A predictor for each objective; of three or more they are weighted and added, so that one will do.

    Args:
        problem: what is searched.
        predictor: its registered name.
        acquisition: ``ei``, ``ucb`` or ``thompson``; for one objective.
        extras: more groups of features.
        options: of the predictor.
    """

    def __init__(
        self, problem: Problem, predictor: str, acquisition: str, extras: Sequence[Extra], **options: Any
    ) -> None:
        from nas.predictors.encoded import Encoded
        from nas.predictors.registry import create

        several = problem.objectives if problem.objectives < 3 else 1
        made = [create(predictor, problem.space, seed=problem.seed, extras=extras, **options) for _ in range(several)]
        self._predictors = [each for each in made if isinstance(each, Encoded)]
        self._acquisition = acquisition

    def worth(
        self, pool: Sequence[Any], known: Sequence[Any], targets: Array, out: Sequence[Any], rng: random.Random
    ) -> Array:
        """``[items]``, what each candidate is worth trying.

        Args:
            pool: the candidates.
            known: architectures with their ``targets``, see :func:`targets`.
            out: what is being tried: what is near is worth less.
            rng: for Thompson sampling.
        """
        for predictor, column in zip(self._predictors, targets.T, strict=True):
            predictor.fit(known, column)
        said = [predictor.expected(pool) for predictor in self._predictors]
        means = np.stack([mean for mean, _ in said])
        deviations = np.maximum(np.stack([deviation for _, deviation in said]), LEAST)
        first = self._predictors[0]
        best = float(first.expected(known)[0].max())  # as predicted: the best that was measured was lucky, too
        if len(said) == 2 or self._acquisition == "ei":
            worth = improvement(means, deviations, targets, best)
        else:
            worth = self._of_one(means[0], deviations[0], rng)
        if out and self._acquisition != "thompson":
            worth = positive(worth) * _elsewhere(first, out, pool, means[0], best)
        return worth

    def _of_one(self, mean: Array, deviation: Array, rng: random.Random) -> Array:
        return upper_bound(mean, deviation) if self._acquisition == "ucb" else thompson(mean, deviation, rng)


def improvement(means: Array, deviations: Array, targets: Array, best: float) -> Array:
    """``[items]``, how much is expected to be gained: over ``best``, or in the hypervolume of two objectives.

    Args:
        means, deviations: ``[predictors, items]``.
        targets: ``[known, predictors]``, see :func:`targets`.
        best: of the one objective.
    """
    if len(means) == 1:
        return expected_improvement(means[0], deviations[0], best)
    reference = targets.min(0) - WORSE * (targets.max(0) - targets.min(0))
    return expected_hypervolume_improvement(means, deviations, front(targets), reference)


def targets(values: Sequence[tuple[float, ...] | None], objectives: int, rng: random.Random) -> Array:
    """``[known, predictors]``, what predictors learn of the values of trials, None being a failed one.

    Normal scores of each objective; of three or more those of a random weighting, as in Knowles, "ParEGO", IEEE TEC
    2006.
    """
    scores = scored(values, objectives)
    if objectives < 3:
        return scores
    weights = np.random.default_rng(rng.getrandbits(64)).dirichlet(np.ones(objectives))
    weighted: Array = (weights * (scores - scores.max(0))).min(1) + 0.05 * (weights * scores).sum(1)
    return normal_scores(weighted)[:, None]


def scored(values: Sequence[tuple[float, ...] | None], objectives: int) -> Array:
    """``[known, objectives]``, normal scores of each objective, a failed trial being the worst."""
    rows = np.array([of or (-math.inf,) * objectives for of in values])
    return np.stack([normal_scores(column) for column in rows.T], axis=1)


def front(points: Array) -> Array:
    """Those of ``[points, objectives]`` that no other one equals everywhere and beats somewhere."""
    better = (points[:, None] >= points[None]).all(2) & (points[:, None] > points[None]).any(2)
    return np.asarray(points[~better.any(0)])


def positive(worth: Array) -> Array:
    """The same order, above zero."""
    return worth if (worth >= 0).all() else np.asarray(np.logaddexp(0, worth))


def _elsewhere(predictor: Encoded, out: Sequence[Any], pool: Sequence[Any], mean: Array, best: float) -> Array:
    """The factor by which what is being tried lessens the worth of each candidate."""
    tried, about = predictor.columns(out), predictor.columns(pool)
    squares = (tried * tried).sum(1)[:, None] + (about * about).sum(1)[None] - 2 * tried @ about.T
    distances = np.sqrt(np.maximum(squares, LEAST))
    means, deviations = predictor.expected(out)
    slope = float((np.abs(mean - means[:, None]) / distances).max())
    return nearby(distances, list(means), list(np.maximum(deviations, LEAST)), best, max(slope, LEAST))
