"""Comparisons: the same searches as alone, each once, whatever was interrupted; means against a plain computation."""

from __future__ import annotations

import csv
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nas
from nas.comparison.comparison import Comparison
from nas.comparison.contest import FILE
from nas.comparison.entries import parse
from nas.evaluation.tables.registry import column
from nas.searchspace.errors import BadInput, RunError


def compare(toy: str, **changed) -> Comparison:
    given = {"data": ["toy", "proteins"], "controllers": ["random", "evolution"], "trials": [5, 20], "seeds": 3}
    return nas.compare(table=toy, **(given | changed))


def lines(found: Comparison) -> list[dict]:
    return [json.loads(line) for line in (found.path / FILE).read_text().splitlines()[1:]]


def best(found: Comparison) -> dict:
    return {(x["controller"], x["data"], x["seed"]): (x["trials"], x["best"]) for x in lines(found)}


def test_a_row_is_the_mean_over_seeds_of_what_ordinary_searches_choose(toy):
    found = compare(toy)
    for row in found.rows:
        at, metric, chosen = column(toy, row.data), row.metric, []
        for seed in range(3):
            search = nas.search(row.data, table=toy, controller=row.controller, trials=row.trials, seed=seed)
            chosen.append(search.best.metrics)
        for split in ("valid", "test"):
            values = [metrics[f"{split}_{metric}"] for metrics in chosen]
            mean, regret = getattr(row, split), getattr(row, f"{split}_regret")
            assert (mean.value, mean.spread) == pytest.approx((statistics.fmean(values), statistics.stdev(values)))
            regrets = [at.regret(split, value) for value in values]
            assert (regret.value, regret.spread) == pytest.approx(
                (statistics.fmean(regrets), statistics.stdev(regrets))
            )
    assert len(found.rows) == 2 * 2 * 2


def test_the_tables_are_means_over_data_sets_and_their_errors_over_seeds(toy):
    found = compare(toy)
    titles = ["validation regret", "test regret", "test regret without proteins"]
    assert [table.title for table in found.tables] == [f"normalised {title}" for title in titles]
    data = (("toy", "proteins"), ("toy", "proteins"), ("toy",))
    for table, of, name in zip(found.tables, data, ("valid_regret", "test_regret", "test_regret"), strict=True):
        for label, means in table.rows.items():
            for budget, mean in zip(found.budgets, means, strict=True):
                rows = [r for r in found.rows if (r.controller, r.trials) == (label, budget) and r.data in of]
                parts = [getattr(row, name) for row in rows]
                assert mean.value == pytest.approx(statistics.fmean(part.value for part in parts))
                error = sum(part.spread**2 / 3 for part in parts) ** 0.5 / len(parts)
                assert mean.spread == pytest.approx(error)
    decisive = [means[-1].value for means in found.table.rows.values()]
    assert decisive == sorted(decisive)
    assert all(list(table.rows) == list(found.table.rows) for table in found.tables)
    assert all(len(curve) == 20 for table in found.tables for curve in table.curves.values())
    for label, curve in found.table.curves.items():
        values = [mean.value for mean in curve]
        assert values == sorted(values, reverse=True)
        assert [curve[4], curve[19]] == found.table.rows[label]


def test_more_of_everything_adds_to_what_is_there(toy):
    heard = []
    first = compare(toy, name="grown", data="toy", controllers=["random"], trials=5, seeds=2, told=heard.append)
    grown = compare(toy, name="grown", trials=[5, 10], told=heard.append)
    assert best(grown) == best(compare(toy, name="whole", trials=[5, 10]))
    assert len(heard) == 2 + 12  # the two shorter searches were too short
    heard.clear()
    again = compare(toy, name="grown", trials=[5, 10], told=heard.append)
    smaller = compare(toy, name="grown", data="toy", controllers=["random"], trials=5, seeds=2, told=heard.append)
    assert not heard
    assert again.rows == grown.rows
    assert smaller.rows == first.rows


def test_two_processes_find_what_one_does(toy):
    alone, together = compare(toy, name="alone"), compare(toy, name="together", workers=2)
    assert best(alone) == best(together)
    assert alone.rows == together.rows
    assert alone.tables == together.tables


def test_an_interrupted_comparison_goes_on(toy):
    count = 0

    def stop(found) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(toy, name="cut", told=stop)
    root = Path(compare(toy, name="whole").path).parent
    assert len((root / "cut" / FILE).read_text().splitlines()) == 6
    with (root / "cut" / FILE).open("a") as file:
        file.write('{"controller": "random", "da')  # by a killed process
    count = -1000
    cut = compare(toy, name="cut", told=stop)
    assert count == -1000 + 7
    assert cut.rows == compare(toy, name="whole").rows


@pytest.mark.slow
def test_a_killed_comparison_loses_what_was_running_alone(toy, tmp_path):
    command = [sys.executable, "-m", "nas", "compare", "--table", toy, "--data", "toy,proteins", "--name", "killed"]
    command += ["--controllers", "random,evolution", "--trials", "5,20", "--seeds", "30", "--workers", "2"]
    running = subprocess.Popen([*command, "--runs", str(tmp_path / "runs")], stderr=subprocess.DEVNULL)
    file = tmp_path / "runs" / "killed" / FILE
    try:
        while running.poll() is None and not (file.is_file() and file.read_bytes().count(b"\n") > 3):
            time.sleep(0.02)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert running.returncode == -signal.SIGKILL, "it was finished too soon to be killed"
    known = {(x["controller"], x["data"], x["seed"]) for x in map(json.loads, file.read_text().splitlines()[1:-1])}
    heard = []
    found = compare(toy, name="killed", seeds=30, told=heard.append)
    assert not known & {search.key for search in heard}
    assert found.rows == compare(toy, name="whole", seeds=30).rows


def test_random_search_is_always_there(toy):
    found = compare(toy, controllers="evolution:population=5:sample=2", seeds=1)
    assert set(found.table.rows) == {"evolution:population=5:sample=2", "random"}
    assert found.notes == ("random search is compared too: what does not beat it shows nothing",)
    assert found.table.rows["random"][0].spread != found.table.rows["random"][0].spread  # of one seed
    assert not compare(toy, seeds=1).notes


def test_options_make_another_controller(toy):
    found = compare(toy, controllers=["evolution", "evolution:population=4:sample=2", "random"], trials=40)
    assert len({tuple(mean.value for mean in means) for means in found.table.rows.values()}) == 3


def test_the_rows_are_written_and_framed(toy):
    found = compare(toy)
    written = list(csv.DictReader((found.path / "comparison.csv").read_text().splitlines()))
    assert len(written) == len(found.rows) == len(found.frame)
    assert list(found.frame.columns) == list(written[0])
    assert float(written[0]["valid_regret"]) == pytest.approx(found.rows[0].valid_regret.value, rel=1e-5)
    assert all(seconds > 0 for seconds in found.seconds.values())


def test_a_search_that_exhausts_its_space_is_finished(toy, monkeypatch):
    from nas.controllers.random_search import RandomSearch

    ask = RandomSearch.ask
    monkeypatch.setattr(RandomSearch, "ask", lambda self, n: [] if self.asked > 8 else ask(self, n))
    heard = []
    found = compare(toy, data="toy", controllers="random", told=heard.append)
    assert all(search.exhausted and search.trials < 20 for search in heard)
    assert compare(toy, data="toy", controllers="random", told=heard.append).rows == found.rows
    assert len(heard) == 3
    at = {row.trials: row for row in found.rows}
    assert at[20].valid.value >= at[5].valid.value


# with trainings

SMALL = {"data": "digits", "space": "design", "epochs": 2, "device": "cpu", "trials": [2, 3], "seeds": 2}


def test_searches_with_trainings_are_runs_in_the_folder():
    found = nas.compare(controllers=["tpe:startup=2"], **SMALL)
    assert found.name == "digits-design-comparison"
    folders = sorted(path.name for path in found.path.iterdir() if path.is_dir())
    assert [re.sub(r"-[0-9a-f]{6}-", "-#-", name) for name in folders] == [
        "digits-random-0",
        "digits-random-1",
        "digits-tpe-startup-2-#-0",
        "digits-tpe-startup-2-#-1",
    ]
    for row in (row for row in found.rows if row.controller == "random"):
        chosen = [nas.search("digits", space="design", controller="random", trials=row.trials, seed=seed, epochs=2,
                             device="cpu").best.metrics for seed in range(2)]  # fmt: skip
        assert row.valid.value == pytest.approx(statistics.fmean(m["valid_accuracy"] for m in chosen))
        assert row.test.value == pytest.approx(statistics.fmean(m["test_accuracy"] for m in chosen))
        assert row.valid_regret is None
    assert [table.title for table in found.tables] == [
        "best validation accuracy on digits",
        "its test accuracy on digits",
    ]
    run = nas.open_run("digits-random-1", runs=found.path)
    assert (run.plan.settings.seed, len(run.records), run.complete) == (1, 3, True)


def test_trainings_go_on_where_they_were_left(monkeypatch):
    from nas.study.search import Search

    finish, count = Search._finish, 0

    def interrupted(self, key, outcome) -> None:
        nonlocal count
        finish(self, key, outcome)
        count += 1
        if count == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Search, "_finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nas.compare(controllers=["random"], name="cut", **SMALL)
    cut = nas.compare(controllers=["random"], name="cut", **SMALL)
    assert count == 6  # each training once
    whole = nas.compare(controllers=["random"], name="whole", **SMALL)
    assert cut.rows == whole.rows
    longer = nas.compare(controllers=["random"], name="cut", **(SMALL | {"trials": [2, 4]}))
    assert count == 6 + 6 + 2
    assert longer.rows[0] == cut.rows[0]


# bad input


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"controllers": ["evolutoin"]}, "unknown controller 'evolutoin'; did you mean 'evolution'?"),
        (
            {"controllers": ["evolution:population"]},
            "written as NAME:KEY=VALUE:KEY=VALUE; got 'evolution:population'",
        ),
        ({"controllers": ["evolution:size=4"]}, "evolution has no option 'size'"),
        ({"controllers": ["random", "random"]}, "a controller is named twice: random"),
        ({"trials": []}, "trials must be whole numbers, 1 or more, such as 50,100; got []"),
        ({"trials": [5, 0]}, "trials must be whole numbers"),
        ({"seeds": 0}, "seeds must be a whole number, 1 or more; got 0"),
        ({"workers": 1.5}, "workers must be a whole number, 1 or more; got 1.5"),
        ({"data": "digits"}, "has no data set 'digits'; it has cora, toy, proteins"),
        ({"data": [3]}, "data sets are compared by their names"),
        ({"epochs": 3}, "epochs concerns trainings"),
        ({"seed": 3}, "seed is no setting of a comparison"),
        ({"objectives": ["-params"]}, "objectives is no setting of a comparison"),
        ({"name": "a/b"}, "a run's name is made of letters"),
    ],
)
def test_what_cannot_be_compared(toy, changed, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        compare(toy, **changed)


def test_all_data_sets_are_those_of_a_table(toy):
    assert compare(toy, data="all", seeds=1, trials=3).data == ("cora", "toy", "proteins")
    assert compare(toy, data=None, seeds=1, trials=3).data == ("cora", "toy", "proteins")
    with pytest.raises(BadInput, match="all data sets are those of a table; give --table nasbench-graph"):
        nas.compare("all")


def test_other_settings_need_another_name(toy, tmp_path):
    nas.compare(controllers=["random"], name="mine", **SMALL)
    with pytest.raises(BadInput, match="was made with epochs 2 and this command has 3; give the same settings"):
        nas.compare(controllers=["random"], name="mine", **(SMALL | {"epochs": 3}))
    with pytest.raises(BadInput, match="was made with table none of its own and this command has"):
        compare(toy, name="mine")


def test_another_table_of_the_same_name_is_refused(toy, tmp_path):
    import numpy as np

    from nas.evaluation.tables import registry
    from tests.nas.evaluation.tables.toy import arrays, write

    file = write(tmp_path / "own.npz")
    compare(str(file), seeds=1, name="own")
    changed = arrays()
    np.savez(file, **(changed | {"valid": changed["valid"] * np.float32(0.5)}))
    registry._opened.cache_clear()
    with pytest.raises(BadInput, match="holds searches on another data set toy, or another split or metric"):
        compare(str(file), seeds=1, name="own")


def test_a_damaged_file_says_so(toy):
    found = compare(toy, seeds=1)
    file = found.path / FILE
    text = file.read_text()
    for broken in (text.replace('"best":', '"bset":', 1), "no json\n", "[1]\n"):
        file.write_text(broken)
        with pytest.raises(RunError, match=r"is damaged \(.*\); delete it to begin anew"):
            compare(toy, seeds=1)


def test_a_controller_that_stumbles_is_named(toy, monkeypatch):
    from nas.controllers.evolution import Evolution

    def ask(self, n):
        raise ZeroDivisionError("no parents")

    monkeypatch.setattr(Evolution, "ask", ask)
    with pytest.raises(
        RunError, match="search with evolution on toy from seed 0 failed: ZeroDivisionError: no parents"
    ):
        compare(toy)


def test_options_are_json_or_text():
    (entry, _), _ = parse(["reinforce:lr=1e-3:guide=softmax:deep=true:name=a=b"])
    assert entry.controller == "reinforce"
    assert entry.options == {"lr": 1e-3, "guide": "softmax", "deep": True, "name": "a=b"}
