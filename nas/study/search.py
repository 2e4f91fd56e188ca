"""The loop of every search: ask, claim, evaluate, store, tell."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import replace
from typing import Any

from nas.controllers.base import Controller
from nas.evaluation.executors import Executor
from nas.evaluation.job import Outcome
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.artefacts import Artefacts
from nas.study.confirming import contestants, due, left_of, trainings
from nas.study.costs import Costs
from nas.study.finals import finalists, untrained
from nas.study.folder import RunFolder
from nas.study.jobs import Jobs, Proposal, trial_of
from nas.study.keeping import Keeper
from nas.study.objectives import Objective
from nas.study.patience import patient
from nas.study.peers import LOST, Alone, Company, Key, key_of
from nas.study.records import AGAIN, FROM_SCRATCH, REFUSED, Record, Repeat, searched
from nas.study.replay import retell, tell_repeat
from nas.study.sharing import Lenders
from nas.study.store import InMemory, Store
from nas.study.unseen import unseen
from nas.study.watching import Silent, Watcher

IN_A_ROW = 50
"""Known networks a controller may propose one after the other before the study draws an unknown one itself."""
LIMITED = 500
"""The same, of networks that are known or beyond the limits."""


class Search:
    """A search that can be left at any moment and taken up again.

    Making it tells the controller the stored trials; ``run`` goes on until the budget is spent. Weights are kept in
    ``folder``; there is none where nothing is trained. Where other processes share the study, each claims what it
    evaluates, and hears of the trials of all in the order in which they were stored.
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
        peers: Company | None = None,
    ) -> None:
        self.space, self.task, self.settings = space, task, settings
        self.objectives = tuple(objectives)
        self.controller = controller
        self.records = store.records()
        self.exhausted = False
        self._store = store
        self._watcher: Watcher = watcher or Silent()
        self._costs = costs or Costs(space, task, device)
        self._peers: Company = peers or Alone()
        timed = settings.fidelity == "full"
        self._keeper = None if folder is None else Keeper(folder, settings.keep, self.records, timed)
        self._searched = searched(self.records)
        self._known: dict[Any, Record] = {}
        for record in self._searched:
            self._known.setdefault(space.canonical(record.trial.architecture), record)
        self._done = {self._key_of(record) for record in self.records}
        self._running: dict[Key, Proposal] = {}
        self._finished: dict[Key, Proposal] = {}
        self._waiting: list[Proposal] = []
        self._speechless: Any = None
        self._before = self.records[-1].elapsed if self.records else 0.0
        self._simulated = self._trained = 0.0
        self._lenders = None
        self._artefacts = Artefacts(folder, self._peers)
        if folder is not None and settings.evaluator == "shared":
            self._lenders = Lenders(folder, task, settings.sharing, self._searched)
        self._job = Jobs(space, task, settings, self.objectives, device, memory, self._lenders)
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
            with executor, patient(lambda note: self._watcher.noted(note)):
                self._evaluate(executor, self._next, self.settings.evaluator)
                self._tell_refused()
                if best := finalists(self.records, self.settings.keep):
                    left = untrained(self.records, self.settings.keep, self.space)
                    if left:
                        self._watcher.finals(len(best), len(best) - len(left))
                        self._evaluate(executor, self._final, FROM_SCRATCH)
                if again := contestants(self.records, self.settings.confirm):
                    self._watcher.finals(trainings(len(again)), len(self.records) - len(self._searched))
                    self._evaluate(executor, self._again, AGAIN)
                self._tell_busy(executor.slots)
        finally:
            self._artefacts.drop(self._running.values())
            self._running.clear()
            self._peers.close()

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

    def _evaluate(self, executor: Executor, following: Callable[[], Proposal | None], evaluator: str) -> None:
        """Evaluate what follows until nothing does, though all that was begun is finished, elsewhere too."""
        futures: dict[Future[Outcome], Key] = {}
        pause, fresh = self._peers.pause, False
        while True:
            while len(futures) < executor.slots and (proposal := following()) is not None:
                self._launch(proposal, executor, futures)
            if futures:
                done, _ = wait(futures, timeout=pause, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(futures.pop(future), self._outcome(future))
                fresh = False
                if not done:
                    self._look()
            elif pause is None or (fresh and not self._pending(evaluator)):
                return
            else:
                if fresh:
                    time.sleep(pause)
                self._look()
                fresh = True

    def _look(self) -> None:
        """Hear what the other processes do; first of their claims, so that none of them ends unnoticed."""
        self._peers.look()
        self._hear()
        for key in [key for key in self._peers.left if key in self._done]:  # killed after its trial was stored
            self._peers.release(key)

    def _pending(self, evaluator: str) -> bool:
        """Whether something that this part of the search needs is being evaluated elsewhere."""
        done = evaluator == self.settings.evaluator and self._full(len(self._searched))
        return not done and any(key[1] == evaluator for key in self._peers.others)

    def _full(self, count: int) -> bool:
        return self.settings.trials is not None and count >= self.settings.trials

    def _out(self) -> int:
        """How many proposals of the search are being evaluated, here and elsewhere."""
        elsewhere = [key for key in self._peers.others if key[1] == self.settings.evaluator]
        return len(self._running) + sum(key not in self._done for key in elsewhere)

    def _next(self) -> Proposal | None:
        """What is evaluated next; None when the controller waits for results, or the search is at its end."""
        seconds = self.settings.seconds
        if self.exhausted or self._full(len(self._searched) + self._out()):
            return None
        if seconds is not None and self.elapsed() >= seconds:
            return None
        left = [replace(claims[0].proposal, adopted=True) for claims in self._peers.left.values()]
        for proposal in (*left, *self._waiting):
            if proposal.evaluator == self.settings.evaluator and self._claimed(proposal):
                self._waiting = [waiting for waiting in self._waiting if waiting is not proposal]
                return self._artefacts.named(proposal)
        if self._peers.pause is not None and self._state() == self._speechless:
            return None
        proposed = self._propose()
        self._speechless = self._state() if proposed is None else None
        self.exhausted = proposed is None and not (self._running or self._peers.others or self._waiting)
        return proposed

    def _state(self) -> Any:
        """What a controller that had nothing to say has to see changed before it is asked again."""
        return len(self.records), len(self._running), self._peers.others.keys()

    def _final(self) -> Proposal | None:
        """The next training from scratch of a trial that had none; None while the others are running, or at the end."""
        left = untrained(self.records, self.settings.keep, self.space)
        return self._first_of((record, self.settings.seed) for record in left)

    def _again(self) -> Proposal | None:
        """The next training with another seed; None while the others of the round are running, or at the end."""
        settings = self.settings
        left = left_of(self.records, settings.confirm_seconds, self.elapsed())
        limit = None if left is None else left / max(1, len(self.task.folds))
        return self._first_of(due(self.records, settings.confirm, settings.seed, self.space, left), AGAIN, limit)

    def _first_of(
        self, wanted: Iterable[tuple[Record, int]], evaluator: str = FROM_SCRATCH, seconds: float | None = None
    ) -> Proposal | None:
        """The first of these trials, with the seeds, that nobody trains yet."""
        for record, seed in wanted:
            proposal = Proposal(record.trial.architecture, record.origin, (), evaluator, seed, seconds)
            if self._claimed(proposal):
                return self._artefacts.named(proposal)
        return None

    def _key(self, proposal: Proposal) -> Key:
        return key_of(self.space, proposal.architecture, proposal.evaluator, proposal.seed)

    def _key_of(self, record: Record) -> Key:
        return key_of(self.space, record.trial.architecture, record.evaluator, record.seed)

    def _claimed(self, proposal: Proposal) -> bool:
        """Whether this process may evaluate it: nobody has or does, nobody was quicker, and there is room for it."""
        key = self._key(proposal)
        if key in self._done or key in self._running or key in self._peers.others or not self._peers.claim(proposal):
            return False
        self._hear()
        if key in self._done or self._beyond(key):
            self._peers.release(key)
            return False
        return True

    def _beyond(self, key: Key) -> bool:
        """Whether other processes took the last places in the budget at the same time."""
        evaluator = self.settings.evaluator
        if key[1] != evaluator or key not in self._peers.mine:
            return False
        own, claims = self._peers.mine[key].number, {**self._peers.others, **self._peers.mine}
        before = sum(c.number < own and k[1] == evaluator and k not in self._done for k, c in claims.items())
        return self._full(len(self._searched) + before)

    def _launch(self, proposal: Proposal, executor: Executor, futures: dict[Future[Outcome], Key]) -> None:
        key = self._key(proposal)
        self._running[key] = proposal
        if key in self._peers.mine and self._peers.mine[key].lost >= LOST:
            self._finish(key, Outcome(reason=f"{LOST} processes were lost while they evaluated it"))
            return
        number = len(self.records) + self._out() - 1  # with itself; its own number if it is the next to finish
        try:
            job = self._job(proposal, number, self.records)
        except BadInput as error:  # the space's own network refuses this combination
            self._finish(key, Outcome(reason=str(error)))
            return
        except Exception as error:  # or stumbles over it
            self._finish(key, Outcome(reason=f"{type(error).__name__}: {error}"))
            return
        futures[executor.submit(job)] = key

    def _propose(self) -> Proposal | None:
        """A network that is not known yet; None when the controller, the space or the budget has no more."""
        repeats: list[Repeat] = []
        settings = self.settings
        for _ in range(LIMITED if self._costs.limits else IN_A_ROW):
            asked = self.controller.ask(1)
            if not asked:
                return None
            architecture = asked[0]
            network = self.space.canonical(architecture)
            key = (network, settings.evaluator, settings.seed)
            if network in self._known:
                repeats.append(Repeat(architecture, self._known[network].trial.number))
                self._tell_repeat(repeats[-1])
            elif key in self._running:
                self._running[key].again.append(architecture)
            elif not self._costs.within(network):
                repeats.append(Repeat(architecture, REFUSED))
                self._tell_repeat(repeats[-1])
            else:
                proposal = Proposal(architecture, settings.controller, tuple(repeats), *key[1:])
                if self._claimed(proposal):
                    return self._artefacts.named(proposal)
                self._waiting.append(proposal)  # until it is known, or whoever evaluates it is lost
                self._tell_waiting()
                if self._full(len(self._searched) + self._out()):
                    return None
                repeats = []
        while not self._full(len(self._searched) + self._out()):
            taken = {*self._known, *(key[0] for key in (*self._running, *self._peers.others))}
            rng = random.Random(f"{settings.seed}/unknown/{len(self._searched) + self._out()}")
            if (drawn := unseen(self.space, taken, self._costs, rng)) is None:
                break
            proposal = Proposal(drawn, "random", tuple(repeats), settings.evaluator, settings.seed)
            if self._claimed(proposal):
                return self._artefacts.named(proposal)
        return None

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

    def _finish(self, key: Key, outcome: Outcome) -> None:
        """Store what became of a proposal; the controller hears of it with all that others stored before."""
        running = self._running.pop(key)
        if not self._peers.holds(key):
            self._artefacts.drop([running])
            self._watcher.noted("another process took this one for dead and evaluates one of its networks")
            return
        found = dict(outcome.metrics)
        if hasattr(self.controller, "about") and running.evaluator == self.settings.evaluator:
            found = {**self.controller.about(running.architecture), **found}
        trial = trial_of(running, replace(outcome, metrics=found), len(self.records), self.objectives)
        self._simulated += outcome.seconds
        self._trained += outcome.seconds
        of = running
        record = Record(trial, self.elapsed(), of.origin, of.repeats, of.seed, of.bracket, of.evaluator)
        if self._peers.alone:  # else the number is not known before it is stored
            self._artefacts.keep(running, trial.number)
        self._store.add(record)
        self._finished[key] = running
        if self._peers.pause is None:
            self._heard(record)
        else:
            self._hear()
        self._peers.release(key, trial.number)

    def _hear(self) -> None:
        """Hear of the trials that were stored since, by whichever process."""
        if self._peers.pause is not None and isinstance(self._store, Store):
            for record in self._store.since(len(self.records)):
                self._heard(record)

    def _heard(self, record: Record) -> None:
        """A trial was stored, here or elsewhere."""
        key = self._key_of(record)
        own = self._finished.pop(key, None)
        if own is not None:
            self._artefacts.keep(own, record.trial.number)
        else:
            self._before += max(0.0, record.elapsed - self.elapsed())  # whoever has searched for longest tells the time
        self.records.append(record)
        self._done.add(key)
        if self._keeper is not None:
            self._keeper.add(record)
        if record.evaluator != self.settings.evaluator:  # of no concern to the search
            self._watcher.recorded(record)
            return
        self._searched.append(record)
        self._known.setdefault(key[0], record)
        if self._lenders:
            self._lenders.add(record, {each.file for r in self._running.values() for each in r.inherits or ()})
        if own is not None and not own.adopted:
            self.controller.tell([record.trial])
        else:
            retell(self.controller, record, self.records)
        self._watcher.recorded(record)
        for architecture in own.again if own else ():
            self._tell_repeat(Repeat(architecture, record.trial.number))
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        """Answer proposals of the controller that were evaluated elsewhere."""
        for proposal in [p for p in self._waiting if self._key(p) in self._done]:
            self._waiting.remove(proposal)
            number = self._known[self.space.canonical(proposal.architecture)].trial.number
            self._tell_repeat(Repeat(proposal.architecture, number))

    def _tell_repeat(self, repeat: Repeat) -> None:
        tell_repeat(self.controller, repeat, self.records)
