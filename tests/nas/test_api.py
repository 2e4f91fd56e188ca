"""Searching from Python: names or objects, and what cannot be used is said before any work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from torch_geometric.data import Data

import nas
from nas.controllers.evolution import Evolution
from nas.searchspace import Space
from nas.searchspace.errors import BadInput
from tests.nas.toys import Toy, graph, graphs, search, told


def test_a_graph_a_class_and_a_name():
    result = nas.search(graph(), space=Toy, controller="random", trials=3, device="cpu")
    assert result.name == "data-Toy-random-1"
    assert len(result.records) == 3
    assert result.plan.space.of is Toy
    again = nas.search(graph(), space=Toy, controller="random", trials=3, device="cpu")
    assert again.name == "data-Toy-random-2"
    assert told(again.records) == told(result.records)


def test_names_alone():
    result = nas.search("digits", space="nasbench-graph", controller="random", trials=1, epochs=2, device="cpu")
    assert result.name == "digits-nasbench-graph-random-1"
    assert nas.open_run(result.name).records == result.records
    assert result.records[0].trial.metrics["epochs"] == 2


@pytest.mark.parametrize(
    ("controller", "label"),
    [(optuna.samplers.RandomSampler(seed=1), "RandomSampler"), (Evolution, "Evolution"), ("evolution", "evolution")],
)
def test_controllers_of_every_kind(controller: Any, label: str):
    result = search(controller=controller, trials=3)
    assert result.plan.settings.controller == label
    assert {r.origin for r in result.records} <= {label, "random"}


def test_spaces_of_every_kind(tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text("from tests.nas.toys import Toy\n")
    expected = told(search(name="class", trials=2).records)
    for number, space in enumerate((Space(Toy), f"{file}:Toy")):
        assert told(search(name=f"run-{number}", space=space, trials=2).records) == expected
    assert told(nas.resume("run-1", data=graph()).records) == expected  # a file is found again


def test_graphs_get_a_readout():
    result = search(graphs(), trials=2)
    assert result.plan.task.level == "graph"
    assert all(hasattr(r.trial.architecture, "readout") for r in result.records)
    assert all(r.trial.values is not None for r in result.records)


def test_objectives_as_one_word():
    assert search(trials=1, objectives="-params").best.values == search(
        name="other", trials=1, objectives=["-params"]
    ).best.values  # fmt: skip


def test_seconds_alone():
    result = search(trials=None, seconds=1e-6)
    assert result.records == []
    assert nas.open_run("run", data=graph(), space=Toy).plan.settings.trials is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": "coar"}, "unknown data set 'coar'; did you mean 'cora'"),
        ({"data": 5}, "data must be the name of a data set, a torch_geometric Data"),
        ({"space": "agn"}, "unknown search space 'agn'; did you mean 'agnn'"),
        ({"space": int}, "a space is made of a class decorated with @architecture; got <class 'int'>"),
        ({"controller": "evolutoin"}, "unknown controller 'evolutoin'; did you mean 'evolution'"),
        ({"controller": 5}, "a controller is a name, a class or function .*; got 5"),
        ({"controller": optuna.samplers.TPESampler}, r"pass an object of it, such as TPESampler\(seed=0\)"),
        ({"controller_options": {"populaton": 5}}, "the controller random has no option 'populaton'"),
        ({"metric": "acuracy"}, "unknown metric 'acuracy'; did you mean 'accuracy'"),
        ({"metric": "rmse"}, "metric 'rmse' does not fit a multiclass target"),
        ({"split": "publik"}, "unknown split 'publik'; did you mean 'public'"),
        ({"objectives": ["parms"]}, "unknown objective 'parms'; did you mean 'params'"),
        ({"trials": 0}, "trials must be at least 1; got 0"),
        ({"seconds": -1}, "seconds must be above 0"),
        ({"epoch": 5}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"device": "gpu"}, "there is no device 'gpu'"),
        ({"name": "../x"}, "a run's name is made of letters"),
    ],
)
def test_bad_input_is_refused_before_a_folder_is_made(given, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        search(**{"data": graph(), **given})
    assert not (tmp_path / "runs").exists()


def test_a_run_that_exists_is_left_alone():
    before = told(search(trials=2).records)
    with pytest.raises(BadInput, match="there is a run 'run' already in"):
        search(trials=3)
    assert told(nas.open_run("run", data=graph(), space=Toy).records) == before


@pytest.mark.parametrize("attempt", [nas.resume, nas.open_run])
def test_an_unknown_run(attempt):
    search(trials=1, name="known")
    with pytest.raises(BadInput, match=r"there is no run 'unknown' in .*; runs: known"):
        attempt("unknown")


def test_the_seed_of_the_split_is_its_own():
    first, second = (search(name=f"run-{s}", trials=2, split_seed=s) for s in (0, 1))
    assert [r.trial.architecture for r in first.records] == [r.trial.architecture for r in second.records]
    assert first.plan.task.identity != second.plan.task.identity


def test_a_watcher_hears_of_everything():
    heard: list[Any] = []

    class Watcher:
        def started(self, records: Any) -> None:
            heard.append(list(records))

        def recorded(self, record: Any) -> None:
            heard.append(record)

    result = search(trials=3, watcher=Watcher())
    assert heard == [[], *result.records]
    resumed = nas.resume("run", data=graph(), space=Toy, trials=4, watcher=Watcher())
    assert heard[4:] == [result.records, resumed.records[-1]]


def test_a_data_object_is_not_changed():
    data = graph()
    before = data.clone()
    search(data, trials=2)
    assert isinstance(data, Data)
    assert data.keys() == before.keys()
    for key in data.keys():  # noqa: SIM118
        assert (data[key] == before[key]).all()


@pytest.mark.skipif(sys.platform != "linux", reason="GNU OpenMP is torch's on Linux alone")
@pytest.mark.parametrize(
    ("asked", "heard"), [({}, nas.SPINS), ({"GOMP_SPINCOUNT": "7"}, 7), ({"OMP_WAIT_POLICY": "passive"}, 0)]
)
def test_threads_spin_as_long_as_asked_and_else_not_for_long(asked: dict[str, str], heard: int):
    rest = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", "import nas, torch"],
        env=rest | asked | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{heard}'" in done.stderr
