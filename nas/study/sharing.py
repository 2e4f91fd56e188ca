"""Weights that trials of one search share: who lends what to whom, and the files that hold it.

Each layer is inherited from the latest finished trial that has one it may come from, see ``nas.searchspace.sharing``.
So who lends what follows from the finished trials, and a search that is taken up again goes on as it would have.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import Any

from nas.evaluation.inheriting import lent
from nas.evaluation.job import Inherited
from nas.searchspace.errors import RunError
from nas.searchspace.sharing import MODES, parts
from nas.searchspace.task import Task
from nas.study.folder import RunFolder
from nas.study.records import Record


class Lenders:
    """The trials that lend weights, each with a file that is kept as long as it lends any.

    A trial's file is in place before the trial is stored, and goes after the trial that took its place was stored.

    Attributes:
        notes: what was found missing when the search was taken up again.
    """

    def __init__(self, folder: RunFolder, task: Task, sharing: str | None, records: Iterable[Record]) -> None:
        self._folder, self._task, self._mode = folder, task, sharing or MODES[0]
        self._of: dict[Hashable, tuple[int, tuple[str, ...]]] = {}
        self.notes: list[str] = []
        for record in records:
            self._lends(record)
        for number in sorted(self._numbers()):
            try:
                lent([Inherited(str(folder.shared(number)), ())])
            except RunError:
                self._of = {key: lender for key, lender in self._of.items() if lender[0] != number}
                self.notes.append(f"the shared weights of trial {number} are missing or damaged; nobody inherits them")
        wanted = {folder.shared(number) for number in self._numbers()}
        for file in folder.shared(0).parent.glob("*"):
            if file not in wanted:
                file.unlink(missing_ok=True)
        self._files = self._numbers()

    def inherits(self, architecture: Any) -> tuple[Inherited, ...]:
        """What the architecture's network starts with, one entry for each trial that lends something."""
        found: dict[int, list[tuple[str, str]]] = {}
        for part in parts(architecture, self._task, self._mode):
            if part.key in self._of:
                number, names = self._of[part.key]
                found.setdefault(number, []).extend(zip(part.names, names, strict=True))
        return tuple(Inherited(str(self._folder.shared(n)), tuple(names)) for n, names in sorted(found.items()))

    def add(self, record: Record, in_use: Collection[str]) -> None:
        """Hear of a stored trial, whose file is in place, and delete the files that nobody needs any more.

        Args:
            in_use: files that running trainings may still have to read.
        """
        if self._lends(record):
            self._files.add(record.trial.number)
        for number in self._files - self._numbers():
            file = self._folder.shared(number)
            if str(file) not in in_use:
                file.unlink(missing_ok=True)
                self._files.discard(number)

    def _lends(self, record: Record) -> bool:
        """Take the place of earlier trials, unless the trial failed or did not share weights."""
        trial = record.trial
        if record.from_scratch or trial.values is None:
            return False
        for part in parts(trial.architecture, self._task, self._mode):
            self._of[part.key] = (trial.number, part.names)
        return True

    def _numbers(self) -> set[int]:
        return {number for number, _ in self._of.values()}
