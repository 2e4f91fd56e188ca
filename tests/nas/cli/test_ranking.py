"""``nas rank``, ``nas correlate`` and ``nas proxies``: what is printed for people, what for programs, bad input."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.ranking.work import Work
from nas.zerocost.registry import PROXIES

Command = Callable[..., Any]


@pytest.fixture
def small(space_file: Path) -> list[str]:
    return ["--space", f"{space_file}:Quick", "--device", "cpu"]


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after two architectures."""
    real = Work.run

    def run(self: Work) -> Any:
        for count, row in enumerate(real(self), 1):
            yield row
            if count == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Work, "run", run)


# rank


def test_rank_prints_the_best_and_what_it_cost(nas: Command, small: list[str]) -> None:
    done = nas("rank", *small, "--proxy", "params,depth", "--n", 12, "--top", 4)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "best 4 of 12 architectures by the sum of their ranks"
    assert lines[1].split() == ["rank", "params", "depth", "rank", "sum", "architecture"]
    rows = [line.split() for line in lines[3:]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row[3]) for row in rows] == sorted(float(row[3]) for row in rows)
    err = done.err.splitlines()
    assert err[0].startswith("digits (node level, split random:5,10), space Quick, seed 0, on cpu: 12 architectures ")
    assert err[-2] == "12 of 12 architectures scored"
    assert re.fullmatch(r"seconds for an architecture: params [\d.e-]+, depth [\d.e-]+", err[-1])


def test_rank_by_one_of_several(nas: Command, small: list[str]) -> None:
    done = nas("rank", *small, "--proxy", "params", "--proxy", "depth", "--by", "params", "--n", 5)
    assert done.out.startswith("best 5 of 5 architectures by params\n")
    params = [float(line.split()[1].replace(",", "")) for line in done.out.splitlines()[3:]]
    assert params == sorted(params, reverse=True)


def test_rank_as_json_and_csv(nas: Command, small: list[str], tmp_path: Path) -> None:
    done = nas("rank", *small, "--proxy", "params,naswot", "--n", 6, "--json", "--csv", tmp_path / "all.csv")
    assert done.code == 0
    ranked = done.json["architectures"]
    assert [row["rank"] for row in ranked] == [1, 2, 3, 4, 5, 6]
    assert sorted(row["number"] for row in ranked) == list(range(6))
    assert [(p["name"], p["scored"]) for p in done.json["proxies"]] == [("params", 6), ("naswot", 6)]
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [row["number"] for row in ranked]
    assert [float(row["params"]) for row in rows] == [row["scores"]["params"] for row in ranked]
    assert [json.loads(row["architecture"]) for row in rows] == [row["architecture"] for row in ranked]


def test_rank_goes_on_with_what_show_and_rank_print(nas: Command, small: list[str], runs: Path, tmp_path: Path) -> None:
    for number, printed in enumerate(
        (nas("show", "one", "--runs", runs, "--json"), nas("rank", *small, "--proxy", "params", "--n", 4, "--json"))
    ):
        file = tmp_path / f"{number}.json"
        file.write_text(printed.out)
        again = nas("rank", *small, "--proxy", "params", "--architectures", file, "--json")
        assert again.code == 0, again.err
        wanted = printed.json["top" if number == 0 else "architectures"]
        shown = [json.dumps(row["architecture"]) for row in again.json["architectures"]]
        assert sorted(shown) == sorted(json.dumps(row["architecture"]) for row in wanted)


def test_rank_says_what_could_not_be_scored(nas: Command, space_file: Path) -> None:
    space = ["--space", f"{space_file}:Failing", "--device", "cpu"]
    done = nas("rank", *space, "--proxy", "params", "--n", 3)
    assert done.code == 0
    assert done.out.startswith("best 2 of 2 architectures by params\n")
    assert "1 could not be scored: ArithmeticError: two is too many" in done.err
    found = nas("rank", *space, "--proxy", "params", "--n", 9, "--json").json
    assert found["notes"] == ["the space has 3 different networks, fewer than 9: all of them are ranked"]
    assert [row["rank"] for row in found["architectures"]] == [1, 2, None]
    assert found["failures"] == {"ArithmeticError: two is too many": 1}


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_ranking_prints_what_is_done(nas: Command, small: list[str], tmp_path: Path) -> None:
    given = ["rank", *small, "--proxy", "params", "--n", 5]
    done = nas(*given)
    assert done.code == 130
    assert done.out.startswith("best 2 of 2 architectures by params\n")
    end = "They are not kept; with --out FILE they would have been.\n"
    assert done.err.endswith(f"Interrupted: 2 of 5 are scored. {end}")
    kept = nas(*given, "--out", tmp_path / "kept.jsonl")
    assert kept.err.endswith("Interrupted: 2 of 5 are scored. Go on with the same command.\n")
    more = nas(*given, "--out", tmp_path / "kept.jsonl")
    assert "5 architectures scored by params, 2 of them before" in more.err
    assert more.err.endswith("Interrupted: 4 of 5 are scored. Go on with the same command.\n")
    last = nas(*given, "--out", tmp_path / "kept.jsonl", "--json")
    assert last.code == 0
    assert len(last.json["architectures"]) == 5


# correlate


def test_correlate_prints_tables_and_writes_a_page(nas: Command, small: list[str], tmp_path: Path) -> None:
    given = ["correlate", *small, "--proxy", "params,short:1", "--n", 6, "--epochs", 2, "--name", "mine"]
    done = nas(*given)
    assert done.code == 0, done.err
    assert done.err.startswith("run mine: digits (node level, split random:5,10), space Quick, seed 0, on cpu: 6 ")
    assert done.err.count("\narchitecture ") == 6
    first, second = done.out.split("\n\n")
    assert first.startswith("agreement with validation accuracy after training, 6 architectures\n")
    assert first.splitlines()[1].split() == ["proxy", "Spearman", "Kendall", "best", "tenth", "found"]
    number = r"-?\d\.\d\d"
    row = rf"(params|short:1) +{number} \[ *{number}, +{number}\] +{number} \[ *{number}, +{number}\] .*"
    assert all(re.fullmatch(row, line) for line in first.splitlines()[3:])
    assert second.startswith("agreement with test accuracy, and what a score costs\n")
    assert second.splitlines()[-1].startswith("validation (ceiling for test)")
    page = tmp_path / "runs" / "mine" / "correlation.html"
    assert done.err.endswith(f"page: {page}\n")
    assert page.is_file()
    again = nas(*given, "--json")
    assert "6 architectures trained, 6 of them before" in again.err
    assert again.json["trained"] == 6
    assert {p["proxy"] for p in again.json["proxies"]} == {"params", "short:1"}
    assert {"value", "low", "high"} == set(again.json["ceiling"])
    assert [row["number"] for row in again.json["architectures"]] == list(range(6))


def test_correlate_compares_all_proxies_where_none_is_named(nas: Command, small: list[str]) -> None:
    done = nas("correlate", *small, "--n", 3, "--epochs", 1, "--json")
    assert done.code == 0, done.err
    assert {p["proxy"] for p in done.json["proxies"]} == {*PROXIES.names(), "short"}


def test_failed_trainings_are_said(nas: Command, space_file: Path) -> None:
    given = ["--space", f"{space_file}:Failing", "--device", "cpu", "--proxy", "params", "--n", 3]
    done = nas("correlate", *given)
    assert done.code == 1
    assert "Error: only 2 of 3 trainings succeeded, too few to correlate anything; the others failed: Arith" in done.err


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_comparison_goes_on(nas: Command, small: list[str]) -> None:
    given = ["correlate", *small, "--proxy", "params", "--n", 4, "--epochs", 1]
    done = nas(*given)
    assert (done.code, done.out) == (130, "")
    assert done.err.endswith("Interrupted: 2 of 4 architectures are saved. Go on with the same command\n")
    assert nas(*given).code == 130
    last = nas(*given)
    assert last.code == 0
    assert "4 of them before" in last.err


@pytest.mark.slow
def test_a_killed_comparison_goes_on(small: list[str], space_file: Path, tmp_path: Path, nas: Command) -> None:
    given = ["correlate", *small, "--proxy", "params", "--n", "6", "--epochs", "100", "--patience", "100"]
    given += ["--name", "cut", "--runs", str(tmp_path)]
    process = subprocess.Popen([sys.executable, "-u", "-m", "nas", *given], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("architecture 1: "):
            break
    process.send_signal(signal.SIGKILL)
    process.stderr.close()
    process.wait(timeout=60)
    kept = (tmp_path / "cut" / "correlation.jsonl").read_text().splitlines()[1:3]
    assert nas(*given).code == 0
    assert (tmp_path / "cut" / "correlation.jsonl").read_text().splitlines()[1:3] == kept


# proxies


def test_proxies(nas: Command) -> None:
    done = nas("proxies")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[2:]] == [*PROXIES.names(), "short", "prior"]
    rows = nas("proxies", "--json").json
    assert [row["name"] for row in rows] == [*PROXIES.names(), "short", "prior"]
    assert all(row[key] for row in rows for key in ("needs", "cost", "summary", "paper"))


# bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", "--data", "coraa"], "unknown data set 'coraa'; did you mean 'cora'? known: "),
        (["rank", "--space", "agn"], "unknown search space 'agn'; did you mean 'agnn'? known: "),
        (["rank", "--proxy", "gradsing"], "unknown proxy 'gradsing'; did you mean 'gradsign'? known: "),
        (["rank", "--proxy", "gradsign, ,nkt-krr"], "unknown proxy 'nkt-krr'; did you mean 'ntk-krr'? known: "),
        (["rank", "--by", "params"], "cannot order by 'params', which is not scored; the proxies are ntk-error"),
        (["rank", "--architectures", "none.json"], "the file none.json cannot be read: No such file or directory"),
        (["rank", "--csv", "none/all.csv"], "--csv none/all.csv cannot be written: there is no folder none"),
        (["rank", "--out", "."], "--out names a file; . is a folder"),
        (["rank", "--workers", "-1"], "workers must be at least 0; got -1"),
        (["rank", "--split", "thirds"], "thirds"),
        (["correlate", "--data", "coraa"], "unknown data set 'coraa'; did you mean 'cora'? known: "),
        (["correlate", "--proxy", "short:x"], "a short training is named short or short:EPOCHS"),
        (["correlate", "--epochs", "0"], "epochs must be at least 1; got 0"),
        (["correlate", "--name", "a/b"], "a run's name is made of letters, digits"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_what_cannot_be_used(arguments: list[str], message: str, nas: Command, tmp_path: Path) -> None:
    done = nas(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", "--n", "0"], "0 is not in the range x>=1"),
        (["rank", "--top", "0"], "0 is not in the range x>=1"),
        (["correlate", "--n", "2"], "2 is not in the range x>=3"),
    ],
)
def test_bad_usage(arguments: list[str], message: str, nas: Command) -> None:
    done = nas(*arguments)
    assert done.code == 2
    assert message in done.err


def test_architectures_and_n_are_one_too_many(nas: Command, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text('[{"conv": "gcn"}]')
    done = nas("rank", "--architectures", file, "--n", 3)
    assert done.code == 2
    assert "give one of the two" in done.err
    done = nas("rank", "--architectures", file)
    assert done.code == 2
    assert "Error: architecture 0 does not belong to the space 'design': " in done.err


def test_a_name_that_belongs_to_other_settings(nas: Command, small: list[str]) -> None:
    given = ["correlate", *small, "--proxy", "params", "--n", 3, "--epochs", 1, "--name", "mine"]
    assert nas(*given).code == 0
    done = nas(*given, "--seed", 1)
    assert done.code == 2
    assert "was made with seed 0 and this command has 1; give the same settings" in done.err
    assert "or choose another --name" in done.err
