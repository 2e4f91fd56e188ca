"""A ranking that is learned from finished trials, and that has no say until there is evidence that it ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.controllers.base import Trace, Trial
from nas.controllers.screening import Scores
from nas.searchspace.encodings import one_hot
from nas.searchspace.space import Space

if TYPE_CHECKING:
    from nas.predictors.base import Array
    from nas.predictors.elsewhere import Elsewhere
    from nas.predictors.forest import Forest
    from nas.predictors.several_sources import SeveralSources

LEAST, FEW = 20, 4
"""Finished trials before anything is concluded; where something is known from elsewhere, before they count."""
MORE = 1.1
"""It learns anew when there are so many times the trials that it knows."""
TREES = 100
OWN = 5.0
"""What a trial counts, where a training on another data set counts 1 at most."""
ABSENT = -1e3
"""Below the logarithm of every number."""


class LearnedRanking:
    """A random forest from encodings and scores to values: what an architecture is worth is what the forest predicts.

    Some scores are reliably wrong about networks for graphs, and how much each is worth differs between data sets; a
    learner takes what there is, as Shen et al. weigh proxies by how well they have ranked (ProxyBO, AAAI 2023, arXiv
    2110.10423). Values are learned as normal scores. Here the evidence is the rank correlation of out-of-bag
    predictions, those of trees that did not see a trial, with the values: the ranking is ready while the lower end of
    its interval is above zero.

    Where networks of the space were trained on other data sets, the forest begins with them, beside it they vote as in
    ``nas.predictors.several_sources``, and the evidence begins with how well they rank each other's. Trials weigh more
    in the forest and the evidence, the vote fades as they come, and they can take its say away again. Trials that were
    chosen are better than most: their scores are among themselves, and on the mean they are what was expected of them.

    Everything follows from what was told.

    Args:
        space: of the architectures.
        columns: the names of the scores, among the metrics of a trial.
        seed: of the forest.
        known: what was found on other data sets, where no scores were kept; then there are no columns.
    """

    def __init__(self, space: Space[Any], columns: Sequence[str], seed: int, known: Elsewhere | None = None) -> None:
        self._space, self._columns, self._seed = space, tuple(columns), seed
        self._features, self._values = list[np.ndarray](), list[float]()
        self._elsewhere = list[np.ndarray]()
        self._expected: Array = np.zeros(0)
        self._weights: Array = np.zeros(0)
        self._evidence, self._least = (0.0, 0), LEAST
        self._forest: Forest | None = None
        self._before: SeveralSources | None = None
        self._fitted, self._ready = 0, False
        self._correlations, self._lower = list[tuple[int, float]](), list[tuple[int, float]]()
        if known is not None:
            from nas.predictors.elsewhere import learned

            self._elsewhere = [self._encoded(architecture, {}) for architecture in known.architectures]
            self._expected, self._weights = known.values, known.weights
            self._evidence, self._least = known.evidence, FEW
            self._before = learned(known)
            self._judge(0, 0.0)

    def ready(self) -> bool:
        return self._ready

    def worth(self, architectures: Sequence[Any], scores: Sequence[Scores]) -> list[float]:
        rows = np.stack([self._encoded(a, found) for a, found in zip(architectures, scores, strict=True)])
        if self._forest is None:
            assert self._before is not None
            return [float(worth) for worth in self._before.predict(rows)]
        return [float(worth) for worth in self._voted(self._forest.predict(rows)[0], rows)]

    def learn(self, trial: Trial) -> None:
        """Failed trials say nothing of how good a network is."""
        if trial.values is None or not math.isfinite(trial.values[0]):
            return
        self._features.append(self._encoded(trial.architecture, trial.metrics))
        self._values.append(trial.values[0])
        if len(self._values) >= max(self._least, MORE * self._fitted):
            self._fit(trial.number)

    def _fit(self, number: int) -> None:
        from nas.predictors.agreement import spearman
        from nas.predictors.forest import Forest
        from nas.predictors.warped import scores as normal_scores

        self._fitted = own = len(self._values)
        self._forest = Forest(TREES, seed=self._seed)
        values, mine = np.array(self._values), np.stack(self._features)
        scored = normal_scores(values)
        if self._before is not None:
            scored = scored + self._before.predict(mine).mean()
        rows, weights = [*self._elsewhere, *self._features], np.append(self._weights, np.full(own, OWN))
        self._forest.fit(np.stack(rows), np.append(self._expected, scored), weights)
        self._judge(number, spearman(self._voted(self._forest.held_out[-own:], mine), values))

    def _voted(self, said: Array, rows: Array) -> Array:
        """The mean of what the forest says of rows and of the vote, which weighs no more when there are trials."""
        if self._before is None:
            return said
        elsewhere, own = self._weights.sum(), OWN * self._fitted
        mean: Array = ((elsewhere + own) * said + elsewhere * self._before.voted(rows)) / (2 * elsewhere + own)
        return mean

    def _judge(self, number: int, correlation: float) -> None:
        from nas.predictors.agreement import lower_end, pooled

        correlation, items = pooled(self._evidence, (correlation, self._fitted))
        lower = lower_end(correlation, items)
        self._ready = lower > 0
        self._correlations.append((number, correlation))
        self._lower.append((number, lower))

    def _encoded(self, architecture: Any, scores: Scores) -> np.ndarray:
        """Scores as logarithms with their sign: trees see their order alone, and some are beyond single precision."""
        found = [scores.get(column) for column in self._columns]
        logs = [ABSENT if s is None else math.copysign(math.log1p(abs(s)), s) for s in found]
        return np.concatenate([one_hot(self._space, architecture), np.array(logs)])

    def traces(self) -> list[Trace]:
        about = (
            "The rank correlation between what the forest predicts for finished trials that it did not learn from and "
            "their values, each time it learned anew, and the lower end of its 95 % interval. The forest chose from "
            "pools while the lower end was above zero; before, every proposal was trained as it came."
        )
        if self._elsewhere:
            about += (
                f" It began with {len(self._elsewhere):,} trainings on other data sets, and the evidence with how well "
                f"these rank each other's, which counts as {self._evidence[1]} trials; both are shown as one."
            )
        name = "correlation here and elsewhere" if self._elsewhere else "out-of-bag correlation"
        lines = {name: self._correlations, "lower end of the interval": self._lower}
        return [Trace("Whether the screen ranks", about, lines)]
