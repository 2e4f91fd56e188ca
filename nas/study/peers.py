"""The processes that share a study: which of them are alive, and what each is evaluating.

Beside the study there is a second one, ``NAME at work``, whose trials are no trainings: there is one for each process,
running as long as that does, and one for each network that is being evaluated, a claim. Optuna numbers trials one after
the other, whoever adds them, so of two processes that claim the same network the one with the lower number has it. The
study itself holds nothing but finished trials.

A process holds a lock on a file, by which those that see the same disk know at once that it is dead. In a database it
gives signs of life too, Optuna's heartbeat, which is told by the clock of the database.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
import warnings
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from nas.searchspace.errors import NasError, RunError
from nas.searchspace.space import Space
from nas.study.jobs import Proposal
from nas.study.records import Repeat
from nas.study.storages import HEARTBEAT, storage, why
from nas.study.store import Quiet

AT_WORK = " at work"
PAUSE = 0.5
"""Seconds between two looks at what the others do, where there is nothing else to do."""
LOST = 2
"""Processes that may be lost over a network before it is taken to be its fault."""

Key = tuple[Hashable, str, int]
"""What is evaluated: the network, the evaluator and the seed."""


def key_of(space: Space[Any], architecture: Any, evaluator: str, seed: int) -> Key:
    """By which processes know whether they mean the same."""
    return space.canonical(architecture), evaluator, seed


@dataclass(frozen=True)
class Claim:
    """What a process says that it is evaluating.

    Attributes:
        number: of two claims of the same the lower one counts.
        proposal: what it is.
        lost: how many processes were lost over it before.
    """

    number: int
    proposal: Proposal
    lost: int = 0


class Company(Protocol):
    """What a search asks about the other processes of its study.

    Attributes:
        stream: of random numbers, another one for each process.
        token: part of the names of the files that this process writes; empty for one that is always alone.
        pause: seconds until it is worth to look again; None if nobody else can change anything.
        others: what is being evaluated elsewhere.
        mine: what this process claims.
        left: what dead processes were evaluating, one claim or several.
    """

    stream: int
    token: str
    pause: float | None
    others: dict[Key, Claim]
    mine: dict[Key, Claim]
    left: dict[Key, list[Claim]]

    @property
    def alone(self) -> bool:
        """Whether no other process is alive."""
        ...

    def look(self) -> None:
        """Find out what the others do."""
        ...

    def claim(self, proposal: Proposal) -> bool:
        """Say that this process evaluates it; whether it may. Looks."""
        ...

    def holds(self, key: Key) -> bool:
        """Whether it still may: who gave no sign of life for long may not. Looks."""
        ...

    def release(self, key: Key, trial: int | None = None) -> None:
        """Say that this process is done with it: that there is a trial of it, or that it may be evaluated elsewhere."""
        ...

    def alive(self, file: str) -> bool:
        """Whether a file of such a name belongs to a process that is alive."""
        ...

    def close(self) -> None:
        """Leave; what is claimed may be evaluated elsewhere."""
        ...


class Alone:
    """A process that holds its run's lock: there are no others."""

    stream, token, alone = 0, "", True
    pause: float | None = None

    def __init__(self) -> None:
        self.others: dict[Key, Claim] = {}
        self.mine: dict[Key, Claim] = {}
        self.left: dict[Key, list[Claim]] = {}

    def look(self) -> None:
        """Nothing to see."""

    def claim(self, proposal: Proposal) -> bool:
        return True

    def holds(self, key: Key) -> bool:
        return True

    def release(self, key: Key, trial: int | None = None) -> None:
        """Nobody waits."""

    def alive(self, file: str) -> bool:
        return False

    def close(self) -> None:
        """Nobody minds."""


class Peers:
    """One of several processes, from the moment it is made until it is closed.

    Args:
        where: URL of the storage.
        name: of the study.
        space: of its architectures.
        place: the folder of the files by which the living are known.

    Raises:
        RunError: if the storage or the folder cannot be used.
    """

    pause: float | None = PAUSE

    def __init__(self, where: str, name: str, space: Space[Any], place: Path) -> None:
        from filelock import FileLock

        self.token = uuid.uuid4().hex[:12]
        self.others: dict[Key, Claim] = {}
        self.mine: dict[Key, Claim] = {}
        self.left: dict[Key, list[Claim]] = {}
        self._space, self._files = space, f".{name}-{{}}.alive"
        self._place, self._parsed = place, dict[int, Claim]()
        self._stop, self._buried = threading.Event(), 0.0
        with _said():
            self._backend = storage(where)
        self._lock = FileLock(self._file(self.token), timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except OSError as error:
            raise RunError(f"the folder {place} cannot be written: {error.strerror or error}") from error
        try:
            with _said():
                with Quiet():
                    self._study = optuna.create_study(
                        storage=self._backend,
                        study_name=name + AT_WORK,
                        sampler=optuna.samplers.RandomSampler(),
                        load_if_exists=True,
                    )
                self._id = self._backend.get_study_id_from_name(name + AT_WORK)
                self._register()
        except BaseException:
            self._let_go()
            raise
        try:
            if isinstance(self._backend, RDBStorage):
                threading.Thread(target=self._beat, daemon=True).start()
            self.look()
        except BaseException:
            self.close()
            raise
        self.stream = 0 if self.first else self.number

    @property
    def first(self) -> bool:
        """Whether no process that came before is alive."""
        return min(self._processes.values()) == self.number

    @property
    def alone(self) -> bool:
        return len(self._processes) == 1

    @property
    def count(self) -> int:
        """How many are alive, this one too."""
        return len(self._processes)

    def look(self) -> None:
        with _said():
            if time.monotonic() - self._buried > HEARTBEAT / 2:
                self._buried = time.monotonic()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    optuna.storages.fail_stale_trials(self._study)
            running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if all(trial.number != self.number for trial in running):  # it was taken for dead
                self._register()
            self._processes = {self.token: self.number}
            for trial in running:
                token = trial.user_attrs.get("process", self.token)
                if token != self.token and not self._gone(token, trial.number):
                    self._processes[token] = trial.number
        self._running = {trial.number for trial in running}
        self._parsed = {number: claim for number, claim in self._parsed.items() if number in self._running}
        self.others, self.left = {}, {}
        for trial in running:
            of = trial.user_attrs.get("of", self.token)
            if of == self.token:
                continue
            claim = self._claim(trial)
            key = self._key(claim.proposal)
            if of in self._processes:
                self.others.setdefault(key, claim)
            else:
                self.left.setdefault(key, []).append(claim)

    def claim(self, proposal: Proposal) -> bool:
        key = self._key(proposal)
        lost = max((claim.lost + 1 for claim in self.left.get(key, [])), default=0)
        said = {
            "architecture": self._space.to_json(proposal.architecture),
            "origin": proposal.origin,
            "repeats": [[self._space.to_json(r.architecture), r.of] for r in proposal.repeats],
            "evaluator": proposal.evaluator,
            "seed": proposal.seed,
            "lost": lost,
        }
        with _said():
            number = self._add({"claim": said, "of": self.token})
        self.mine[key] = Claim(number, proposal, lost)
        self.look()
        rival = self.others.get(key)
        if rival is not None and rival.number < number:
            self.release(key)
            return False
        for claim in self.left.pop(key, []):
            self._end(claim.number)
        return True

    def holds(self, key: Key) -> bool:
        self.look()
        return self.mine[key].number in self._running

    def release(self, key: Key, trial: int | None = None) -> None:
        for claim in (*self.left.pop(key, ()), *filter(None, [self.mine.pop(key, None)])):
            self._end(claim.number, trial)

    def alive(self, file: str) -> bool:
        return any(token in file for token in self._processes)

    def close(self) -> None:
        self._stop.set()
        try:
            for key in list(self.mine):
                self.release(key)
            self._end(self.number)
        except RunError:  # the storage may be what went wrong; the others will see that the lock was let go
            self._lock.release()
        else:
            self._let_go()

    def _let_go(self) -> None:
        self._file(self.token).unlink(missing_ok=True)
        self._lock.release()

    def _key(self, proposal: Proposal) -> Key:
        return key_of(self._space, proposal.architecture, proposal.evaluator, proposal.seed)

    def _claim(self, trial: Any) -> Claim:
        if trial.number not in self._parsed:
            said = trial.user_attrs["claim"]
            of = self._space.from_json
            repeats = tuple(Repeat(of(a), number) for a, number in said["repeats"])
            proposal = Proposal(of(said["architecture"]), said["origin"], repeats, said["evaluator"], said["seed"])
            self._parsed[trial.number] = Claim(trial.number, proposal, said["lost"])
        return self._parsed[trial.number]

    def _register(self) -> None:
        self.number = self._add({"process": self.token, "host": platform.node(), "pid": os.getpid()})
        self._live()

    def _live(self) -> None:
        """Give a sign of life."""
        if isinstance(self._backend, RDBStorage):
            number = self._backend.get_trial_id_from_study_id_trial_number(self._id, self.number)
            self._backend.record_heartbeat(number)

    def _add(self, attributes: dict[str, Any]) -> int:
        """A running trial with these attributes; its number."""
        made = create_trial(state=TrialState.RUNNING, user_attrs=attributes)
        return self._backend.get_trial_number_from_id(self._backend.create_new_trial(self._id, made))

    def _end(self, number: int, value: int | None = None) -> None:
        """Let a running trial end: with a value, or as a failure; somebody else may have done it."""
        with _said(), suppress(optuna.exceptions.UpdateFinishedTrialError):
            trial = self._backend.get_trial_id_from_study_id_trial_number(self._id, number)
            if value is None:
                self._backend.set_trial_state_values(trial, TrialState.FAIL)
            else:
                self._backend.set_trial_state_values(trial, TrialState.COMPLETE, [float(value)])

    def _file(self, token: str) -> Path:
        return self._place / self._files.format(token)

    def _gone(self, token: str, number: int) -> bool:
        """Whether the lock of a process was let go, which is then put on record; False if its file is elsewhere."""
        from filelock import FileLock, Timeout

        file = self._file(token)
        if not file.exists():
            return False
        lock = FileLock(file, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            return False
        self._end(number)
        file.unlink(missing_ok=True)
        lock.release()
        return True

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            with suppress(Exception):  # a server that is away for a moment; the search itself says what is wrong
                self._live()


@contextmanager
def _said() -> Iterator[None]:
    """Errors of a storage as ours."""
    try:
        yield
    except NasError:
        raise
    except Exception as error:
        raise RunError(
            f"the storage cannot be used ({why(error)}); finished trials are safe. Go on with nas resume"
        ) from error
