"""Trials on disk are an ordinary Optuna study."""

from __future__ import annotations

import math
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

import nas
from nas.controllers.base import Trial
from nas.searchspace import Space
from nas.searchspace.errors import BadInput, MissingExtra, RunError
from nas.searchspace.spaces.registry import SPACES, find
from nas.study import storages as stores
from nas.study.objectives import Objective
from nas.study.records import Record, Repeat
from nas.study.store import Store
from tests.nas.toys import Messy, Toy, graph, search, told
from tests.searchspace.declared import DECLARED, NODE

ACCURACY, PARAMS = Objective("accuracy", True), Objective("params", False)
HEADER = {"knobs": "k", "space": "s", "task": "t", "objectives": ["accuracy", "-params"]}
TOY = Space(Toy)
FIRST = Toy(conv="gcn", hidden=2, dropout=0.0)
RECORDS = [
    Record(Trial(0, FIRST, (0.5, -100.0), {"valid_accuracy": 0.5, "params": 100.0}, 1.5), 2.0, "tpe"),
    Record(Trial(1, Toy(conv="fc", hidden=4, dropout=0.3), None, {}, 0.5, "out of memory"), 3.0, "random", seed=7),
    Record(
        Trial(2, Toy(conv="sage", hidden=8, dropout=0.3), (0.75, -50.0), {"test_roc-auc": math.inf}, 1.0), 4.5, "tpe",
        (Repeat(FIRST, 0), Repeat(Toy(conv="fc", hidden=4, dropout=0.3), 1)),
    ),
    Record(
        Trial(3, Toy(conv="gcn", hidden=4, dropout=0.3), (0.25, -5.0), {}, 1.0, None, ((1, 0.1), (15, 1 / 3)), 15),
        5.0, "tpe", bracket=2,
    ),
    Record(Trial(4, FIRST, (0.25, -90.0), {"inherited": 0.5}), 5.5, "agnn", evaluator="shared"),
]  # fmt: skip


@pytest.fixture(params=["journal", "sqlite"])
def where(request, tmp_path) -> Path | str:
    return tmp_path / "journal.log" if request.param == "journal" else f"sqlite:///{tmp_path}/trials.db"


def create(where: Any, name: str = "run", objectives: Any = (ACCURACY, PARAMS)) -> Store:
    return Store.create(where, name, HEADER, TOY, objectives)


def reopen(where: Any, **changed: Any) -> Store:
    return Store.open(where, "run", HEADER | changed, TOY, (ACCURACY, PARAMS))


def test_round_trip(where):
    store = create(where)
    assert store.records() == []
    for record in RECORDS:
        store.add(record)
    assert store.records() == RECORDS
    assert reopen(where).records() == RECORDS


def test_optuna_reads_it(where):
    store = create(where)
    for record in RECORDS:
        store.add(record)
    study = optuna.load_study(study_name="run", storage=stores.storage(where))
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["validation accuracy", "params"]
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL", "COMPLETE", "PRUNED", "COMPLETE"]
    assert study.trials[0].values == [0.5, 100.0]  # in their natural sign
    assert study.trials[0].params == {"conv": "gcn", "hidden": 2, "dropout": 0.0}
    assert study.trials[1].user_attrs["reason"] == "out of memory"
    assert [t.duration.total_seconds() for t in study.trials] == [1.5, 0.5, 1.0, 1.0, 0.0]
    assert study.trials[3].intermediate_values == {1: 0.1, 15: 1 / 3}
    assert [t.user_attrs.get("evaluator") for t in study.trials] == [None] * 4 + ["shared"]
    assert study.trials[3].values == [0.25, 5.0]
    assert [t.number for t in study.best_trials] == [2]


@pytest.mark.parametrize("objective", ["accuracy", "-params"])
def test_the_best_of_optuna_is_ours(objective):
    result = search(trials=6, objectives=objective)
    backend = optuna.storages.journal.JournalFileBackend(str(result.path / "journal.log"))
    study = optuna.load_study(study_name="run", storage=optuna.storages.JournalStorage(backend))
    measured = result.best.metrics["valid_accuracy" if objective == "accuracy" else "params"]
    assert study.best_value == measured
    same = [t for t in result.records if t.trial.values == result.best.values]
    assert study.best_trial.params in [result.plan.space.knobs(r.trial.architecture) for r in same]


@pytest.mark.parametrize("name", [*SPACES.names(), *(of.__name__ for of in DECLARED[:-1])])
def test_architectures_of_every_space_come_back(name, tmp_path, where):
    """On SQL too, which refuses a knob whose options change from trial to trial."""
    bare = find(name) if name in SPACES else Space(next(of for of in DECLARED if of.__name__ == name))
    space = bare.for_task(NODE)
    rng = random.Random(0)
    store = Store.create(where, "run", HEADER, space, (ACCURACY,))
    records = [Record(Trial(i, space.sample(rng), (float(i),), {}, 0.0), 0.0, "random") for i in range(6)]
    for record in records:
        store.add(record)
    assert Store.open(where, "run", HEADER, space, (ACCURACY,)).records() == records


def test_a_study_of_that_name_is_not_touched(where):
    store = create(where)
    store.add(RECORDS[0])
    with pytest.raises(RunError, match=r"has a study 'run' already; choose another --name"):
        create(where)
    assert reopen(where).records() == RECORDS[:1]
    create(where, "other")
    foreign = optuna.create_study(storage=stores.storage(where), study_name="foreign", direction="minimize")
    assert foreign.user_attrs == {}
    with pytest.raises(RunError, match="has a study 'foreign' already"):
        create(where, "foreign")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("knobs", "a search space with other knobs"),
        ("space", "a search space that writes other networks"),
        ("task", "another data set, split or metric"),
        ("objectives", "other objectives"),
    ],
)
def test_a_store_of_something_else(where, key, words):
    create(where)
    with pytest.raises(RunError, match=rf"the store of 'run' belongs to {words} than the one given now.*--name"):
        reopen(where, **{key: "something else"})


def test_a_study_that_is_not_ours(where):
    optuna.create_study(storage=stores.storage(where), study_name="run", direction="maximize").add_trial(
        optuna.trial.create_trial(value=1.0)
    )
    with pytest.raises(RunError, match=r"the study 'run' in .* was not written by nas"):
        reopen(where)


def test_a_trial_of_something_else(where):
    store = create(where)
    store.study.add_trial(optuna.trial.create_trial(values=[1.0, 2.0]))
    with pytest.raises(RunError, match="trial 0 of the store is not one of this space: 'architecture'"):
        store.records()


def test_nothing_there(tmp_path):
    with pytest.raises(RunError, match=r"there is no store at .*incomplete"):
        reopen(tmp_path / "journal.log")
    (tmp_path / "journal.log").touch()
    with pytest.raises(RunError, match="there is no study 'run' in"):
        reopen(tmp_path / "journal.log")


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("postgresql+psycopg", r"pip install 'gnn-nas\[postgresql\]'"),
        ("mysql+pymysql", r"pip install 'gnn-nas\[mysql\]'"),
        ("mysql", r"pip install 'gnn-nas\[mysql\]'"),
        ("mssql+pyodbc", "pip install the driver for mssql"),
    ],
)
def test_a_driver_that_is_not_installed(driver, line, monkeypatch):
    monkeypatch.setitem(sys.modules, {"mysql": "pymysql"}.get(driver, driver.split("+")[-1]), None)
    url = f"{driver}://me:secret@localhost/db"
    with pytest.raises(MissingExtra, match=line) as raised:
        stores.storage(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["nonsense", "foo://me:secret@localhost/db", "sqlite:////no/such/folder/a.db"])
def test_a_storage_that_cannot_be_opened(url, tmp_path):
    with pytest.raises(BadInput, match=r"the storage '.*' cannot be opened") as raised:
        search(storage=url)
    assert "secret" not in str(raised.value)
    assert not (tmp_path / "runs" / "run").exists()  # the name is free for another try


def test_sql_storage_through_a_search(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    first = search(trials=3, storage=url, controller="evolution")
    assert told(nas.resume("run", data=graph(), space=Toy, trials=5).records)[:3] == told(first.records)
    assert not first._folder.journal.exists()
    assert told(search(name="journal", trials=3, controller="evolution").records) == told(first.records)
    with pytest.raises(
        RunError, match=r"belongs to another choice of settings .*'evolution'.*'random'.*another --name"
    ):
        search(trials=3, storage=url, runs=tmp_path / "others")
    assert not (tmp_path / "others" / "run").exists()


def test_another_space_task_or_objective_through_the_api(tmp_path):
    search(trials=1, objectives=["accuracy"])
    with pytest.raises(RunError, match="belongs to a search space with other knobs"):
        nas.resume("run", data=graph(), space=Messy)
    with pytest.raises(RunError, match="belongs to another data set, split or metric"):
        nas.resume("run", data=graph(seed=1), space=Toy)
    settings = tmp_path / "runs" / "run" / "search.toml"
    settings.write_text(settings.read_text().replace('"accuracy"', '"-params"'))
    with pytest.raises(RunError, match="belongs to other objectives"):
        nas.open_run("run", data=graph(), space=Toy)


def test_a_learning_curve_costs_little_room(tmp_path):
    store = create(tmp_path / "journal.log")
    store.add(RECORDS[0])
    before = (tmp_path / "journal.log").stat().st_size
    curve = tuple((5 * i, 1 / i) for i in range(1, 41))
    store.add(Record(replace(RECORDS[0].trial, number=1, curve=curve), 2.0, "tpe"))
    lines = (tmp_path / "journal.log").read_bytes().splitlines(keepends=True)
    assert len(lines[-1]) < 40 * 32 + len(lines[-2])
    assert sum(map(len, lines)) == before + len(lines[-1])
    assert store.records()[1].trial.curve == curve


def test_every_trial_is_one_line():
    """One synced write for each trial; more would cost tens of milliseconds on a disk."""
    result = search(trials=4)
    lines = result._folder.journal.read_text().splitlines()
    assert sum('"op_code":4,' in line for line in lines) == 4
    assert len(lines) == 4 + 3
