"""Searches that stop the trainings that are behind."""

from __future__ import annotations

from typing import Any

import pytest

import nas
from nas.controllers.base import Trial
from nas.controllers.random_search import RandomSearch
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study import fidelity as fidelities
from nas.study.fidelity import bracket, check, ladder, rungs
from nas.study.objectives import parse
from nas.study.records import stopped
from tests.nas.toys import StopAfter, Toy, Wide, graph, search, told

DATA = graph()


@pytest.fixture
def soon(monkeypatch):
    """The first rung comes where the trainings of a test, of 45 epochs, have two."""
    monkeypatch.setattr(fidelities, "FIRST", 5)


@pytest.mark.parametrize(
    ("objectives", "more", "message"),
    [
        (["accuracy", "macro-f1"], {}, "ranks trainings by one metric and got accuracy, macro-f1; use fidelity full"),
        (
            ["accuracy", "-latency"],
            {},
            "after it, params, bytes, buffer; got -latency; use fidelity full, or one of these",
        ),
        (
            ["accuracy", "seconds"],
            {},
            "after it, params, bytes, buffer; got -seconds; use fidelity full, or one of these",
        ),
        (
            ["-bytes", "-params"],
            {},
            "whose metric is behind, and -bytes, -params are costs; use fidelity full, or a metr",
        ),
        (["params"], {}, "the only objective is the cost -params; use fidelity full, or a metric"),
        (["-accuracy"], {}, "stops trainings with a bad accuracy, and -accuracy asks for it; use fidelity full"),
        (
            [],
            {"epochs": 44},
            "at epoch 15 first and needs 45 epochs or more; got 44; use fidelity full, or",
        ),
    ],
)
@pytest.mark.parametrize("fidelity", ["halving", "hyperband"])
def test_refused_before_any_work(objectives, more, message, fidelity, tmp_path):
    with pytest.raises(BadInput, match=f"fidelity {fidelity} .*{message}"):
        search(DATA, fidelity=fidelity, objectives=objectives, **more)
    assert not (tmp_path / "runs").exists()
    check(Settings(), parse(objectives, "accuracy"))


@pytest.mark.parametrize("objectives", [["mae"], ["-mae"], ["accuracy"], ["macro-f1"], []])
def test_a_metric_in_its_own_direction_is_welcome(objectives):
    check(Settings(fidelity="hyperband", epochs=45), parse(objectives, "rmse"))


def run(name: str, fidelity: str = "halving", **more: Any) -> Any:
    given = {"space": Wide, "trials": 12, "epochs": 45, "fidelity": fidelity, "seed": 2}
    return search(DATA, name, **(given | more))


def whole(result: Any) -> list[Any]:
    """Everything of the trials that must not depend on the clock."""
    more = [(r.trial.curve, r.trial.stopped, r.bracket) for r in result.records]
    return [*zip(told(result.records), more, strict=True)]


@pytest.mark.parametrize("fidelity", ["halving", "hyperband"])
def test_trainings_are_stopped(soon, fidelity):
    result, full = run("part", fidelity), run("whole", "full")
    early = stopped(result.records)
    assert early
    assert not stopped(full.records)
    assert result.best.stopped is None
    for record, other in zip(result.records, full.records, strict=True):
        trial = record.trial
        assert trial.architecture == other.trial.architecture  # drawn at random, whatever came before
        assert trial.values == (trial.metrics["valid_accuracy"],) == (max(v for _, v in trial.curve),)
        assert trial.metrics["epochs"] == trial.curve[-1][0]
        assert trial.stopped in (None, *ladder(45))
        assert trial.stopped in (None, trial.curve[-1][0])
        if trial.stopped is not None:
            limits = {
                r.epoch: r.least for r in rungs(fidelity, record.bracket, 45, result.records[: trial.number], True)
            }
            assert trial.values[0] < limits[trial.stopped]
            assert trial.values[0] <= other.trial.values[0]
            assert not result._folder.weights(trial.number).exists()
        else:
            assert trial.values == other.trial.values
    assert {r.bracket for r in result.records} == ({0} if fidelity == "halving" else {0, 1, 2})
    assert [r.bracket for r in result.records] == [bracket(fidelity, i, 45) for i in range(12)]


def test_of_an_error_the_small_ones_go_on(soon):
    data = graph()
    data.y = data.x[:, :1].sin()
    result = search(data, space=Wide, trials=12, epochs=45, fidelity="halving", seed=2, metric="mae")
    early = stopped(result.records)
    assert early
    assert result.best.stopped is None
    for record in early:
        past = rungs("halving", 0, 45, result.records[: record.trial.number], False)
        assert record.trial.metrics["valid_mae"] > {r.epoch: r.least for r in past}[record.trial.stopped]


@pytest.mark.parametrize("objectives", [["accuracy", "-params"], ["-bytes", "accuracy", "-buffer"]])
def test_with_costs_only_those_that_cost_no_more_are_compared(soon, objectives):
    result, free = run("costs", objectives=objectives), run("free")
    early = stopped(result.records)
    assert early
    assert len(early) < len(stopped(free.records))
    assert not {r.number for r in result.pareto} & {r.trial.number for r in early}
    at = objectives.index("accuracy")
    for record in early:
        trial, before = record.trial, result.records[: record.trial.number]
        rivals = [
            r
            for r in before
            if all(a >= b for i, (a, b) in enumerate(zip(r.trial.values, trial.values, strict=True)) if i != at)
        ]
        limits = {r.epoch: r.least for r in rungs("halving", 0, 45, rivals, True)}
        assert trial.values[at] < limits[trial.stopped]
        assert any(r.trial.values[at] > trial.values[at] for r in rivals)  # so another one dominates it


@pytest.mark.each_once
@pytest.mark.parametrize("fidelity", ["halving", "hyperband"])
@pytest.mark.parametrize("controller", ["random", "evolution", "tpe"])
def test_resumed_equals_uninterrupted(soon, controller, fidelity):
    more = {"controller": controller, "fidelity": fidelity}
    uninterrupted = run("whole", **more)
    assert stopped(uninterrupted.records)
    for stop in (4, 9):
        with pytest.raises(KeyboardInterrupt):
            run(f"part-{stop}", watcher=StopAfter(stop), **more)
        assert whole(nas.resume(f"part-{stop}", data=DATA, space=Wide)) == whole(uninterrupted)
    assert whole(nas.open_run("whole", data=DATA, space=Wide)) == whole(uninterrupted)


def test_the_controller_hears_what_a_stopped_trial_reached(soon):
    heard: list[Trial] = []

    class Listens(RandomSearch):
        def tell(self, trials: Any) -> None:
            heard.extend(trials)
            super().tell(trials)

    result = run("run", controller=Listens)
    assert [t.values for t in heard] == [r.trial.values for r in result.records]
    assert any(t.stopped is not None and t.values is not None for t in heard)


def test_looks_at_validation_as_often_as_said(soon):
    result = search(DATA, trials=2, epochs=10, validate_every=4)
    assert [[at for at, _ in r.trial.curve] for r in result.records] == [[4, 8, 10]] * 2
    rarely = search(DATA, "rarely", trials=1, epochs=20, validate_every=18, fidelity="halving")
    assert [at for at, _ in rarely.records[0].trial.curve] == [5, 18, 20]


def test_a_stopped_trial_is_trained_in_full_for_its_weights(soon):
    result = run("run", keep=20)
    trial = stopped(result.records)[0].trial
    kept = {int(file.stem) for file in (result.path / "weights").glob("*.safetensors")}
    assert kept == {r.trial.number for r in result.records if r.trial.stopped is None}
    result.module(trial.number)
    assert result._folder.weights(trial.number).exists()


def test_repeats_of_a_stopped_network_are_answered_from_memory(soon):
    result = search(DATA, space=Toy, controller="evolution", trials=20, epochs=45, fidelity="halving")
    early = {r.trial.number for r in stopped(result.records)}
    assert early & {repeat.of for r in result.records for repeat in r.repeats}
