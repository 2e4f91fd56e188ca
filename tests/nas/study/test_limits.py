"""Limits of what a network costs: what is beyond them is not trained and takes no place in the budget."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.searchspace.errors import BadInput, RunError
from nas.settings import Settings
from nas.study import search as searching
from nas.study.records import REFUSED
from nas.study.search import Silent
from tests.controllers.spaces import QUICK
from tests.nas.toys import Messy, StopAfter, Toy, graph, search, told

DATA = graph()
LIMIT = 50
"""The networks of Toy have 22 to 114 parameters; two thirds have more."""
CONTROLLERS = ("random", "evolution", "agnn")
TABLE = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, note: str) -> None:
        self.notes.append(note)


def run(name: str, controller: str, **more: Any) -> Any:
    given = {"controller": controller, "controller_options": QUICK.get(controller, {}), "max_params": LIMIT, "seed": 3}
    return search(DATA, name, **(given | more))


def refused(result: Any) -> list[Any]:
    return [repeat.architecture for record in result.records for repeat in record.repeats if repeat.of == REFUSED]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_what_has_too_many_parameters_is_not_trained_and_takes_no_place(controller):
    found = run("run", controller, trials=5, watcher=(watcher := Notes()))
    assert len(found.records) == 5
    assert all(r.trial.metrics["params"] <= LIMIT for r in found.records)
    beyond = refused(found)
    assert beyond
    costs = found.plan.costs(["params"])
    assert all(costs(a)["params"] > LIMIT for a in beyond)
    assert f"{len(beyond)} proposals were not trained: they do not have at most 50 params" in watcher.notes


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_resumed_equals_uninterrupted(controller):
    whole = run("whole", controller, trials=6)
    assert refused(whole)
    for stop in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            run(f"part-{stop}", controller, trials=6, watcher=StopAfter(stop))
        resumed = nas.resume(f"part-{stop}", data=DATA, space=Toy)
        assert told(resumed.records) == told(whole.records)
        assert refused(resumed) == refused(whole)


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_a_space_is_searched_to_its_end_within_the_limits(controller, monkeypatch):
    """Messy has networks that cannot be made, which are beyond every limit."""
    monkeypatch.setattr(searching, "LIMITED", 30)
    found = run("run", controller, space=Messy, trials=30, max_params=1e9)
    made = {found.plan.space.canonical(r.trial.architecture) for r in found.records}
    assert len(made) == len(found.records) == 6
    assert all(r.trial.values is not None for r in found.records)


def test_latency_is_limited_too():
    assert len(run("run", "random", trials=3, max_params=None, max_latency=60.0).records) == 3


@pytest.mark.parametrize(("limit", "said"), [({"max_params": 3}, "3 params"), ({"max_latency": 1e-9}, "1e-09 latency")])
def test_a_limit_that_no_network_keeps_ends_the_search(limit, said, monkeypatch):
    monkeypatch.setattr(searching, "LIMITED", 5)
    message = f"no network with at most {said} was found in the space Toy; raise the limit"
    with pytest.raises(RunError, match=message):
        search(DATA, "run", trials=3, **limit)


def test_what_was_refused_is_no_part_of_the_result():
    found = run("run", "random", trials=4)
    again = nas.open_run("run", data=DATA, space=Toy)
    assert told(again.records) == told(found.records)
    assert again.plan.settings.max_params == LIMIT
    assert again.best.metrics["params"] <= LIMIT
    assert again.report().is_file()


@pytest.mark.skipif(not TABLE.is_file(), reason="the table NAS-Bench-Graph is not in NAS_DATA")
def test_a_table_knows_the_costs():
    given = {"table": "nasbench-graph", "controller": "random", "trials": 20, "device": "auto"}
    whole = nas.search("cora", name="whole", max_params=900_000, max_latency=0.003, **given)
    assert len(whole.records) == 20
    assert all(r.trial.metrics["params"] <= 900_000 and r.trial.metrics["latency"] <= 0.003 for r in whole.records)
    assert refused(whole)
    with pytest.raises(KeyboardInterrupt):
        nas.search("cora", name="part", max_params=900_000, max_latency=0.003, watcher=StopAfter(7), **given)
    assert told(nas.resume("part").records) == told(whole.records)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_params": 0}, "max_params must be above 0; got 0"),
        ({"max_params": "many"}, "max_params must be a number; got 'many'"),
        ({"max_latency": -1.0}, "max_latency must be above 0; got -1.0"),
        ({"max_latency": float("nan")}, "max_latency must be above 0; got nan"),
        ({"max_latency": True}, "max_latency must be a number; got True"),
        ({"max_param": 3}, "unknown setting 'max_param'; did you mean 'max_params'"),
    ],
)
def test_bad_limits_are_named(limits, message):
    with pytest.raises(BadInput, match=message):
        Settings.of(limits)
