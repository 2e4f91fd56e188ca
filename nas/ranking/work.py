"""Architectures that are scored, and trained where that is wanted, each once; what a file holds is not done again."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from nas.evaluation.columns import column, cost_column
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.executors import Executor
from nas.evaluation.job import Job, Outcome
from nas.evaluation.proxies import PRIOR, known
from nas.ranking.ledger import Ledger, Scored
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.source import load, source
from nas.searchspace.task import Task
from nas.study.jobs import recipe_of
from nas.study.plan import Plan, versions
from nas.zerocost.gradsign import split

PER_ITEM = ("nas.zerocost.gradsign", "nas.zerocost.kernels")
"""Homes of proxies that take the gradients of single items, in one pass where the network lets them."""
SLOW, CHECKED = 3.0, 8
"""How many times the median a score takes, and how many such networks are asked, before it is called slow."""


def checked(proxies: Sequence[str]) -> tuple[str, ...]:
    """The names, each once.

    Raises:
        BadInput: for an unknown name, or if there is none.
    """
    if isinstance(proxies, str) or not proxies:
        raise BadInput(f"proxies must be a list of names, such as ['ntk-krr']; got {proxies!r}")
    for name in proxies:
        known(name)
    return tuple(dict.fromkeys(proxies))


@dataclass
class Work:
    """Architectures and what is known of them so far.

    Attributes:
        plan: data, space and settings.
        architectures: by number.
        proxies: names, checked.
        trains: whether each is also trained in full.
        ledger: keeps what is finished; None keeps nothing.
        notes: what the user should know before the work begins.
        done: by number, of these architectures alone; it grows while the work runs.
    """

    plan: Plan
    architectures: Sequence[Any]
    proxies: tuple[str, ...]
    trains: bool
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    done: dict[int, Scored] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.ledger is not None:
            self.done = self.ledger.read(self.plan.space, self.architectures)

    def left(self) -> list[int]:
        """Numbers of the architectures that are not finished."""
        return [number for number in range(len(self.architectures)) if any(self._missing(number))]

    def finished(self) -> list[Scored]:
        """What is done, in the order of the numbers."""
        return [self.done[number] for number in sorted(self.done)]

    def run(self) -> Generator[Scored, None, None]:
        """Do what is left, each as soon as it is finished. It may be stopped at any time.

        Raises:
            RunError: if the ledger cannot be written, or workers cannot be started.
        """
        left = self.left()
        if not left:
            return
        memory = self.plan.memory
        with self.plan.executor(self._per_item()) as executor:
            for number, outcome, job in _outcomes(executor, left, lambda number: self._job(number, memory)):
                found = self._scored(number, outcome, job)
                if self.ledger is not None:
                    self.ledger.add(found, self.plan.space)
                self.done[number] = self.done[number].joined(found) if number in self.done else found
                yield self.done[number]

    def slow_ways(self) -> list[str]:
        """What the user should know of proxies that took the slow way to the gradients of single items.

        The networks whose scores took longest are asked.
        """
        wanted = self._per_item()
        task = prepare(self.plan.task.to(self.plan.device)) if wanted else self.plan.task
        notes = []
        for name in wanted:
            took = {n: row.seconds[name] for n, row in self.done.items() if name in row.seconds}
            if not took:
                continue
            limit, order = SLOW * median(took.values()), sorted(took, key=took.__getitem__, reverse=True)
            asked = [n for i, n in enumerate(order[:CHECKED]) if i == 0 or took[n] > limit]
            reasons = [why for n in asked if (why := self._why_slow(n, task)) is not None]
            if reasons:
                count = "a network" if len(reasons) == 1 else f"{len(reasons)} networks or more"
                notes.append(
                    f"{name} took its slow exact way, a backward pass for every item, for {count}: {reasons[0]}"
                )
        return notes

    def _per_item(self) -> list[str]:
        return [name for name in self.proxies if known(name).score.__module__ in PER_ITEM]

    def _why_slow(self, number: int, task: Task) -> str | None:
        model = load(source(self.architectures[number], self.plan.task))().to(self.plan.device)
        with lowered(model, self.plan.settings.seed):
            return split(model, task)

    def _missing(self, number: int) -> tuple[tuple[str, ...], bool]:
        """The proxies that were not asked yet, and whether the training is missing."""
        if number not in self.done:
            return self.proxies, self.trains
        row = self.done[number]
        if row.reason is not None:
            return (), False
        return tuple(name for name in self.proxies if name not in row.tried), self.trains and not row.trained

    def _job(self, number: int, memory: int | None) -> Job:
        plan, settings = self.plan, self.plan.settings
        proxies, trains = self._missing(number)
        architecture = self.architectures[number]
        return Job(
            source=source(architecture, plan.task),
            recipe=recipe_of(architecture, plan.task, settings),
            seed=settings.seed,
            metrics=(plan.task.metric,),
            device=plan.device,
            class_weights=settings.class_weights,
            seconds=settings.trial_seconds,
            memory=memory,
            validate_every=settings.validate_every,
            batches=settings.batches,
            precision=settings.precision,
            proxies=proxies,
            trains=trains,
            latency=False,
            architecture=architecture if PRIOR in proxies else None,
        )

    def _scored(self, number: int, outcome: Outcome, job: Job | None) -> Scored:
        proxies, trains = (job.proxies, job.trains) if job is not None else self._missing(number)
        named = {name: (column(name), cost_column(name)) for name in proxies}
        scores = {name: outcome.metrics[of] for name, (of, _) in named.items() if of in outcome.metrics}
        seconds = {name: outcome.metrics[of] for name, (_, of) in named.items() if of in outcome.metrics}
        keys = {key for pair in named.values() for key in pair}
        metrics = {key: value for key, value in outcome.metrics.items() if key not in keys}
        if trains and "seconds" in metrics:  # of the job, which scored first
            metrics["seconds"] -= sum(seconds.values())
        reason, chosen = outcome.reason, f"valid_{self.plan.task.metric}"
        if reason is None and trains and not math.isfinite(metrics[chosen]):
            reason = f"not a number: {chosen} = {metrics[chosen]}"
        return Scored(number, self.architectures[number], scores, seconds, proxies, trains, metrics, reason)


def _outcomes(
    executor: Executor, numbers: Sequence[int], job_of: Callable[[int], Job]
) -> Iterator[tuple[int, Outcome, Job | None]]:
    """Each job's outcome as soon as it is there; workers always find the next job waiting."""
    waiting, ahead = iter(numbers), 2 * executor.slots - 1
    futures: dict[Future[Outcome], tuple[int, Job]] = {}
    while True:
        while len(futures) < ahead and (number := next(waiting, None)) is not None:
            try:
                job = job_of(number)
            except Exception as error:  # the space's own network refuses this combination, or stumbles over it
                reason = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
                yield number, Outcome(reason=reason), None
                continue
            futures[executor.submit(job)] = number, job
        if not futures:
            return
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        for future in done:
            number, job = futures.pop(future)
            yield number, _outcome(future), job


def _outcome(future: Future[Outcome]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, BrokenExecutor):
        raise RunError(f"the worker processes cannot be started ({error}); what is finished is safe") from error
    raise error


def header(plan: Plan, trains: bool) -> dict[str, Any]:
    """What the numbers of an architecture depend on besides itself, what a user knows by name first."""
    task, settings = plan.task, plan.settings
    return {
        "command": "nas correlate" if trains else "nas rank",
        "data": task.name,
        "split": task.split,
        "metric": task.metric,
        "space": plan.space.name,
        "seed": settings.seed,
        "epochs": settings.epochs,
        "patience": settings.patience,
        "validate_every": settings.validate_every,
        "batches": settings.batches,
        "precision": settings.precision,
        "class_weights": settings.class_weights,
        "trial_seconds": settings.trial_seconds,
        "task": task.fingerprint(),
        "networks": plan.space.fingerprint(),
        "versions": dict(versions()),
    }
