"""Every command: what it prints for people, what for programs, and what it writes."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from nas.cli.main import cli
from nas.controllers.registry import CONTROLLERS
from nas.data.catalogue import CATALOGUE
from nas.predictors.registry import PREDICTORS
from nas.searchspace.spaces.registry import SPACES
from nas.settings import Settings

Command = Callable[..., Any]


@pytest.fixture
def own(runs: Path, tmp_path: Path) -> Path:
    """A copy of the finished runs that a test may write into."""
    return Path(shutil.copytree(runs, tmp_path / "own"))


# search and resume


def test_search_prints_a_table_and_says_where_things_are(nas: Command, quick: list[str], tmp_path: Path) -> None:
    done = nas("search", *quick, "--trials", 3, "--name", "mine")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "best architectures"
    assert lines[1].split() == ["validation", "test"]
    assert lines[2].split() == ["trial", "accuracy", "accuracy", "parameters", "seconds", "architecture"]
    rows = [line.split() for line in lines[4:7]]
    assert sorted(row[0] for row in rows) == ["0", "1", "2"]
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    assert lines[8] == f"trial {rows[0][0]}"
    assert "  layers.0: conv=" in done.out
    first = done.err.splitlines()[0]
    assert first.startswith(
        "run mine: digits (node level, split random:5,10), space Quick, controller random, seed 0, "
    )
    assert first.endswith("for validation accuracy, on cpu")
    assert done.err.count("\ntrial ") == 3
    folder = tmp_path / "runs" / "mine"
    assert done.err.endswith(f"report: {folder}/report.html\nexport the best with: nas export mine --to DIR\n")
    assert (folder / "report.html").is_file()


def test_search_as_json(nas: Command, quick: list[str]) -> None:
    done = nas("search", *quick, "--trials", 2, "--json", "--name", "mine")
    assert done.code == 0
    assert done.json["run"] == "mine"
    assert done.json["trials"] == 2
    assert done.json["complete"] is True
    assert done.json["objectives"] == ["accuracy"]
    assert {"valid_accuracy", "test_accuracy", "params", "seconds"} <= set(done.json["top"][0]["metrics"])
    assert set(done.json["top"][0]["architecture"]) == {"layers", "skip"}


def test_equal_seeds_equal_searches(nas: Command, quick: list[str]) -> None:
    first, again, other = (
        nas("search", *quick, "--trials", 2, "--json", "--seed", seed, "--name", name).json["top"]
        for seed, name in [(1, "a"), (1, "b"), (2, "c")]
    )
    kept = [[(t["architecture"], t["objectives"]) for t in top] for top in (first, again, other)]
    assert kept[0] == kept[1] != kept[2]


def test_two_objectives_end_with_the_front(nas: Command, space_file: Path) -> None:
    done = nas("search", "--space", f"{space_file}:Failing", "--controller", "grid", "--trials", 3,
               "--objective", "accuracy", "--objective", "-params")  # fmt: skip
    assert done.code == 0
    assert done.out.startswith("Pareto front\n")
    assert "for validation accuracy and few parameters, on" in done.err
    assert "trial 1: failed: ArithmeticError: two is too many" in done.err or "1 of 3 trials failed" in done.err


def test_a_budget_of_seconds_alone(nas: Command, quick: list[str], tmp_path: Path) -> None:
    done = nas("search", *quick, "--seconds", 0.5, "--name", "mine")
    assert done.code == 0
    settings = tomllib.loads((tmp_path / "runs/mine/search.toml").read_text())
    assert settings["seconds"] == 0.5
    assert "trials" not in settings
    assert nas("runs", "--json").json[0]["budget"] == {"trials": None, "seconds": 0.5}


def test_every_setting_has_a_flag() -> None:
    flags = {name.lstrip("-").replace("-", "_") for p in cli.commands["search"].params for name in p.opts}
    renamed = {"objectives": "objective", "controller_options": "option", "simulated": "simulated_time"}
    assert {renamed.get(f.name, f.name) for f in fields(Settings)} <= flags


EVERY = """
name = "from-file"
data = "digits"
split = "random:4,6"
split-seed = 3
metric = "macro-f1"
controller = "evolution"
controller_options = {{ population = 4, sample = 2 }}
objectives = ["macro-f1"]
trials = 5
seconds = 500.0
seed = 9
device = "cpu"
workers = 1
epochs = 2
patience = 2
class_weights = true
trial_seconds = 60
trial_memory = 100000
keep = 2
validate-every = 2
fidelity = "full"
space = "{space}:Quick"
"""


def test_a_file_holds_every_setting_and_flags_win(nas: Command, space_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text(EVERY.format(space=space_file))
    done = nas("search", "--config", file, "--trials", 2, "--epochs", 1, "--no-class-weights", "--json")
    assert done.code == 0, done.err
    assert done.json["run"] == "from-file"
    kept = Settings.of(tomllib.loads((tmp_path / "runs/from-file/search.toml").read_text()))
    assert (kept.trials, kept.epochs, kept.class_weights) == (2, 1, False)
    assert (kept.split, kept.split_seed, kept.metric, kept.seed) == ("random:4,6", 3, "macro-f1", 9)
    assert kept.controller_options == {"population": 4, "sample": 2}
    assert (kept.validate_every, kept.fidelity) == (2, "full")
    assert (kept.seconds, kept.patience, kept.trial_seconds, kept.trial_memory, kept.keep) == (500, 2, 60, 100000, 2)
    repeated = nas("search", "--config", tmp_path / "runs/from-file/search.toml", "--name", "again", "--json")
    assert [t["objectives"] for t in repeated.json["top"]] == [t["objectives"] for t in done.json["top"]]


def test_options_of_the_controller(nas: Command, quick: list[str], tmp_path: Path) -> None:
    done = nas("search", *quick, "--controller", "evolution", "--option", "population=3", "--option", "sample=2",
               "--trials", 1, "--name", "mine")  # fmt: skip
    assert done.code == 0
    settings = tomllib.loads((tmp_path / "runs/mine/search.toml").read_text())
    assert settings["controller_options"] == {"population": 3, "sample": 2}


def test_resume_with_a_larger_budget(nas: Command, own: Path) -> None:
    before = nas("show", "one", "--runs", own, "--json").json
    done = nas("resume", "one", "--trials", 6, "--runs", own, "--json")
    assert done.code == 0
    assert done.json["trials"] == 6
    kept = {t["number"]: t["objectives"] for t in done.json["top"]}
    assert {t["number"]: t["objectives"] for t in before["top"]}.items() <= kept.items()
    assert nas("resume", "one", "--runs", own, "--json").json["trials"] == 6


# what there is


def test_show(nas: Command, runs: Path) -> None:
    done = nas("show", "one", "--top", 2, "--runs", runs)
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("one: digits (node level")
    assert "\nbest 2 of 4 trials\n" in done.out
    table = done.out.split("seconds  architecture\n")[1].split("\n\n")[0].splitlines()
    assert len(table) == 3
    data = nas("show", "one", "--top", 2, "--runs", runs, "--json").json
    assert [str(t["number"]) for t in data["top"]] == [line.split()[0] for line in table[1:]]


def test_show_says_why_trials_failed(nas: Command, runs: Path) -> None:
    done = nas("show", "two", "--runs", runs)
    assert "\nPareto front\n" in done.out
    assert "\n1 failed\n" in done.out
    assert "ArithmeticError: two is too many" in done.out
    data = nas("show", "two", "--runs", runs, "--json").json
    assert data["failed"] == 1
    assert list(data["failures"].values()) == [1]
    assert set(data["pareto"]) <= {t["number"] for t in data["top"]}


def test_runs(nas: Command, runs: Path) -> None:
    done = nas("runs", "--runs", runs)
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == ["one", "two"]
    assert "4 of 4" in done.out
    rows = nas("runs", "--runs", runs, "--json").json
    assert [(row["run"], row["trials"], row["objectives"]) for row in rows] == [
        ("one", 4, ["the task's metric"]),
        ("two", 3, ["accuracy", "-params"]),
    ]


def test_no_runs(nas: Command, tmp_path: Path) -> None:
    done = nas("runs")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"no runs in {tmp_path / 'runs'} yet; start one with nas search\n"
    assert nas("runs", "--json").json == []


def test_damaged_runs_stand_beside_good_ones(nas: Command, own: Path) -> None:
    shutil.copytree(own / "one", own / "torn")
    (own / "torn/search.toml").write_text("trials = = 3")
    shutil.copytree(own / "one", own / "locked")
    (own / "locked/journal.log").unlink()
    (own / "locked/journal.log").mkdir()
    done = nas("runs", "--runs", own)
    assert done.code == 0
    assert sorted(line.split()[0] for line in done.out.splitlines()[2:]) == ["one", "two"]
    assert "torn: the run folder" in done.err
    assert "is damaged: search.toml cannot be read" in done.err
    assert "locked: " in done.err
    assert "journal.log cannot be read: Is a directory" in done.err
    assert {row["run"] for row in nas("runs", "--runs", own, "--json").json if "problem" in row} == {"torn", "locked"}


def test_spaces(nas: Command) -> None:
    rows = nas("spaces", "--json").json
    assert [row["space"] for row in rows] == SPACES.names()
    assert {row["space"]: row["size"] for row in rows}["design"] == 314928
    table = nas("spaces").out
    assert "314,928" in table
    assert all(row["summary"] in table for row in rows)


@pytest.mark.parametrize("name", SPACES.names())
def test_space(name: str, nas: Command) -> None:
    done, data = nas("space", name), nas("space", name, "--json").json
    assert done.out.endswith(f"\n{data['size']:,} architectures\n")
    assert len(done.out.splitlines()) == len(data["knobs"]) + 4
    assert all(knob["knob"] in done.out for knob in data["knobs"])


def test_a_space_of_a_file(nas: Command, space_file: Path) -> None:
    assert nas("space", f"{space_file}:Quick").out.endswith("\n40 architectures\n")


def test_predictors(nas: Command) -> None:
    rows = nas("predictors", "--json").json
    assert [row["name"] for row in rows] == PREDICTORS.names()
    table = nas("predictors").out
    assert all(row["name"] in table and row["encoding"] in table for row in rows)


def test_controllers(nas: Command) -> None:
    rows = nas("controllers", "--json").json
    assert {row["name"] for row in rows} == set(CONTROLLERS.names())
    table = nas("controllers").out
    assert "population=" in table
    assert all(row["summary"] in table for row in rows)


def test_datasets(nas: Command) -> None:
    rows = nas("datasets", "--json").json
    assert [row["name"] for row in rows] == list(CATALOGUE)
    table = nas("datasets").out
    assert len(table.splitlines()) == 2 + len(rows)
    assert "handwritten digits" in table


# what is taken away


def test_train_over_seeds(nas: Command, own: Path) -> None:
    done = nas("train", "one", "--seeds", 2, "--runs", own)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].endswith(" of one, 2 seeds")
    assert lines[1].split() == ["measured", "mean", "deviation", "smallest", "largest"]
    assert any(line.startswith("test accuracy ") for line in lines)
    assert done.err.count("validation accuracy") == 2
    way = "one after the other (faster on this device for a graph of this size)"
    assert done.err.endswith(f"way of training: {way}\n")
    data = nas("train", "one", "--seeds", 2, "--runs", own, "--json").json
    assert data["way"] == way
    accuracy = data["metrics"]["test_accuracy"]
    assert accuracy["mean"] == pytest.approx(sum(accuracy["values"]) / 2)
    assert nas("train", "one", "--seeds", 1, "--runs", own, "--json").json["metrics"]["seconds"]["deviation"] is None


def test_export_and_report(nas: Command, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = nas("export", "one", "--trial", 1, "--runs", own)
    assert done.code == 0
    assert done.out.startswith("trial 1 of one in one-trial-1\n")
    assert {p.name for p in (tmp_path / "one-trial-1").iterdir()} >= {"model.py", "weights.safetensors", "predict.py"}
    data = nas("export", "one", "--to", "best", "--runs", own, "--json").json
    assert data["program"] == "model.pt2"
    assert sorted(data["files"]) == sorted(str(p) for p in Path("best").iterdir() if p.is_file())
    assert json.loads(Path("best/architecture.json").read_text())["run"] == "one"
    assert nas("report", "one", "--to", "page.html", "--runs", own).out == "page.html\n"
    assert "<html" in Path("page.html").read_text()


def test_dashboard_serves_the_run(nas: Command, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = []
    dashboard = pytest.importorskip("optuna_dashboard")
    monkeypatch.setattr(dashboard, "run_server", lambda storage, host, port: served.append((storage, host, port)))
    done = nas("dashboard", "one", "--port", 8123, "--runs", runs)
    assert done.code == 0
    assert done.err == "http://127.0.0.1:8123  (stop with Ctrl-C)\n"
    ((storage, host, port),) = served
    assert (host, port) == ("127.0.0.1", 8123)
    assert [study.study_name for study in storage.get_all_studies()] == ["one"]


def test_help_of_every_command(nas: Command) -> None:
    listed = nas("--help").out
    for name in cli.commands:
        assert f"\n  {name} " in listed
        done = nas(name, "--help")
        assert done.code == 0
        assert done.out.startswith(f"Usage: nas {name}")
        assert max(map(len, done.out.splitlines())) <= 100
    assert nas("--version").out.startswith("nas, version ")


def test_trainings_that_were_stopped_are_marked(nas: Command, quick: list[str], tmp_path: Path) -> None:
    done = nas("search", *quick, "--fidelity", "halving", "--trials", 8, "--epochs", 45, "--name", "quickly")
    assert done.code == 0, done.err
    shown = nas("show", "quickly", "--json").json
    early = [t for t in shown["top"] if t["state"] == "stopped"]
    assert len(early) == shown["stopped"] > 0
    assert {t["stopped"] for t in early} <= {15}
    assert all(t["curve"][-1][0] == t["stopped"] for t in early)
    assert shown["top"][0]["state"] == "complete"
    assert shown["top"][0]["stopped"] is None
    assert done.err.count("stopped at epoch 15, ") == len(early)
    assert f"{len(early)} of 8 trainings stopped early (behind, by halving)" in done.err
    table = nas("show", "quickly").out
    assert f"best 8 of 8 trials, {len(early)} of them stopped early" in table
    assert "at epoch" in table
    assert "at epoch" not in nas("show", "quickly", "--top", 1).out


def test_what_was_trained_from_scratch_is_marked(nas: Command, quick: list[str], tmp_path: Path) -> None:
    shared = ["--evaluator", "shared", "--sharing", "all", "--warm-up", 1, "--keep", 2]
    done = nas("search", *quick, *shared, "--trials", 4, "--name", "lends")
    assert done.code == 0, done.err
    assert "training the best 2 from scratch\n" in done.err
    assert "the best 2 were trained from scratch; the others shared weights\n" in done.err
    rows = [line for line in done.out.splitlines() if re.match(r" *\d ", line)]
    assert [("from scratch" in row, "with shared weights" in row) for row in rows] == 2 * [(True, False)] + 4 * [
        (False, True)
    ]
    shown = nas("show", "lends", "--json").json
    assert [t["evaluator"] for t in shown["top"]] == ["train"] * 2 + ["shared"] * 4
    assert (shown["trials"], shown["searched"], shown["complete"]) == (6, 4, True)
    assert "best 6 of 4 trials, and 2 trained from scratch" in nas("show", "lends").out
    assert "from scratch" not in nas("show", "lends", "--top", 2).out.split("trained from scratch\n", 1)[1]
    row = nas("runs", "--json").json[0]
    assert row["trials"] == 4
    assert "4 of 4" in nas("runs").out
    worst = shown["top"][-1]["number"]
    trained = nas("train", "lends", "--trial", worst, "--seeds", 2, "--json").json
    assert trained["metrics"]["epochs"]["values"] == [3, 3]
    assert "inherited" not in trained["metrics"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--warm-up", 3], "warm_up is a setting of shared weights and the evaluator is train"),
        (["--evaluator", "shared", "--fidelity", "halving"], "use one of the two"),
        (["--evaluator", "shaerd"], "unknown evaluator 'shaerd'; did you mean 'shared'?"),
    ],
)
def test_shared_weights_that_make_no_sense(nas: Command, flags: list[Any], message: str) -> None:
    done = nas("search", *flags)
    assert done.code == 2
    assert message in done.err
