"""A search as it is seen in the terminal: a bar with the best so far, the time left, what was stopped or failed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from nas.cli.output import said, shown
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import AGAIN, FROM_SCRATCH, Record

WIDTH = 40
"""Columns of the bar."""


def counter(what: str, console: Console) -> Progress:
    """A bar that counts ``what`` and says how long it takes still; nothing where there is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{what},"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


class SearchProgress:
    """Watches a search. On a terminal it is a bar that moves on its own; elsewhere one line per trial."""

    def __init__(self, console: Console, settings: Settings, objectives: Sequence[Objective]) -> None:
        self._console, self._settings = console, settings
        self._objective = objectives[0]
        self._best: dict[str, float] = {}
        self._failed = self._stopped = self._count = self._known = 0
        self._finals: int | None = None
        self._work: tuple[str, int, int] | None = None
        self._before = self._last = self._since = self._elapsed = 0.0
        self._begin: float | None = None
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console, get_renderable=self._bar, refresh_per_second=5, transient=True, auto_refresh=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def started(self, records: Sequence[Record]) -> None:
        """Show what is known, and that the first training is under way."""
        for record in records:
            self._note(record)
        self._known = self._count
        self._before = self._elapsed
        self._begin = time.monotonic()

    def recorded(self, record: Record) -> None:
        """Move on by one trial."""
        self._note(record)
        self._last = self._spent()
        if not self._console.is_terminal:
            self._console.print(self._line(record), soft_wrap=True, markup=False)

    def finals(self, total: int, done: int) -> None:
        """Begin to count anew: the best ones, trained from scratch."""
        self._finals, self._count, self._known = total, done, done
        self._since = self._last = self._spent()
        if not self._console.is_terminal:
            self._console.print(self._doing(), soft_wrap=True, markup=False)

    def noted(self, note: str) -> None:
        """Say it above the bar."""
        self._console.print(f"note: {note}", style="yellow", soft_wrap=True, markup=False)

    def working(self, what: str, done: int, total: int) -> None:
        """Show it in the place of the trials; elsewhere than on a terminal a line for every tenth of it."""
        self._work = (what, done, total) if done < total else None
        if not self._console.is_terminal and (done * 10 // total > (done - 1) * 10 // total):
            self._console.print(f"{what}: {done} of {total}", soft_wrap=True, markup=False)

    def text(self, spent: float) -> str:
        """What stands beside the bar, ``spent`` seconds after the search was started or taken up again."""
        budget = self._budget
        if self._work is not None:
            what, done, total = self._work
            return f"{what}, {done}/{total} · {_clock(self._before + spent)}"
        if self._finals is not None:
            parts = [self._doing(), f"{self._count}/{budget}"]
        elif budget is not None:
            parts = [f"{self._count}/{budget} trials"]
        else:
            parts = [f"{self._count} {'trial' if self._count == 1 else 'trials'}"]
        if self._evaluator in self._best:
            named = self._objective.by(self._evaluator)
            name = named.label if named.scored else said(named.name)
            parts.append(f"best {name} {_number(named, self._best[self._evaluator])}")
        if self._stopped:
            parts.append(f"{self._stopped} stopped")
        if self._failed:
            parts.append(f"{self._failed} failed")
        left = self.left(spent)
        end = "" if left is None else f", {_clock(left)} left" if self.share(spent) < 1 else ", the last training"
        parts.append(_clock(self._before + spent) + end)
        return " · ".join(parts)

    def left(self, spent: float) -> float | None:
        """Seconds until the budget of trials or of seconds is spent; None where nothing is known yet."""
        ends = []
        done, budget = self._count - self._known, self._budget
        if budget is not None and done:
            each, missing = (self._last - self._since) / done, budget - self._count
            ends.append(max(missing * each - (spent - self._last), (missing - 1) * each))
        if self._settings.seconds is not None and self._finals is None:
            ends.append(self._settings.seconds - self._before - spent)
        return max(min(ends), 0.0) if ends else None

    def share(self, spent: float) -> float:
        """How much of the budget is spent, from 0 to 1: of seconds or of trials, whichever is nearer its end.

        While the controller is at something that takes long, it is how much of that is done.
        """
        if self._work is not None:
            return self._work[1] / self._work[2]
        shares, budget = [0.0], self._budget
        if budget is not None:
            shares.append(self._count / budget)
        if self._settings.seconds is not None and self._finals is None:
            shares.append((self._before + spent) / self._settings.seconds)
        return min(max(shares), 1.0)

    @property
    def _budget(self) -> int | None:
        """How many trials there will be, of the search or of its best that are trained from scratch."""
        return self._settings.trials if self._finals is None else self._finals

    @property
    def _evaluator(self) -> str:
        """What the numbers come from that are shown now."""
        if self._finals is None:
            return self._settings.evaluator
        return AGAIN if self._settings.confirm else FROM_SCRATCH

    def _doing(self) -> str:
        if self._settings.confirm:
            return "training the best again with other seeds"
        return (
            f"training the best {self._finals} from scratch" if self._finals != 1 else "training the best from scratch"
        )

    def _bar(self) -> RenderableType:
        spent = self._spent()
        text = Text(self.text(spent), no_wrap=True, overflow="ellipsis")
        room = self._console.width - len(text) - 4
        line = Table.grid(padding=(0, 1))
        if room < 8:
            line.add_row(self._spinner, text)
        else:
            line.add_row(self._spinner, ProgressBar(total=1, completed=self.share(spent), width=min(room, WIDTH)), text)
        return line

    def _spent(self) -> float:
        if self._settings.simulated:
            return self._elapsed - self._before
        return 0.0 if self._begin is None else time.monotonic() - self._begin

    def _note(self, record: Record) -> None:
        self._elapsed = record.elapsed
        self._count += record.evaluator == self._evaluator
        self._stopped += record.trial.stopped is not None
        if record.trial.values is None:
            self._failed += 1
        else:
            value = record.trial.values[0]
            self._best[record.evaluator] = max(value, self._best.get(record.evaluator, value))

    def _line(self, record: Record) -> str:
        trial = record.trial
        if trial.values is None:
            return f"trial {trial.number}: failed: {trial.reason}"
        best, named = self._best[record.evaluator], self._objective.by(record.evaluator)
        stopped = "" if trial.stopped is None else f"stopped at epoch {trial.stopped}, "
        return (
            f"trial {trial.number}: {named.label} {_number(named, trial.values[0])} "
            f"(best {_number(named, best)}), {stopped}{trial.seconds:.1f} s"
        )


def _number(objective: Objective, value: float) -> str:
    return shown(objective.value(value), objective.name)


def _clock(seconds: float) -> str:
    """``0:07`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
