"""Proposals are screened by the scores of their untrained networks, which are computed in the process that searches."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from nas.controllers.base import Controller, Problem
from nas.controllers.learned_ranking import LearnedRanking
from nas.controllers.screening import Ranking, RankSum, Scores, Screened
from nas.evaluation.columns import column
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.job import Job
from nas.evaluation.limits import memory_limit
from nas.evaluation.proxies import PRIOR, check_prior, known, scores
from nas.metrics import METRICS
from nas.predictors.elsewhere import Elsewhere, elsewhere
from nas.searchspace.errors import BadInput
from nas.searchspace.source import load, source
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.settings import AUTO, POOL, Settings
from nas.study.jobs import recipe_of
from nas.study.objectives import Objective, measured
from nas.zerocost.kernels import LABELLED
from nas.zerocost.persample.egonets import samples
from nas.zerocost.persample.receptive import hops

CHEAP = ("params", "depth", "synflow", "ntk-condition")
"""What ``auto`` learns from beside the encoding.

Of the proxies that take a few hundredths of a training those from which most was learned, see ``experiments/zerocost``.
"""
KERNEL, PASSES = "ntk-condition", 20.0
"""The one of them whose cost grows with what a network hears of, and the passes over the data that a pool may take.

Where ego-networks cover most of the graph, as those of deep networks do, it is left out: it would cost more than the
trainings that it can save. That follows from the space and the data, not from the clock.
"""
SMALL = 5_000
"""Nodes below which a pass takes no less time."""
SAMPLES = 16
"""Random architectures that stand for a space."""


def screened(
    inner: Controller,
    problem: Problem,
    task: Task,
    settings: Settings,
    objectives: Sequence[Objective],
    names: tuple[str, ...],
    device: str,
    memory: int | None = None,
) -> Screened:
    """The controller with the screen of the settings.

    Args:
        names: of the proxies that it looks at.

    Raises:
        BadInput: if the controller cannot be screened, or if ``auto`` would have to learn several objectives.
    """
    space, columns = problem.space, [column(name) for name in names]
    ranking: Ranking = RankSum(columns, [known(name).weight for name in names])
    if settings.screen == AUTO:
        if len(objectives) > 1:
            raise BadInput(
                f"screen auto learns one objective and the study has {len(objectives)}; name one of them, or name the "
                "proxies to screen by"
            )
        ranking = LearnedRanking(space, columns, problem.seed, known_elsewhere(space, task, objectives[0]))
    judged = Scorer(space, task, settings, measured(objectives, task.metric), names, device, memory)
    return Screened(inner, space, judged, ranking, settings.pool or POOL)


def known_elsewhere(space: Space[Any], task: Task, objective: Objective) -> Elsewhere | None:
    """What ``auto`` knows before the first trial; of another objective than quality that would say nothing.

    It then looks at no proxy: knobs say as much, and cost nothing.
    """
    return elsewhere(space.of, task) if objective.name in METRICS else None


class Scorer:
    """The scores of an architecture's untrained network by some proxies; each network is scored once.

    What a network has no score of, or fails at, is absent. The task is prepared when the first network is scored.
    """

    def __init__(
        self,
        space: Space[Any],
        task: Task,
        settings: Settings,
        metrics: tuple[str, ...],
        proxies: tuple[str, ...],
        device: str,
        memory: int | None = None,
    ) -> None:
        self._space, self._task, self._settings = space, task, settings
        self._metrics, self._proxies, self._device, self._memory = metrics, proxies, device, memory
        self._prepared: Task | None = None
        self._known = dict[Any, Scores]()

    def __call__(self, architecture: Any) -> Scores:
        network = self._space.canonical(architecture)
        if network not in self._known:
            self._known[network] = self._scored(architecture)
        return self._known[network]

    def _scored(self, architecture: Any) -> Scores:
        if self._prepared is None:
            self._prepared = prepare(self._task.to(self._device))
        try:
            with memory_limit(self._settings.trial_memory or self._memory, self._device):
                return scores(self._job(architecture), self._prepared)
        except (Exception, SystemExit):  # its trial, if it gets one, says what is wrong with it
            return {}

    def _job(self, architecture: Any) -> Job:
        settings = self._settings
        return Job(
            source=source(architecture, self._task),
            recipe=recipe_of(architecture, self._task, settings),
            seed=settings.seed,
            metrics=self._metrics,
            device=self._device,
            class_weights=settings.class_weights,
            seconds=settings.trial_seconds,
            proxies=self._proxies,
            trains=False,
            architecture=architecture if PRIOR in self._proxies else None,
        )


def scorer(
    space: Space[Any],
    task: Task,
    settings: Settings,
    objectives: Sequence[Objective],
    proxies: Sequence[str],
    device: str,
) -> tuple[Scorer, list[str]]:
    """What scores architectures by proxies, and the names of its scores.

    Raises:
        BadInput: for a name that no proxy has.
    """
    for name in proxies:
        known(name)
    check_prior(space.of, task, proxies)
    made = Scorer(space, task, settings, measured(objectives, task.metric), tuple(proxies), device)
    return made, [column(name) for name in proxies]


def cheap(space: Space[Any], task: Task, pool: int) -> tuple[str, ...]:
    """Those of ``CHEAP`` that are cheap for this space and these data."""
    if KERNEL not in CHEAP:
        return CHEAP
    heard = [0 if task.level == "graph" else _hops(text) for text in _sampled(space, task)]
    far = [h for h in heard if h is not None]
    nodes = max(SMALL, sum(len(batch.x) for batch in task.train))
    rows = {h: _rows(task, h) for h in set(far)}
    passes = pool * sum(rows[h] for h in far) / max(1, len(far)) / nodes
    return CHEAP if far and passes <= PASSES else tuple(name for name in CHEAP if name != KERNEL)


def _rows(task: Task, far: int) -> float:
    """About how many rows the ego-networks of the kernel's items have, going by the first of them."""
    first = next(samples(task, LABELLED, far, prepared=False))
    return len(first.node) / first.apart * sum(len(where) for _, where in LABELLED.of(task))


def _hops(text: str) -> int | None:
    return hops(load(text)())


def _sampled(space: Space[Any], task: Task) -> Iterator[str]:
    """Sources of random architectures; one that has none would fail as a trial, with its reason."""
    rng = random.Random(0)
    for _ in range(SAMPLES):
        try:
            text = source(space.sample(rng), task)
            load(text)()
        except Exception:  # whatever a space of the user's own may raise
            continue
        yield text


def some_sources(space: Space[Any], task: Task) -> list[str]:
    """Of some random networks one for each distance that they hear, for what proxies keep with the data."""
    found = dict[int | None, str]()
    for text in _sampled(space, task):
        found.setdefault(_hops(text), text)
    return list(found.values())
