"""The bar and the lines that stand for it where there is no terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from nas.cli.progress import SearchProgress, _clock
from nas.controllers.base import Trial
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record

ACCURACY, PARAMS = Objective("accuracy", True), Objective("params", False)


def record(number: int, value: float | None, elapsed: float = 0.0, stopped: int | None = None) -> Record:
    reason = None if value is not None else "out of memory"
    values = None if value is None else (value,)
    return Record(Trial(number, None, values, {}, 1.25, reason, stopped=stopped), elapsed, "random")


def final(number: int, value: float | None) -> Record:
    return replace(record(number, value), evaluator="train")


def progress(settings: Settings, objective: Objective = ACCURACY, **console: Any) -> tuple[SearchProgress, io.StringIO]:
    file = io.StringIO()
    return SearchProgress(Console(file=file, **console), settings, [objective]), file


def test_a_budget_of_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("nas.cli.progress.time.monotonic", lambda: now[0])
    bar, _ = progress(Settings(trials=10))
    assert bar.text(0) == "0/10 trials · 0:00"
    bar.started([])
    assert bar.text(5) == "0/10 trials · 0:05"
    assert bar.left(5) is None
    now[0] = 110.0
    bar.recorded(record(0, 0.5))
    assert bar.text(10) == "1/10 trials · best accuracy 0.5000 · 0:10, 1:30 left"
    assert bar.left(14) == 86
    assert bar.left(35) == 80  # the running one takes longer than those before it
    bar.recorded(record(1, None))
    bar.recorded(record(2, 0.25))
    assert bar.text(10) == "3/10 trials · best accuracy 0.5000 · 1 failed · 0:10, 0:23 left"
    assert bar.share(10) == pytest.approx(0.3)


def test_a_budget_of_seconds_moves_without_trials() -> None:
    bar, _ = progress(Settings(trials=None, seconds=60))
    bar.started([record(0, 0.5, elapsed=20.0)])  # resumed: these seconds are spent
    assert [bar.share(s) for s in (0, 10, 40, 99)] == pytest.approx([1 / 3, 0.5, 1, 1])
    assert bar.text(10) == "1 trial · best accuracy 0.5000 · 0:30, 0:30 left"
    assert bar.text(50) == "1 trial · best accuracy 0.5000 · 1:10, the last training"


def test_whichever_budget_ends_first() -> None:
    bar, _ = progress(Settings(trials=4, seconds=100))
    bar.started([])
    assert bar.share(10) == pytest.approx(0.1)
    bar.recorded(record(0, 0.5))
    assert bar.share(10) == pytest.approx(0.25)
    assert bar.left(99.5) is not None
    assert bar.left(99.5) <= 0.5


def test_a_cost_shows_its_own_number() -> None:
    bar, _ = progress(Settings(trials=4), PARAMS)
    bar.started([record(0, -12345.0), record(1, -900.0)])
    assert "best parameters 900 " in bar.text(1)


def test_what_was_stopped_is_counted_and_marked() -> None:
    bar, file = progress(Settings(trials=4), width=1000)
    with bar:
        bar.started([record(0, 0.5), record(1, 0.25, stopped=5)])
        bar.recorded(record(2, 0.375, stopped=15))
    assert bar.text(1).startswith("3/4 trials · best accuracy 0.5000 · 2 stopped · ")
    assert file.getvalue() == "trial 2: validation accuracy 0.3750 (best 0.5000), stopped at epoch 15, 1.2 s\n"


def test_lines_where_there_is_no_terminal() -> None:
    bar, file = progress(Settings(trials=4), width=1000)
    with bar:
        bar.started([])
        bar.recorded(record(0, 0.5))
        bar.recorded(record(1, None))
        bar.recorded(record(2, 0.25))
    assert file.getvalue().splitlines() == [
        "trial 0: validation accuracy 0.5000 (best 0.5000), 1.2 s",
        "trial 1: failed: out of memory",
        "trial 2: validation accuracy 0.2500 (best 0.5000), 1.2 s",
    ]


@pytest.mark.parametrize("width", [30, 60, 80, 140])
def test_the_bar_stays_in_its_line(width: int) -> None:
    bar, file = progress(Settings(trials=4), width=width, force_terminal=True, color_system=None)
    with bar:
        bar.started([])
        bar.recorded(record(0, None))
        bar.recorded(record(1, 0.5))
        bar._live.refresh()
        console = Console(file=io.StringIO(), width=width)
        lines = console.render_lines(bar._bar(), pad=False)
        assert len(lines) == 1
        assert sum(segment.cell_length for segment in lines[0]) <= width
        assert ("━" in "".join(s.text for s in lines[0])) == (width > 60)
    assert "2/4 trials" in file.getvalue()


def test_clock() -> None:
    assert [_clock(s) for s in (0, 59.4, 59.6, 3599, 3600, 90061)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:00:00",
        "25:01:01",
    ]


def test_the_best_are_trained_from_scratch_with_a_count_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("nas.cli.progress.time.monotonic", lambda: now[0])
    bar, file = progress(Settings(trials=2, evaluator="shared"), width=1000)
    bar.started([])
    now[0] = 10.0
    for number, value in enumerate((0.875, 0.5)):
        bar.recorded(replace(record(number, value), evaluator="shared"))
    assert bar.text(10).startswith("2/2 trials · best accuracy 0.8750 · ")
    bar.finals(2, 0)
    assert bar.text(10) == "training the best 2 from scratch · 0/2 · 0:10"
    assert bar.left(10) is None
    now[0] = 14.0
    bar.recorded(final(2, 0.75))
    assert bar.text(14) == "training the best 2 from scratch · 1/2 · best accuracy 0.7500 · 0:14, 0:04 left"
    assert bar.share(14) == 0.5
    bar.recorded(final(3, None))
    assert "2/2 · best accuracy 0.7500 · 1 failed" in bar.text(15)
    assert bar.share(15) == 1
    bar.noted("this")
    assert file.getvalue().splitlines() == [
        "trial 0: validation accuracy 0.8750 (best 0.8750), 1.2 s",
        "trial 1: validation accuracy 0.5000 (best 0.8750), 1.2 s",
        "training the best 2 from scratch",
        "trial 2: validation accuracy 0.7500 (best 0.7500), 1.2 s",
        "trial 3: failed: out of memory",
        "note: this",
    ]


def test_taken_up_again_where_the_best_are_trained() -> None:
    bar, _ = progress(Settings(trials=None, seconds=5, evaluator="shared"))
    bar.started([replace(record(0, 0.5, elapsed=6.0), evaluator="shared"), replace(final(1, 0.25), elapsed=7.0)])
    assert bar.text(0).startswith("1 trial · best accuracy 0.5000 · ")
    bar.finals(3, 1)
    assert bar.text(0) == "training the best 3 from scratch · 1/3 · best accuracy 0.2500 · 0:07"
    assert bar.share(0) == pytest.approx(1 / 3)
