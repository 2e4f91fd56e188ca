"""The loop of every search: ask, evaluate, store, tell."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from nas.controllers.base import Controller, Trial
from nas.evaluation.executors import Executor
from nas.evaluation.job import Inherited, Job, Outcome
from nas.evaluation.proxies import column
from nas.evaluation.train import pace
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.settings import WARM_UP, Settings, proxy_of
from nas.study.confirming import LONGER, contestants, missing, trainings
from nas.study.costs import Costs, known
from nas.study.fidelity import bracket, rungs
from nas.study.finals import finalists, untrained
from nas.study.folder import RunFolder
from nas.study.keeping import Keeper
from nas.study.objectives import Objective, measured
from nas.study.records import AGAIN, FROM_SCRATCH, REFUSED, Record, Repeat, searched
from nas.study.replay import retell, tell_repeat
from nas.study.sharing import Lenders
from nas.study.store import InMemory, Store

IN_A_ROW = 50
"""Known networks a controller may propose one after the other before the study draws an unknown one itself."""
LIMITED = 500
"""The same, of networks that are known or beyond the limits."""
LISTED = 300_000
"""Spaces up to this size are listed to find the last unknown networks."""


class Watcher(Protocol):
    """Hears how the search goes."""

    def started(self, records: Sequence[Record]) -> None:
        """The search begins or goes on; these trials are known."""

    def recorded(self, record: Record) -> None:
        """A trial was stored."""

    def finals(self, total: int, done: int) -> None:
        """From now on the best trials are trained from scratch, ``total`` of which ``done`` are stored already."""

    def noted(self, note: str) -> None:
        """Something that the user should know."""

    def working(self, what: str, done: int, total: int) -> None:
        """The controller is at something that takes long; ``done`` of ``total`` steps are behind it.

        A watcher may lack this method.
        """


class Silent:
    """A watcher that says nothing."""

    def started(self, records: Sequence[Record]) -> None:
        """Nothing."""

    def recorded(self, record: Record) -> None:
        """Nothing."""

    def finals(self, total: int, done: int) -> None:
        """Nothing."""

    def noted(self, note: str) -> None:
        """Nothing."""

    def working(self, what: str, done: int, total: int) -> None:
        """Nothing."""


@dataclass
class _Running:
    """A proposal that is being evaluated, and the same network proposed again in the meantime."""

    architecture: Any
    origin: str
    repeats: tuple[Repeat, ...]
    weights: Path | None
    evaluator: str
    inherits: tuple[Inherited, ...] | None = None
    bracket: int = 0
    seed: int = 0
    again: list[Any] = field(default_factory=list)


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


class Search:
    """A search that can be left at any moment and taken up again.

    Making it tells the controller the stored trials; ``run`` goes on until the budget is spent. Weights are kept in
    ``folder``; there is none where nothing is trained.
    """

    def __init__(
        self,
        *,
        space: Space[Any],
        task: Task,
        settings: Settings,
        objectives: Sequence[Objective],
        controller: Controller,
        store: Store | InMemory,
        folder: RunFolder | None = None,
        device: str = "cpu",
        memory: int | None = None,
        watcher: Watcher | None = None,
        costs: Costs | None = None,
    ) -> None:
        self.space, self.task, self.settings = space, task, settings
        self.objectives = tuple(objectives)
        self.controller = controller
        self.records = store.records()
        self.exhausted = False
        self._store, self._folder, self._device, self._memory = store, folder, device, memory
        self._watcher: Watcher = watcher or Silent()
        self._costs = costs or Costs(space, task, device)
        timed = settings.fidelity == "full"
        self._keeper = None if folder is None else Keeper(folder, settings.keep, self.records, timed)
        self._searched = searched(self.records)
        self._known: dict[Any, Record] = {space.canonical(r.trial.architecture): r for r in self._searched}
        self._running: dict[Any, _Running] = {}
        self._before = self.records[-1].elapsed if self.records else 0.0
        self._launched = 0
        self._simulated = self._trained = 0.0
        self._metrics = measured(self.objectives, task.metric)
        self._lenders = None
        if folder is not None:
            for left in (folder.path / "weights").glob("*running-*"):  # by a killed process
                left.unlink(missing_ok=True)
        if folder is not None and settings.evaluator == "shared":
            self._lenders = Lenders(folder, task, settings.sharing, self._searched)
        for record in self._searched:
            retell(controller, record, self.records)

    def run(self, executor: Executor) -> None:
        """Go on until the budget is spent or the space is exhausted, and train the best if no trial was trained.

        Raises:
            RunError: if a trial cannot be stored; the ones before it are safe.
            KeyboardInterrupt: on Ctrl-C; likewise.
        """
        self._begin = time.monotonic()
        self._watcher.started(self.records)
        for note in self._lenders.notes if self._lenders else ():
            self._watcher.noted(note)
        try:
            with executor:
                self._evaluate(executor, self._next)
                self._tell_refused()
                best = finalists(self.records, self.settings.keep)
                left = untrained(self.records, self.settings.keep, self.space)
                if left:
                    self._watcher.finals(len(best), len(best) - len(left))
                    finals = iter(left)
                    self._evaluate(executor, lambda: self._final(next(finals, None)))
                if again := contestants(self.records, self.settings.confirm):
                    self._watcher.finals(trainings(len(again)), len(self.records) - len(self._searched))
                    self._evaluate(executor, self._again)
                self._tell_busy(executor.slots)
        finally:
            for running in self._running.values():
                if running.weights is not None:
                    running.weights.unlink(missing_ok=True)
            self._running.clear()

    def _tell_busy(self, slots: int) -> None:
        """Say how much of the time the workers trained, their start included."""
        spent = (time.monotonic() - self._begin) * slots
        if slots > 1 and self._trained:
            share = min(1.0, self._trained / spent)
            self._watcher.noted(f"the {slots} workers were busy {share:.0%} of the time".replace("%", " %"))

    def _tell_refused(self) -> None:
        """Say how many proposals the limits cost.

        Raises:
            RunError: if no network keeps to them.
        """
        refused = sum(repeat.of == REFUSED for record in self.records for repeat in record.repeats)
        if refused:
            self._watcher.noted(f"{refused:,} proposals were not trained: they do not have {self._costs}")
        if self._costs.limits and not self.records:
            raise RunError(f"no network with {self._costs} was found in the space {self.space.name}; raise the limit")

    def elapsed(self) -> float:
        """Seconds of searching so far, interruptions left out; where they are simulated, those of the trainings."""
        spent = self._simulated if self.settings.simulated else time.monotonic() - self._begin
        return self._before + spent

    # one trial

    def _evaluate(self, executor: Executor, following: Callable[[], _Running | None]) -> None:
        """Evaluate what follows until nothing does, though all that was begun is finished."""
        futures: dict[Future[Outcome], Any] = {}
        while True:
            while len(futures) < executor.slots and (proposal := following()) is not None:
                self._launch(proposal, executor, futures)
            if not futures:
                return
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in done:
                self._finish(futures.pop(future), self._outcome(future))

    def _next(self) -> _Running | None:
        """What the controller proposes next; None when it waits for results, or the search is at its end."""
        trials, seconds = self.settings.trials, self.settings.seconds
        if self.exhausted or (trials is not None and len(self._searched) + len(self._running) >= trials):
            return None
        if seconds is not None and self.elapsed() >= seconds:
            return None
        proposal = self._propose()
        self.exhausted = proposal is None and not self._running
        return proposal

    def _final(self, record: Record | None) -> _Running | None:
        """The training from scratch of a trial that had none."""
        return None if record is None else self._proposal(record.trial.architecture, record.origin, (), FROM_SCRATCH)

    def _again(self) -> _Running | None:
        """The next training with another seed; None while the others of the round are running, or at the end."""
        limit = self.settings.confirm_seconds
        if limit is not None and self.elapsed() - self._searched[-1].elapsed >= limit:
            return None
        for record, seed in missing(self.records, self.settings.confirm, self.settings.seed, self.space):
            if (self.space.canonical(record.trial.architecture), seed) not in self._running:
                return self._proposal(record.trial.architecture, record.origin, (), AGAIN, seed)
        return None

    def _key(self, proposal: _Running) -> Any:
        """What a running proposal is known by: its network, and its seed if that is another one."""
        key = self.space.canonical(proposal.architecture)
        return (key, proposal.seed) if proposal.evaluator == AGAIN else key

    def _launch(self, proposal: _Running, executor: Executor, futures: dict[Future[Outcome], Any]) -> None:
        key = self._key(proposal)
        self._running[key] = proposal
        try:
            job = self._job(proposal)
        except BadInput as error:  # the space's own network refuses this combination
            self._finish(key, Outcome(reason=str(error)))
            return
        except Exception as error:  # or stumbles over it
            self._finish(key, Outcome(reason=f"{type(error).__name__}: {error}"))
            return
        futures[executor.submit(job)] = key

    def _job(self, proposal: _Running) -> Job:
        settings = self.settings
        if settings.table is not None:
            return Job("", Recipe(), settings.seed, self._metrics, architecture=proposal.architecture)
        recipe = recipe_of(proposal.architecture, self.task, settings)
        every = settings.validate_every
        if proposal.evaluator == "shared":
            every = every or pace(recipe.epochs)  # that of the whole training: looking at each epoch would cost more
            recipe = replace(recipe, epochs=min(recipe.epochs, settings.warm_up or WARM_UP))
        number = len(self.records) + len(self._running) - 1  # with itself; its own number if it is the next to finish
        again, limit = proposal.evaluator == AGAIN, settings.trial_seconds
        fidelity = "full" if again else settings.fidelity
        proposal.bracket = bracket(fidelity, number, recipe.epochs)
        text, proxy = source(proposal.architecture, self.task), proxy_of(proposal.evaluator)
        if self._lenders and proposal.evaluator == "shared":
            proposal.inherits = self._lenders.inherits(proposal.architecture)
        return Job(
            source=text,
            recipe=recipe,
            seed=proposal.seed,
            metrics=self._metrics,
            device=self._device,
            class_weights=settings.class_weights,
            seconds=limit * LONGER if again and limit is not None else limit,
            memory=self._memory,
            weights=None if proposal.weights is None else str(proposal.weights),
            validate_every=every,
            batches=settings.batches,
            precision=settings.precision,
            rungs=rungs(fidelity, proposal.bracket, recipe.epochs, self.records, self.objectives[0].maximise),
            inherits=proposal.inherits,
            proxies=() if proxy is None else (proxy,),
            trains=proxy is None,
            latency="latency" in {o.name for o in self.objectives},
            known=known(proposal.architecture, self.task),
        )

    def _propose(self) -> _Running | None:
        """A network that is not known yet; None when the controller or the space has no more."""
        repeats: list[Repeat] = []
        for _ in range(LIMITED if self._costs.limits else IN_A_ROW):
            asked = self.controller.ask(1)
            if not asked:
                return None
            architecture = asked[0]
            key = self.space.canonical(architecture)
            if key in self._known:
                repeats.append(Repeat(architecture, self._known[key].trial.number))
                self._tell_repeat(repeats[-1])
            elif key in self._running:
                self._running[key].again.append(architecture)
            elif not self._costs.within(key):
                repeats.append(Repeat(architecture, REFUSED))
                self._tell_repeat(repeats[-1])
            else:
                return self._proposal(architecture, self.settings.controller, repeats, self.settings.evaluator)
        unknown = self._unknown()
        return None if unknown is None else self._proposal(unknown, "random", repeats, self.settings.evaluator)

    def _proposal(
        self, architecture: Any, origin: str, repeats: Sequence[Repeat], evaluator: str, seed: int | None = None
    ) -> _Running:
        self._launched += 1
        home = self._home(evaluator, 0)
        weights = None if home is None else home.with_name(f"running-{self._launched}.safetensors")
        given = self.settings.seed if seed is None else seed
        return _Running(architecture, origin, tuple(repeats), weights, evaluator, seed=given)

    def _home(self, evaluator: str, number: int) -> Path | None:
        """Where the weights of a trial go; None if nothing is trained."""
        if self._folder is None:
            return None
        return self._folder.shared(number) if evaluator == "shared" else self._folder.weights(number)

    def _unknown(self) -> Any:
        """A random network that is neither known nor running, or None if there is none left."""
        taken = self._known.keys() | self._running.keys()
        rng = random.Random(f"{self.settings.seed}/unknown/{len(self._searched) + len(self._running)}")
        for _ in range(1000):
            drawn = self.space.sample(rng)
            if self.space.canonical(drawn) not in taken and self._costs.within(drawn):
                return drawn
        if self._costs.limits or not self.space.finite() or self.space.size() > LISTED:
            return None
        return next((a for a in self.space.enumerate() if self.space.canonical(a) not in taken), None)

    def _outcome(self, future: Future[Outcome]) -> Outcome:
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, OSError):
            raise RunError(
                f"the weights of a trial could not be written ({error.strerror or error}); the finished trials are "
                "safe. Make room, then continue with nas resume"
            ) from error
        if isinstance(error, BrokenExecutor):
            raise RunError(f"the worker processes cannot be started ({error}); the finished trials are safe") from error
        raise error

    def _finish(self, key: Any, outcome: Outcome) -> None:
        running = self._running.pop(key)
        trial = self._trial(running, outcome)
        self._simulated += trial.seconds
        self._trained += trial.seconds
        record = Record(
            trial,
            self.elapsed(),
            running.origin,
            running.repeats,
            running.seed,
            running.bracket,
            running.evaluator,
        )
        home = self._home(running.evaluator, trial.number)
        if home is not None and running.weights is not None and running.weights.is_file():
            running.weights.replace(home)
        self._store.add(record)
        self.records.append(record)
        if self._keeper is not None:
            self._keeper.add(record)
        if running.evaluator != self.settings.evaluator:  # of no concern to the search
            self._watcher.recorded(record)
            return
        self._searched.append(record)
        self._known[key] = record
        if self._lenders:
            self._lenders.add(record, {each.file for r in self._running.values() for each in r.inherits or ()})
        self.controller.tell([trial])
        self._watcher.recorded(record)
        for architecture in running.again:
            self._tell_repeat(Repeat(architecture, trial.number))

    def _trial(self, running: _Running, outcome: Outcome) -> Trial:
        number, architecture = len(self.records), running.architecture
        reason, values, proxy = outcome.reason, None, proxy_of(running.evaluator)
        wanted = [objective.by(running.evaluator) for objective in self.objectives]
        found = self._about(running) | dict(outcome.metrics)
        if reason is None and proxy is not None and column(proxy) not in found:
            reason = f"proxy {proxy} has no score for this network"
        if reason is None:
            values = tuple(o.value(found[o.key]) for o in wanted)
            if any(v != v for v in values):
                reason, values = f"not a number: {', '.join(o.label for o in wanted)} = {values}", None
        stopped = outcome.curve[-1][0] if outcome.stopped and reason is None else None
        return Trial(number, architecture, values, found, outcome.seconds, reason, outcome.curve, stopped)

    def _about(self, running: _Running) -> dict[str, float]:
        """What the controller knows of a proposal; of trainings that the search did not propose it knows nothing."""
        about = getattr(self.controller, "about", None)
        if about is None or running.evaluator != self.settings.evaluator:
            return {}
        return dict(about(running.architecture))

    # what is known already

    def _tell_repeat(self, repeat: Repeat) -> None:
        tell_repeat(self.controller, repeat, self.records)
