"""A search as it is seen in the terminal: a bar with the best so far, the time left, the failures."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record


class SearchProgress:
    """Watches a search. On a terminal it is a bar; elsewhere one line per trial."""

    def __init__(self, console: Console, settings: Settings, objectives: Sequence[Objective]) -> None:
        self._console, self._settings = console, settings
        self._objective = objectives[0]
        self._best: float | None = None
        self._failed = self._count = 0
        self._bar = Progress(
            TextColumn("searching"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[best]}"),
            TextColumn("[red]{task.fields[failed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, records: Sequence[Record]) -> None:
        """Show what is known, and that the first training is under way."""
        for record in records:
            self._note(record)
        total = self._settings.trials or self._settings.seconds
        self._task = self._bar.add_task("search", total=total, completed=self._done(records[-1:]), **self._fields())

    def recorded(self, record: Record) -> None:
        """Move on by one trial."""
        self._note(record)
        self._bar.update(self._task, completed=self._done([record]), **self._fields())
        if not self._console.is_terminal:
            self._console.print(self._line(record), soft_wrap=True)

    def _done(self, last: Sequence[Record]) -> float:
        if self._settings.trials is not None:
            return self._count
        return last[-1].elapsed if last else 0.0

    def _note(self, record: Record) -> None:
        self._count += 1
        if record.trial.values is None:
            self._failed += 1
        elif self._best is None or record.trial.values[0] > self._best:
            self._best = record.trial.values[0]

    def _fields(self) -> dict[str, str]:
        of = f"/{self._settings.trials}" if self._settings.trials is not None else ""
        best = "" if self._best is None else f"best {self._objective.label} {self._objective.value(self._best):.4f}"
        return {
            "count": f"{self._count}{of} trials",
            "best": best,
            "failed": f"{self._failed} failed" if self._failed else "",
        }

    def _line(self, record: Record) -> str:
        trial = record.trial
        if trial.values is None:
            return f"trial {trial.number}: failed: {trial.reason}"
        value = self._objective.value(trial.values[0])
        best = self._objective.value(self._best) if self._best is not None else value
        return f"trial {trial.number}: {self._objective.label} {value:.4f} (best {best:.4f}), {trial.seconds:.1f} s"
