"""The ordinary study on a table: look-ups, resuming, the simulated clock, and what cannot be done without a network."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.evaluation.tables.base import FORWARD_PASSES
from nas.evaluation.tables.registry import column, find
from nas.result import Result
from nas.searchspace.errors import BadInput
from nas.training import train_seeds
from tests.nas.evaluation.tables.toy import OPS, arrays


def search(toy: str, **settings) -> Result:
    given = {"data": "toy", "controller": "evolution", "trials": 30}
    return nas.search(table=toy, **(given | settings))


def told(result: Result) -> list[tuple]:
    return [(r.trial.architecture, r.trial.values, r.origin, r.evaluator, r.repeats) for r in result.records]


def test_the_numbers_of_a_trial_are_those_of_its_row(toy):
    result, there = search(toy, objectives=("accuracy", "-params"), controller="nsga2"), arrays()
    assert result.plan.space.name == "nasbench-graph"
    for record in result.records:
        nodes = record.trial.architecture.nodes
        row = there["raw_to_row"][(*(n.input for n in nodes[1:]), *(OPS.index(n.op) for n in nodes))]
        valid, test, latency, params = (float(there[k][row, 1]) for k in ("valid", "test", "latency", "params"))
        assert record.trial.metrics["valid_accuracy"] == valid
        assert record.trial.metrics["test_accuracy"] == test
        assert record.trial.metrics["latency"] == latency
        assert record.trial.metrics["params"] == round(1e6 * params)
        assert record.trial.values == (valid, -round(1e6 * params))
        assert record.from_scratch
        assert record.evaluator == "table"
    assert result.complete
    assert len(result.records) == 30


def test_resumed_is_uninterrupted_and_equal_seeds_are_equal_searches(toy):
    whole = search(toy)
    first = search(toy, trials=11, name="cut")
    resumed = nas.resume("cut", trials=30)
    assert told(whole) == told(resumed) == told(search(toy))
    assert told(first) == told(whole)[:11]
    assert told(nas.open_run("cut")) == told(whole)
    assert told(search(toy, seed=1)) != told(whole)


def test_whoever_looks_at_it_loads_nothing_that_trains(toy):
    search(toy, trials=7, name="looked-at", objectives=("accuracy", "-params"), controller="random")
    commands = [["show", "looked-at"], ["show", "looked-at", "--json"], ["report", "looked-at"]]
    code = f"import sys; from nas.cli.main import run; print(*map(run, {commands}), file=sys.stderr)"
    heavy = {"torch", "torch_geometric", "jax", "sklearn", "scipy", "pandas", "matplotlib", "ray"}
    code += f"; print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-2:] == ["0 0 0", "[]"], done.stderr


def test_no_file_is_written_but_the_journal_and_the_settings(toy):
    result = search(toy)
    assert {f.name for f in result.path.iterdir()} == {"journal.log", "search.toml", ".lock"}


def test_simulated_seconds_are_those_of_the_trainings(toy):
    result = search(toy, data="proteins", simulated=True)
    assert result.plan.space.name == "nasbench-graph-proteins"
    assert {n.op for r in result.records for n in r.trial.architecture.nodes} <= {"gcn", "sage", "arma", "fc", "skip"}
    passed = 0.0
    for record in result.records:
        took = FORWARD_PASSES * 500 * record.trial.metrics["latency"]  # epochs of a training on proteins
        passed += took
        assert record.trial.seconds == record.trial.metrics["seconds"] == pytest.approx(took)
        assert record.elapsed == pytest.approx(passed)


def test_a_budget_of_simulated_seconds_goes_on_where_it_was(toy):
    begin = time.monotonic()
    whole = search(toy, trials=None, seconds=200.0, simulated=True)
    assert time.monotonic() - begin < 200 < whole.records[-1].elapsed
    assert whole.records[-2].elapsed < 200
    search(toy, trials=None, seconds=90.0, simulated=True, name="cut")
    assert told(nas.resume("cut", seconds=200.0)) == told(whole)


def test_a_network_without_numbers_fails_with_the_reason(toy, monkeypatch):
    from nas.evaluation.tables.nasbench_graph import Arrays

    monkeypatch.setattr(Arrays, "_row", lambda self, architecture: -1 if architecture.nodes[0].op == "gat" else 0)
    reasons = {r.trial.architecture.nodes[0].op: r.trial.reason for r in search(toy).records}
    assert reasons["gat"] == "the table nasbench-graph has no numbers of this network"
    assert set(reasons.values()) == {reasons["gat"], None}


def test_regret_is_zero_at_the_best_and_one_at_the_median(toy):
    for data in ("toy", "proteins"):
        found = column(toy, data)
        for split in ("valid", "test"):
            values = found.numbers[f"{split}_{found.task.metric}"]
            assert found.regret(split, np.nanmax(values)) == 0
            assert found.regret(split, np.nanmedian(values)) == 1
            assert (found.regret(split, values)[~np.isnan(values)] >= 0).all()


def test_another_file_is_another_task(toy, tmp_path):
    changed = arrays()
    changed["test"] = changed["test"] + np.float32(0.01)
    np.savez(tmp_path / "other.npz", **changed)
    first, other = (column(str(file), "toy").task for file in (toy, tmp_path / "other.npz"))
    assert first == column(toy, "toy").task
    assert first.fingerprint() != other.fingerprint()


def test_there_is_nothing_to_train_or_export(toy, tmp_path):
    said = re.escape("there are no weights, and no graph to train on. Search on the data itself: nas search --data")
    for data, named in {
        "cora": "cora --space nasbench-graph$",
        "toy": r"DATA .*\(toy is not among nas datasets\)",
    }.items():
        result = search(toy, data=data, trials=2)
        for attempt in (
            lambda result=result: result.export(tmp_path / "model"),
            lambda result=result: result.module(),
            lambda result=result: train_seeds(result.plan, result.best.architecture, range(2), tmp_path / "seeds.json"),
        ):
            with pytest.raises(BadInput, match=f"looked up in nasbench-graph: {said} {named}"):
                attempt()
    assert not list(tmp_path.glob("model*"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": "digits"}, "has no data set 'digits'; it has cora, toy, proteins"),
        (
            {"space": "agnn"},
            "holds the networks of the space nasbench-graph on toy; leave out space agnn, or the table",
        ),
        ({"data": "proteins", "space": "nasbench-graph"}, "holds the networks of the space nasbench-graph-proteins"),
        ({"objectives": ("accuracy", "bytes")}, "has no bytes on toy; it has accuracy, params, latency"),
        ({"data": "proteins", "objectives": ("accuracy",)}, "has no accuracy on proteins; it has roc-auc, params"),
        ({"data": object()}, "a table knows data sets by their names"),
        ({"controller_options": {"populatoin": 3}}, "evolution has no option 'populatoin'"),
    ],
)
def test_what_does_not_fit_a_table(toy, settings, message):
    with pytest.raises(BadInput, match=re.escape(message)):
        search(toy, **settings)


@pytest.mark.parametrize("controller", ["lpgnas", "darts"])
def test_there_is_nothing_to_train_a_supernet_on(toy, controller):
    with pytest.raises(BadInput, match=rf"{controller} trains a supernet, and in a table there are no graphs to train"):
        search(toy, controller=controller)


def test_names_of_no_table(tmp_path):
    with pytest.raises(BadInput, match="unknown table 'nasbench'; did you mean 'nasbench-graph'"):
        find("nasbench")
    with pytest.raises(BadInput, match=re.escape(f"there is no table '{tmp_path}/none.npz'")):
        find(str(tmp_path / "none.npz"))
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(BadInput, match="is no table of nasbench-graph"):
        find(str(tmp_path / "text.npz"))
    np.savez(tmp_path / "objects.npz", **(arrays() | {"valid": np.array([print, len], dtype=object)}))
    with pytest.raises(BadInput, match="the array valid holds Python objects, which could run code"):
        find(str(tmp_path / "objects.npz"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"datasets": np.array(["cora"] * 2)}, "there are 2 data sets and 3 columns of numbers"),
        ({"datasets": np.array("cora")}, "datasets must be a list of names"),
        ({"op_names": np.arange(9)}, "op_names must be a list of names"),
        ({"op_names": np.array(["gat"] * 9)}, "its operations are gat, gat, .*; they must be gat, gcn"),
        ({"test": np.ones((494, 2), np.float32)}, "valid, test, latency, params must be numbers of one shape"),
        ({"params": np.ones((494, 3), np.int64)}, "valid, test, latency, params must be numbers of one shape"),
        ({"raw_to_row": np.zeros((2, 3), np.int32)}, "raw_to_row must be a row number for each of the inputs"),
        ({"raw_to_row": np.full((2, 3, 4, 9, 9, 9, 9), 494)}, "raw_to_row names row 494, and there are 494"),
        ({"raw_to_row": None}, "has no array raw_to_row; it has datasets, op_names, valid"),
    ],
)
def test_a_file_with_other_arrays_is_refused_when_it_is_opened(tmp_path, other, message):
    held = {name: array for name, array in (arrays() | other).items() if array is not None}
    np.savez(tmp_path / "other.npz", **held)
    with pytest.raises(BadInput, match=f"other.npz is no table of nasbench-graph: .*{message}"):
        find(str(tmp_path / "other.npz"))


def test_proxies_need_the_data_itself(toy):
    with pytest.raises(BadInput, match="table is a setting of nas search and nas compare"):
        nas.rank("cora", table=toy, n=2)


def test_the_report_says_where_the_numbers_are_from(toy):
    result = search(toy, data="cora", trials=12, simulated=True)
    page = Path(result.report()).read_text(encoding="utf-8")
    assert "Architecture search on cora, looked up in " in page
    assert "Nothing was trained: all numbers are those of the table" in page
    assert "of simulated training" in page
    assert "nas search --data cora --space nasbench-graph" in page
    assert "nas train" not in page
    assert f"nas export {result.name}" not in page
