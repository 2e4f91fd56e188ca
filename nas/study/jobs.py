"""From what is proposed to the job that evaluates it, and from what came out to the trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.controllers.base import Trial
from nas.evaluation.columns import column
from nas.evaluation.job import Inherited, Job, Outcome, Rung
from nas.evaluation.proxies import PRIOR
from nas.evaluation.train import pace
from nas.metrics import METRICS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.settings import WARM_UP, Settings, proxy_of
from nas.study.costs import Costs, known
from nas.study.fidelity import AHEAD, bracket, no_dearer, rungs
from nas.study.objectives import Objective, measured
from nas.study.records import AGAIN, Record, Repeat
from nas.study.sharing import Lenders


@dataclass
class Proposal:
    """What is to be evaluated, or is being evaluated.

    Attributes:
        architecture: of the space.
        origin: see ``Record``, and so ``repeats``, ``evaluator``, ``seed`` and ``bracket``.
        seconds: limit of the training where it is not that of the search.
        weights: where the training writes them; None if nothing is trained.
        inherits: the weights it begins with, where weights are shared.
        again: the same network, proposed again in the meantime.
        adopted: whether another process proposed it and was lost.
    """

    architecture: Any
    origin: str
    repeats: tuple[Repeat, ...]
    evaluator: str
    seed: int = 0
    seconds: float | None = None
    weights: Path | None = None
    inherits: tuple[Inherited, ...] | None = None
    bracket: int = 0
    again: list[Any] = field(default_factory=list)
    adopted: bool = False


def recipe_of(architecture: Any, task: Task, settings: Settings) -> Recipe:
    """How an architecture is trained: our defaults, what its space says, what the user says."""
    recipe = Recipe()
    if hasattr(architecture, "recipe"):
        recipe = architecture.recipe(recipe, task)
    return replace(
        recipe,
        epochs=recipe.epochs if settings.epochs is None else settings.epochs,
        patience=recipe.patience if settings.patience is None else settings.patience,
    )


def sources(architecture: Any, task: Task, settings: Settings) -> tuple[str, str]:
    """That of the network that is trained, and that of the one to which it is rounded then; empty if it is not.

    Raises:
        BadInput: if the space's own network refuses the combination.
    """
    text = source(architecture, task)
    whole = source(architecture, task, whole=True) if settings.quantisation == "post" else text
    return whole, "" if whole == text else text


class Jobs:
    """Makes the jobs of one search.

    Args:
        space: of the architectures.
        task: the data.
        settings: of the search.
        objectives: of which the first one ranks.
        device: where trainings run.
        memory: limit of one in MiB.
        lenders: where weights are shared, those that lend them.
    """

    def __init__(
        self,
        space: Space[Any],
        task: Task,
        settings: Settings,
        objectives: Sequence[Objective],
        device: str,
        memory: int | None,
        lenders: Lenders | None,
    ) -> None:
        self._task, self._settings, self._objectives = task, settings, objectives
        self._device, self._memory, self._lenders = device, memory, lenders
        self._costs = Costs(space, task, device, [o.name for o in objectives if o.name in AHEAD])
        self._metrics = measured(objectives, task.metric)

    def __call__(self, proposal: Proposal, number: int, records: Sequence[Record]) -> Job:
        """The job of a proposal, which learns its bracket and what it inherits.

        Args:
            number: its own, if it is the next to finish.
            records: the finished trials.

        Raises:
            BadInput: if the space's own network refuses the combination; and whatever else a space raises.
        """
        settings = self._settings
        if settings.table is not None:
            return Job("", Recipe(), settings.seed, self._metrics, architecture=proposal.architecture)
        recipe = recipe_of(proposal.architecture, self._task, settings)
        every = settings.validate_every
        if proposal.evaluator == "shared":
            every = every or pace(recipe.epochs)  # that of the whole training: looking at each epoch would cost more
            recipe = replace(recipe, epochs=min(recipe.epochs, settings.warm_up or WARM_UP))
        limit = settings.trial_seconds if proposal.seconds is None else proposal.seconds
        fidelity = "full" if proposal.evaluator == AGAIN else settings.fidelity
        proposal.bracket = bracket(fidelity, number, recipe.epochs)
        proxy = proxy_of(proposal.evaluator)
        text, rounded = sources(proposal.architecture, self._task, settings)
        if proxy is not None:  # it scores what it is given, and nothing is trained
            text, rounded = rounded or text, ""
        if self._lenders and proposal.evaluator == "shared":
            proposal.inherits = self._lenders.inherits(proposal.architecture)
        return Job(
            source=text,
            recipe=recipe,
            seed=proposal.seed,
            metrics=self._metrics,
            device=self._device,
            class_weights=settings.class_weights,
            seconds=limit,
            memory=self._memory,
            weights=None if proposal.weights is None else str(proposal.weights),
            validate_every=every,
            batches=settings.batches,
            precision=settings.precision,
            rungs=self._rungs(fidelity, proposal, recipe.epochs, records),
            inherits=proposal.inherits,
            proxies=() if proxy is None else (proxy,),
            trains=proxy is None,
            latency="latency" in {o.name for o in self._objectives},
            known=known(proposal.architecture, self._task),
            architecture=proposal.architecture if proxy == PRIOR else None,
            rounded=rounded,
        )

    def _rungs(self, fidelity: str, proposal: Proposal, epochs: int, records: Sequence[Record]) -> tuple[Rung, ...]:
        if fidelity == "full":
            return ()
        ranking = next(o for o in self._objectives if o.name in METRICS)
        if len(self._objectives) > 1:
            records = no_dearer(records, self._objectives, self._costs(proposal.architecture))
        return rungs(fidelity, proposal.bracket, epochs, records, ranking.maximise)


def trial_of(proposal: Proposal, outcome: Outcome, number: int, objectives: Sequence[Objective]) -> Trial:
    """What became of a proposal, larger values being better; one whose numbers are none has failed."""
    reason, values, proxy = outcome.reason, None, proxy_of(proposal.evaluator)
    wanted = [objective.by(proposal.evaluator) for objective in objectives]
    found = dict(outcome.metrics)
    if reason is None and proxy is not None and column(proxy) not in found:
        reason = f"proxy {proxy} has no score for this network"
    if reason is None:
        values = tuple(o.value(found[o.key]) for o in wanted)
        if any(v != v for v in values):
            reason, values = f"not a number: {', '.join(o.label for o in wanted)} = {values}", None
    stopped = outcome.curve[-1][0] if outcome.stopped and reason is None else None
    return Trial(number, proposal.architecture, values, found, outcome.seconds, reason, outcome.curve, stopped)
