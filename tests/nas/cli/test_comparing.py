"""``nas compare`` and searches on a table, as they are seen in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.comparison.contest import Contest
from tests.nas.evaluation.tables.toy import write

Command = Callable[..., Any]


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write(Path(tmp_path_factory.mktemp("table")) / "toy.npz"))


def given(toy: str) -> list[Any]:
    return ["--table", toy, "--data", "toy,cora", "--controllers", "evolution", "--trials", "3,8", "--seeds", 2]


def test_compare_prints_regrets_best_first(nas: Command, toy: str) -> None:
    done = nas("compare", *given(toy))
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "normalised validation regret after so many trials, mean ± standard error over seeds"
    assert lines[2].split() == ["controller", "3", "8", "trial"]
    assert {line.split()[0] for line in lines[4:6]} == {"random", "evolution"}
    assert float(lines[4].split()[4]) <= float(lines[5].split()[4])
    assert "normalised test regret after so many trials, mean ± standard error over seeds" in lines
    err = done.err.splitlines()
    assert err[0] == "comparison toy-comparison: 2 controllers on toy, cora, 2 seeds, 8 trials: 8 searches"
    assert err[1] == "note: random search is compared too: what does not beat it shows nothing"
    assert err[-2].endswith("8 trials (8 of 8 searches)")
    assert err[-1].startswith("page: ")
    assert Path(err[-1].removeprefix("page: ")).is_file()


def test_compare_as_json(nas: Command, toy: str) -> None:
    found = nas("compare", *given(toy), "--json").json
    assert (found["comparison"], found["data"], found["trials"]) == ("toy-comparison", ["toy", "cora"], [3, 8])
    assert len(found["rows"]) == 2 * 2 * 2
    assert found["tables"][0]["title"] == "normalised validation regret"
    assert [point["trials"] for point in found["tables"][0]["controllers"]["random"]] == [3, 8]
    assert set(found["seconds"]) == {"random", "evolution"}


def test_an_interrupted_comparison_says_how_to_go_on(nas: Command, toy: str, monkeypatch: Any) -> None:
    real = Contest.run

    def run(self: Contest) -> Any:
        for count, found in enumerate(real(self), 1):
            yield found
            if count == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(Contest, "run", run)
    done = nas("compare", *given(toy))
    assert done.code == 130
    assert not done.out
    assert done.err.splitlines()[-1] == "Interrupted: 3 of 8 searches are saved. Go on with the same command"
    monkeypatch.setattr(Contest, "run", real)
    done = nas("compare", *given(toy))
    assert done.err.splitlines()[0].endswith("8 searches, 3 of them before")
    assert done.code == 0


def test_budgets_that_are_no_numbers(nas: Command, toy: str) -> None:
    done = nas("compare", "--table", toy, "--trials", "fifty")
    assert (done.code, done.err) == (
        2,
        "Error: --trials takes whole numbers with commas, such as 50,100,200; got 'fifty'\n",
    )


def test_a_search_on_a_table_says_where_its_numbers_are_from(nas: Command, toy: str) -> None:
    done = nas("search", "--table", toy, "--data", "toy", "--trials", 5, "--controller", "random", "--name", "one")
    assert done.code == 0, done.err
    assert "looked up in nasbench-graph" in done.err.splitlines()[0]
    assert done.err.splitlines()[-1] == "its numbers are looked up in nasbench-graph: the mean of three trainings"
    assert "nas export" not in done.err
    shown = nas("show", "one")
    assert "looked up in nasbench-graph" in shown.out.splitlines()[0]
    assert "latency (s)" in shown.out
    found = nas("show", "one", "--json").json
    assert {trial["evaluator"] for trial in found["top"]} == {"table"}
    (run,) = nas("runs", "--json").json
    assert (run["table"], run["trials"], run["space"]) == (toy, 5, "nasbench-graph")
    assert f"toy in {toy}" in nas("runs").out
    resumed = nas("resume", "one", "--trials", 7, "--json").json
    assert resumed["trials"] == 7
    for command in ("train", "export"):
        failed = nas(command, "one")
        assert failed.code == 2
        assert "nas search --data DATA --space nasbench-graph" in failed.err


def test_simulated_time_is_the_time_that_is_shown(nas: Command, toy: str) -> None:
    done = nas("search", "--table", toy, "--data", "toy", "--seconds", 30, "--simulated-time", "--controller", "random")
    assert done.code == 0, done.err
    assert "in simulated time" in done.err.splitlines()[0]
    assert all(not line.endswith(" 0.0 s") for line in done.err.splitlines() if line.startswith("trial "))
