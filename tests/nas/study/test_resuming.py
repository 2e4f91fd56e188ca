"""Resumed = uninterrupted, for every controller, through the whole study on disk."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

import nas
from nas.controllers.registry import CONTROLLERS
from nas.evaluation.executors import InProcess
from nas.searchspace.errors import BadInput
from nas.study import search as searching
from tests.combinations import mostly_slow
from tests.controllers.spaces import QUICK, with_formats
from tests.nas.toys import Messy, StopAfter, Toy, graph, search, told

NAMES = CONTROLLERS.names()
SEVERAL = [name for name in NAMES if CONTROLLERS.load(name).multi_objective]
DATA = graph()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """The study draws a network itself after 4 repeats, which a test can wait for."""
    monkeypatch.setattr(searching, "IN_A_ROW", 4)


def run(name: str, controller: str, **more: Any) -> Any:
    given = {"controller": controller, "controller_options": QUICK.get(controller, {}), "seed": 3, "space": Toy} | more
    return search(DATA, name, **given | {"space": with_formats(controller, given["space"])})


@pytest.mark.parametrize("controller", NAMES)
def test_resumed_equals_uninterrupted(controller):
    """Toy leaves room to search; its networks are proposed again all the same."""
    trials, space = 9, with_formats(controller, Toy)
    whole = run("whole", controller, trials=trials)
    assert len(whole.records) == trials
    for stop in (1, 5):
        with pytest.raises(KeyboardInterrupt):
            run(f"part-{stop}", controller, trials=trials, watcher=StopAfter(stop))
        assert len(nas.open_run(f"part-{stop}", data=DATA, space=space).records) == stop
        resumed = nas.resume(f"part-{stop}", data=DATA, space=space)
        assert told(resumed.records) == told(whole.records)


@pytest.mark.parametrize("controller", mostly_slow(NAMES, ["random", "evolution", "bo", "nsga2"]))
def test_resumed_equals_uninterrupted_to_the_end_of_a_space(controller):
    """Messy has networks that cannot be trained or have two descriptions, and ten in all, fewer than the budget."""
    space = with_formats(controller, Messy)
    whole = run("whole", controller, space=Messy, trials=30)
    canonical = [whole.plan.space.canonical(r.trial.architecture) for r in whole.records]
    assert len(set(canonical)) == len(canonical) == 10
    assert any(r.trial.reason == "two is bad" for r in whole.records)
    assert any(str(r.trial.reason).startswith("IndexError") for r in whole.records)
    with pytest.raises(RuntimeError):
        run("part", controller, space=Messy, trials=30, watcher=StopAfter(3, RuntimeError))
    with pytest.raises(KeyboardInterrupt):
        nas.resume("part", data=DATA, space=space, watcher=StopAfter(7))
    assert told(nas.resume("part", data=DATA, space=space).records) == told(whole.records)


@pytest.mark.parametrize("controller", ["random", "evolution", "tpe"])
def test_stopped_in_the_middle_of_a_training(controller, monkeypatch):
    whole = run("whole", controller, trials=8)
    real = InProcess.submit
    calls = iter(range(100))

    def submit(self: InProcess, job: Any) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return real(self, job)

    monkeypatch.setattr(InProcess, "submit", submit)
    with pytest.raises(KeyboardInterrupt):
        run("part", controller, trials=8)
    resumed = nas.resume("part", data=DATA, space=Toy)
    assert told(resumed.records) == told(whole.records)
    assert not list((resumed.path / "weights").glob("*running*"))


@pytest.mark.parametrize("controller", mostly_slow(SEVERAL, ["random", "nsga2", "bo"]))
def test_resumed_equals_uninterrupted_with_two_objectives(controller):
    more = {"trials": 8, "objectives": ("accuracy", "-params")}
    whole = run("whole", controller, **more)
    with pytest.raises(KeyboardInterrupt):
        run("part", controller, watcher=StopAfter(5), **more)
    resumed = nas.resume("part", data=DATA, space=with_formats(controller, Toy))
    assert told(resumed.records) == told(whole.records)


def test_an_optuna_sampler_is_given_again():
    def sampler() -> Any:
        return optuna.samplers.TPESampler(seed=1, n_startup_trials=3, multivariate=False)

    whole = search(DATA, "whole", controller=sampler(), trials=9)
    with pytest.raises(KeyboardInterrupt):
        search(DATA, "part", controller=sampler(), trials=9, watcher=StopAfter(5))
    with pytest.raises(BadInput, match=r"object as its controller \(TPESampler\).*controller=\.\.\."):
        nas.resume("part", data=DATA, space=Toy)
    resumed = nas.resume("part", data=DATA, space=Toy, controller=sampler())
    assert told(resumed.records) == told(whole.records)
    assert {r.origin for r in whole.records} <= {"TPESampler", "random"}
    assert told(nas.open_run("part", data=DATA, space=Toy).records) == told(whole.records)  # which needs no controller


@pytest.mark.parametrize("controller", ["evolution", "cmaes"])
def test_equal_seeds_make_equal_searches(controller):
    first, second, other = (run(f"run-{i}", controller, trials=6, seed=s) for i, s in enumerate((5, 5, 6)))
    assert told(first.records) == told(second.records)
    assert told(first.records) != told(other.records)
    for record in first.records:
        number = record.trial.number
        file = first._folder.weights(number)
        assert file.exists() == second._folder.weights(number).exists()
        assert not file.exists() or file.read_bytes() == second._folder.weights(number).read_bytes()


def test_a_larger_budget_goes_on():
    whole = run("whole", "evolution", trials=8)
    run("part", "evolution", trials=3)
    done = nas.resume("part", data=DATA, space=Toy)
    assert len(done.records) == 3
    assert done.complete
    more = nas.resume("part", data=DATA, space=Toy, trials=8)
    assert told(more.records) == told(whole.records)
    assert nas.open_run("part", data=DATA, space=Toy).plan.settings.trials == 8


def test_what_was_an_object_is_given_again():
    search(DATA, "run", trials=1)
    with pytest.raises(BadInput, match=r"'run' was started from Python with an object as its data \(Data\); .*data="):
        nas.open_run("run")
    with pytest.raises(BadInput, match=r"object as its space \(Toy\).*nas\.resume\('run', space=\.\.\.\)"):
        nas.resume("run", data=DATA)


def test_digits_and_a_built_in_space_resume_by_name():
    given = {"space": "agnn", "controller": "evolution", "trials": 3, "epochs": 2, "seed": 1}
    whole = search("digits", "whole", **given)
    with pytest.raises(KeyboardInterrupt):
        search("digits", "part", watcher=StopAfter(1), **given)
    assert told(nas.resume("part").records) == told(whole.records)
