"""``nas generate``, ``nas pretrain`` and the limits and priors of ``nas search``: what is printed, and bad input."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.diffusion import training
from nas.diffusion.generator import PRESETS, Preset
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.training import Schedule

Command = Callable[..., Any]


@pytest.fixture
def small(space_file: Path) -> list[str]:
    return ["--space", f"{space_file}:Quick", "--steps", "5"]


@pytest.fixture
def guide(nas: Command, space_file: Path, tmp_path: Path) -> Path:
    """What nas show prints of a run of eight trials."""
    quick = ["--space", f"{space_file}:Quick", "--controller", "random", "--device", "cpu"]
    assert nas("search", *quick, "--trials", 8, "--epochs", 1, "--name", "run").code == 0
    file = tmp_path / "guide.json"
    file.write_text(nas("show", "run", "--top", 100, "--json").out)
    return file


def test_generate_prints_architectures_and_shares(nas: Command, small: list[str]) -> None:
    done = nas("generate", *small, "--n", 10, "--top", 4)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "4 of 10 generated architectures"
    assert [line.split()[0] for line in lines[3:]] == ["1", "2", "3", "4"]
    assert "100.0% of the draws valid, " in done.err
    assert "% of these unique; " in done.err
    assert "note: " not in done.err
    few = nas("generate", *small, "--n", 100)
    assert "draws gave no more than 40 different ones" in few.err


def test_generate_with_a_guide_and_limits(nas: Command, small: list[str], guide: Path, tmp_path: Path) -> None:
    given = ["--objective", "accuracy", "--objective", "-params", "--max-params", 900, "--n", 6]
    done = nas("generate", *small, "--guide", guide, *given, "--json", "--csv", tmp_path / "all.csv")
    assert done.code == 0, done.err
    rows = done.json["architectures"]
    assert len(rows) == 6
    assert all(row["costs"]["params"] <= 900 and row["expected"].keys() == {"accuracy"} for row in rows)
    assert 0 < done.json["within"] <= 1
    assert done.json["valid"] == 1.0
    assert 0 <= done.json["novel"] <= 1
    with (tmp_path / "all.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [json.loads(row["architecture"]) for row in written] == [row["architecture"] for row in rows]
    assert [float(row["accuracy"]) for row in written] == [row["expected"]["accuracy"] for row in rows]
    assert [float(row["deviation accuracy"]) for row in written] == [row["deviation"]["accuracy"] for row in rows]
    assert [float(row["params"]) for row in written] == [row["costs"]["params"] for row in rows]
    told = nas("generate", *small, "--guide", "run", *given)
    assert told.out.startswith("best 6 of 6 generated architectures\n")
    assert "±" in told.out
    assert "% new to the guide" in told.err
    assert "% within the limits" in told.err


def test_what_is_generated_can_be_ranked(nas: Command, small: list[str], tmp_path: Path) -> None:
    file = tmp_path / "made.json"
    file.write_text(nas("generate", *small, "--n", 3, "--json").out)
    done = nas("rank", *small[:2], "--device", "cpu", "--proxy", "params", "--architectures", file, "--json")
    assert done.code == 0, done.err
    assert len(done.json["architectures"]) == 3


def test_pretrain_says_what_it_made(nas: Command, small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    space = small[:2]
    done = nas("pretrain", *space)
    assert done.code == 0, done.err
    assert done.out == f"the generator of {space[1]} is exact: nothing needed to be trained\n"
    monkeypatch.setitem(PRESETS, "network", Preset(Perceptron(), Schedule(steps=10, batch=32)))
    monkeypatch.setattr(training, "PORTION", 10)
    done = nas("pretrain", *space, "--preset", "network")
    assert done.out == f"the generator of {space[1]} is a trained network (perceptron), kept for searches\n"
    assert "training a generator" in done.err
    assert "training a generator" not in nas("pretrain", *space, "--preset", "network").err


def test_search_within_limits(nas: Command, small: list[str]) -> None:
    given = [*small[:2], "--controller", "random", "--device", "cpu", "--trials", 3, "--name", "run"]
    done = nas("search", *given, "--max-params", 900, "--max-latency", 60, "--json")
    assert done.code == 0, done.err
    assert all(row["metrics"]["params"] <= 900 for row in done.json["top"])
    assert "proposals were not trained: they do not have at most 900 params and at most 60 latency" in done.err
    none = nas("search", *given[:-1], "none", "--max-params", 2)
    assert none.code == 1
    assert "Error: no network with at most 2 params was found in the space Quick; raise the limit" in none.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "--guide", "runn"], "there is no run 'runn' in "),
        (["generate", "--preset", "netwrk"], "unknown preset 'netwrk'; did you mean 'network'"),
        (["generate", "--method", "ddim"], "unknown sampler 'ddim'"),
        (
            ["generate", "--objective", "accuracy"],
            "what accuracy an architecture will have must be learned: name a run",
        ),
        (["generate", "--max-params", "-1"], "max_params must be above 0; got -1.0"),
        (["generate", "--space", "agn"], "unknown search space 'agn'; did you mean 'agnn'"),
        (["generate", "--csv", "none/all.csv"], "--csv none/all.csv cannot be written: there is no folder none"),
        (["pretrain", "--from", "one,two"], "give to, and one of the two"),
        (["pretrain", "--from", "one,two", "--to", "there"], "there is no run 'one' in "),
        (
            ["search", "--pretrained", "--space", "agnn"],
            "nothing is pre-trained for the space 'agnn', only for nasbench",
        ),
        (["search", "--pretrained", "--controller", "tpe"], "'pretrained'"),
        (["search", "--max-latency", "0"], "max_latency must be above 0; got 0.0"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_what_cannot_be_used(
    arguments: list[str], message: str, nas: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nas(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert message in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("arguments", [["--n", "0"], ["--steps", "0"], ["--top", "0"]])
def test_bad_usage(arguments: list[str], nas: Command) -> None:
    done = nas("generate", *arguments)
    assert done.code == 2
    assert "0 is not in the range x>=1" in done.err


def test_help(nas: Command) -> None:
    said = nas("generate", "--help").out
    assert all(
        flag in said for flag in ("--guide", "--objective", "--max-params", "--max-latency", "--preset", "--csv")
    )
    said = nas("pretrain", "--help").out
    assert all(flag in said for flag in ("--from", "--table", "--to", "--preset"))
    said = nas("search", "--help").out
    assert all(flag in said for flag in ("--pretrained", "--max-params", "--max-latency"))
    listed = nas("--help").out
    assert "generate" in listed
    assert "pretrain" in listed
