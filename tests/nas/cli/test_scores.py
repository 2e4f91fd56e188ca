"""What the command line says of searches that rank by scores: never that a score is an accuracy."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nas.cli.progress import SearchProgress
from nas.controllers.base import Trial
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record

Command = Callable[..., Any]


def test_a_search_by_a_proxy(nas: Command, quick: list[str]) -> None:
    done = nas("search", *quick, "--evaluator", "proxy:smooth", "--trials", 3, "--keep", 1, "--name", "mine")
    assert done.code == 0
    first = done.err.splitlines()[0]
    assert first.endswith("seed 0, for validation accuracy by the smooth score, on cpu")
    lines = [line for line in done.err.splitlines() if line.startswith("trial ")]
    assert [bool(re.fullmatch(r"trial \d: smooth score [\d.]+ \(best [\d.]+\), [\d.]+ s", line)) for line in lines] == [
        True, True, True, False]  # fmt: skip
    assert re.fullmatch(r"trial 3: validation accuracy [\d.]+ \(best [\d.]+\), [\d.]+ s", lines[3])
    assert "\ntraining the best from scratch\n" in done.err
    assert "the best 1 were trained from scratch; the others were scored by smooth alone" in done.err
    assert done.err.endswith("export the best with: nas export mine --to DIR\n")
    rows = done.out.splitlines()
    assert rows[1].split() == ["smooth", "validation", "test"]
    assert rows[2].split() == [
        "trial",
        "trained",
        "score",
        "accuracy",
        "accuracy",
        "parameters",
        "seconds",
        "architecture",
    ]
    assert re.match(r"    3  from scratch +- +0\.\d+ +0\.\d+", rows[4])
    assert all(re.match(r"    \d  scored by smooth +\d[\d.]* +- +-", row) for row in rows[5:8])
    assert nas("show", "mine").out.splitlines()[1:6] == [
        "",
        "best 4 of 3 trials, and 1 trained from scratch",
        *rows[1:4],
    ]
    data = nas("show", "mine", "--json").json
    assert [t["evaluator"] for t in data["top"]] == ["train", *["proxy:smooth"] * 3]
    assert [list(t["objectives"]) for t in data["top"]] == [["accuracy"], *[["proxy_smooth"]] * 3]
    assert data["top"][1]["objectives"]["proxy_smooth"] == data["top"][1]["metrics"]["proxy_smooth"]
    assert (data["trials"], data["searched"]) == (4, 3)
    assert nas("runs", "--json").json[0]["trials"] == 3


def test_a_search_that_trains_nothing(nas: Command, quick: list[str], tmp_path: Path) -> None:
    done = nas("search", *quick, "--evaluator", "proxy:smooth", "--trials", 3, "--keep", 0, "--name", "mine")
    assert done.code == 0
    assert "validation" not in done.out
    assert "accuracy" not in done.out
    assert done.out.splitlines()[2].split() == ["trial", "trained", "score", "parameters", "architecture"]
    assert "  not trained, its number is its smooth score; nas train and nas export train it" in done.out
    assert done.err.endswith(
        "no network was trained: nas train mine trains the best over seeds, nas export mine --to DIR trains it once "
        "and writes it\n"
    )
    assert nas("export", "mine", "--to", tmp_path / "model").err.startswith("trial ")
    assert (tmp_path / "model" / "weights.safetensors").is_file()
    assert nas("train", "mine", "--seeds", 1).code == 0
    two = nas("search", *quick, "--evaluator", "proxy:smooth", "--trials", 3, "--keep", 0, "--objective", "accuracy",
              "--objective", "-params", "--name", "two")  # fmt: skip
    assert two.out.startswith("Pareto front\n")
    assert two.err.splitlines()[0].endswith("for validation accuracy by the smooth score and few parameters, on cpu")


def test_a_screened_search(nas: Command, quick: list[str]) -> None:
    done = nas("search", *quick, "--screen", "params", "--pool", 3, "--trials", 2, "--name", "mine")
    assert done.code == 0
    assert "controller random, screened by params, seed 0" in done.err
    assert re.search(r"\n  the best of [123] proposals by the screen params\n", done.out)
    metrics = nas("show", "mine", "--json").json["top"][0]["metrics"]
    assert {"screened", "screening_seconds", "proxy_params", "proxy_seconds_params"} <= metrics.keys()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--screen", "ntk-kr"], "Error: unknown proxy 'ntk-kr'; did you mean 'ntk-krr'? known: auto, "),
        (["--pool", 3], "Error: pool is a setting of a screen and there is none; "),
        (["--screen", "params", "--controller", "grid"], "Error: grid proposes every architecture once"),
        (["--evaluator", "proxy:gradsgn"], "Error: unknown proxy 'gradsgn'; did you mean 'gradsign'?"),
        (["--evaluator", "proxy:params", "--objective", "seconds"], "Error: evaluator proxy:params trains nothing"),
        (["--keep", 0], "Error: keep must be at least 1; got 0"),
    ],
)
def test_what_cannot_be(nas: Command, quick: list[str], tmp_path: Path, flags: list[Any], message: str) -> None:
    done = nas("search", *quick, *flags)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("objective", [Objective("accuracy", True), Objective("rmse", False)])
def test_the_bar_shows_scores_and_then_the_metric(objective: Objective) -> None:
    file = io.StringIO()
    bar = SearchProgress(Console(file=file, width=1000), Settings(trials=2, evaluator="proxy:smooth"), [objective])
    record = Record(Trial(0, None, (12.5,), {}, 1.25), 0.0, "random", evaluator="proxy:smooth")
    bar.started([])
    bar.recorded(record)
    bar.recorded(replace(record, trial=replace(record.trial, number=1, values=(8.0,))))
    assert bar.text(0).startswith("2/2 trials · best smooth score 12.5 · ")
    assert file.getvalue().splitlines()[-1] == "trial 1: smooth score 8.0000 (best 12.5), 1.2 s"
    bar.finals(1, 0)
    value = objective.value(0.5)
    bar.recorded(replace(record, trial=replace(record.trial, number=2, values=(value,)), evaluator="train"))
    assert bar.text(0).startswith(f"training the best from scratch · 1/1 · best {objective.name} 0.5000 · ")
