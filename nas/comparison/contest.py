"""All searches of a comparison: which are left, and their run over processes; what the file holds is not done again."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from nas.comparison.entries import Entry
from nas.comparison.ledger import Found, Key, Ledger
from nas.comparison.searching import search
from nas.evaluation.interrupts import held_back, ignore
from nas.searchspace.errors import BadInput, NasError, RunError
from nas.settings import Settings
from nas.study.folder import RunFolder
from nas.study.plan import Plan, make_plan

FILE = "searches.jsonl"


@dataclass
class Contest:
    """Searches with every controller on every data set from every seed, and what is known of them so far.

    Attributes:
        settings: what all searches share; their data set, controller, seed and budget are replaced.
        entries: the controllers.
        data: names of the data sets.
        budgets: numbers of trials at which the controllers are compared, in order.
        seeds: how many, from 0 on.
        folder: of the comparison.
        workers: searches that run at the same time.
        notes: what the user should know.
        done: the finished searches, of all that the file holds.
    """

    settings: Settings
    entries: tuple[Entry, ...]
    data: tuple[str, ...]
    budgets: tuple[int, ...]
    seeds: int
    folder: RunFolder
    workers: int = 1
    notes: tuple[str, ...] = ()
    done: dict[Key, Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.done = self.ledger.read()
        ours = {data: plan.identity for data, plan in self.plans.items()}
        for found in self.done.values():
            if ours.get(found.data, found.task) != found.task:
                raise BadInput(
                    f"{self.ledger.file} holds searches on another data set {found.data}, or another split or metric "
                    "of it, or in a space that writes other networks; choose another --name"
                )

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """By data set."""
        return {data: make_plan(replace(self.settings, data=data)) for data in self.data}

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder.path / FILE, self.settings)

    @property
    def trials(self) -> int:
        """Of the longest budget."""
        return self.budgets[-1]

    @property
    def total(self) -> int:
        return len(self.entries) * len(self.data) * self.seeds

    def keys(self) -> Iterator[tuple[Entry, str, int]]:
        """Every search; seeds come last, so that one that is interrupted has as much of each controller."""
        for seed in range(self.seeds):
            for data in self.data:
                for entry in self.entries:
                    yield entry, data, seed

    def left(self) -> list[tuple[Entry, str, int]]:
        """The searches that are not finished."""
        return [(e, data, seed) for e, data, seed in self.keys() if not self._enough((e.label, data, seed))]

    def _enough(self, key: Key) -> bool:
        return key in self.done and self.done[key].enough(self.trials)

    def facts(self) -> list[tuple[str, str]]:
        """What the numbers depend on, name and value."""
        given, plans = self.settings, list(self.plans.values())
        on = [("table", f"{given.table}: {plans[0].column.about}")] if plans[0].column else []
        asked = {"split": given.split, "epochs": given.epochs, "patience": given.patience, "device": plans[0].device}
        return [
            *on,
            ("data sets", ", ".join(self.data)),
            ("space", ", ".join(dict.fromkeys(plan.space.name for plan in plans))),
            ("seeds", f"0 to {self.seeds - 1}" if self.seeds > 1 else "0"),
            ("trials", ", ".join(map(str, self.budgets))),
            *([] if on else [(name, "by default" if value is None else str(value)) for name, value in asked.items()]),
        ]

    def check(self) -> None:
        """Refuse controllers that cannot be made, before any work.

        Raises:
            BadInput: for an unknown option, or a value that does not fit.
        """
        for entry in {e.label: e for e, _, _ in self.left()}.values():
            plan = self.plans[self.data[0]]
            settings = replace(plan.settings, controller=entry.controller, controller_options=entry.options)
            replace(plan, settings=settings, controller=entry.controller).made_controller()

    def run(self) -> Generator[Found, None, None]:
        """Do what is left, each search as soon as it is finished. It may be stopped at any time.

        Raises:
            RunError: if a search fails, or what it found cannot be written.
        """
        left = self.left()
        if not left:
            return
        try:
            self.folder.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"the folder {self.folder.path} cannot be written: {error.strerror or error}") from error
        with self.folder.lock():
            several = min(self.workers, len(left)) > 1
            for found in self._in_processes(left) if several else self._here(left):
                self.ledger.add(found)
                self.done[found.key] = found
                yield found

    def _here(self, left: Sequence[tuple[Entry, str, int]]) -> Iterator[Found]:
        with _one_thread() if self.settings.table is not None else nullcontext():
            for entry, data, seed in left:
                yield _named(self.plans[data], entry, seed, self.trials, self.folder.path)

    def _in_processes(self, left: Sequence[tuple[Entry, str, int]]) -> Iterator[Found]:
        from pebble import ProcessExpired, ProcessPool

        from nas.evaluation.processes import context, environment

        workers = min(self.workers, len(left))
        threads = 1 if self.settings.table is not None else max(1, (os.cpu_count() or 1) // workers)
        pool = ProcessPool(
            max_workers=workers,
            initializer=_start_worker,
            initargs=(self.settings, threads, environment()),
            context=context(self.plans[left[0][1]].device),
        )
        try:
            with held_back():
                waiting = [
                    pool.schedule(_work, args=(data, entry, seed, self.trials, self.folder.path))
                    for entry, data, seed in left
                ]
            for future in as_completed(waiting):
                yield future.result()
        except ProcessExpired as error:
            raise RunError(
                f"a worker process died (exit code {error.exitcode}); the finished searches are safe. Give the same "
                "command again"
            ) from error
        finally:
            pool.stop()  # where all are finished, nothing is left to stop
            pool.join()


def _named(plan: Plan, entry: Entry, seed: int, trials: int, path: Path) -> Found:
    try:
        return search(plan, entry, seed, trials, path)
    except Exception as error:
        why = str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"
        raise RunError(f"the search with {entry.label} on {plan.task.name} from seed {seed} failed: {why}") from error


_worker: dict[str, Settings] = {}
_plans: dict[str, Plan] = {}


def _start_worker(settings: Settings, threads: int, variables: Mapping[str, str]) -> None:
    ignore()
    import torch
    from threadpoolctl import threadpool_limits

    from nas.evaluation.processes import adopt

    adopt(variables)

    torch.set_num_threads(threads)
    threadpool_limits(threads)  # until the process ends
    _worker["settings"] = settings


def _work(data: str, entry: Entry, seed: int, trials: int, path: Path) -> Found:
    if data not in _plans:
        _plans[data] = make_plan(replace(_worker["settings"], data=data))
    return _named(_plans[data], entry, seed, trials, path)


@contextmanager
def _one_thread() -> Iterator[None]:
    """What a search proposes must not depend on whether it ran here or in a worker."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
