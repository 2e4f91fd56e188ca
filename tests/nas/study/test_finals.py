"""The end of a search with shared weights: its best are trained from scratch, and stand before all others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nas
from nas.controllers.base import Trial
from nas.controllers.random_search import RandomSearch
from nas.evaluation.evaluate import evaluate
from nas.evaluation.executors import InProcess
from nas.evaluation.job import Job, Outcome
from nas.study.finals import finalists, untrained
from nas.study.records import Record, front, ranked, searched
from nas.training import job as whole_job
from tests.nas.study.deep import DATA, Deep, Notes, kept, resumed, shared
from tests.nas.toys import Toy, numbers, search, told


def test_the_best_are_trained_as_the_evaluator_train_does():
    notes = Notes()
    result = shared(watcher=notes)
    best = finalists(result.records, 3)
    assert notes.totals == [(3, 0)]
    assert best == sorted(searched(result.records), key=lambda r: (-r.trial.values[0], r.trial.number))[:3]
    finals = [r for r in result.records if r.from_scratch]
    assert [r.trial.architecture for r in finals] == [r.trial.architecture for r in best]
    assert [r.trial.number for r in result.records] == list(range(11))
    for record in finals:
        outcome = evaluate(whole_job(result.plan, record.trial.architecture, record.seed), result.plan.task)
        made = {k: v for k, v in record.trial.metrics.items() if k in numbers(outcome)}
        assert made == pytest.approx(numbers(outcome), rel=1e-4)
        assert record.trial.curve == outcome.curve
        assert record.trial.metrics["epochs"] == 3
    alone = search(DATA, "alone", space=Deep, trials=8)
    by = {r.trial.architecture: r.trial for r in alone.records}
    assert [by[r.trial.architecture].values for r in finals] == [r.trial.values for r in finals]


def test_the_result_is_of_those_trained_from_scratch():
    result = shared()
    assert result.complete
    assert result.records[result.best.number].from_scratch
    assert result.best.values[0] == max(r.trial.values[0] for r in result.records if r.from_scratch)
    assert list(result.trials["evaluator"]) == ["shared"] * 8 + ["train"] * 3
    assert kept(result.path, "weights") == {f"{n}.safetensors" for n in (8, 9, 10)}
    first = result.records[8].trial
    twin = next(r.trial for r in result.records if r.trial.architecture == first.architecture)
    assert twin.number < 8
    again = result.module(twin.number).state_dict()  # trained in full
    for name, tensor in result.module(8).state_dict().items():
        assert torch.equal(tensor, again[name])
    assert nas.open_run("run", data=DATA, space=Deep).view().state == "finished"


def test_several_objectives_train_the_front_from_scratch():
    result = shared(objectives=("accuracy", "-params"), keep=1, trials=10)
    chosen = {r.trial.number for r in front(searched(result.records))} | {
        ranked(searched(result.records))[0].trial.number
    }
    trained = [r for r in result.records if r.from_scratch]
    assert {result.records[n].trial.architecture for n in chosen} == {r.trial.architecture for r in trained}
    assert all(trial in [r.trial for r in trained] for trial in result.pareto)


def test_a_larger_budget_searches_on_and_trains_who_is_new_among_the_best():
    result = shared(trials=6)
    more = resumed("run", trials=14)
    assert more.records[:9] == result.records
    uninterrupted = shared("whole", trials=14)
    searches = [
        [(r.trial.architecture, r.trial.values, r.origin) for r in searched(x.records)] for x in (more, uninterrupted)
    ]
    assert searches[0] == searches[1]
    trained = [r.trial.architecture for r in more.records if r.from_scratch]
    assert len(set(trained)) == len(trained)
    assert {r.trial.architecture for r in finalists(more.records, 3)} <= set(trained)
    again = resumed("run")
    assert told(again.records) == told(more.records)
    assert more.complete


def test_a_training_that_fails_in_the_end_is_a_failed_trial(monkeypatch):
    real = InProcess.submit

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        if job.inherits is not None:
            return real(self, job)
        future: Future[Outcome] = Future()
        future.set_result(Outcome(reason="out of memory"))
        return future

    monkeypatch.setattr(InProcess, "submit", submit)
    result = shared()
    assert [r.trial.reason for r in result.records[8:]] == ["out of memory"] * 3
    assert result.complete
    assert result.best in [r.trial for r in result.records[:8]]  # there is nothing better
    assert told(resumed("run").records) == told(result.records)


class Listens(RandomSearch):
    """Remembers what it was told."""

    past: list[Trial]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.__dict__.setdefault("past", []).extend(trials)
        super().tell(trials)


def test_a_controller_hears_of_the_search_alone(monkeypatch):
    made: list[Any] = []
    original = RandomSearch.__init__

    def init(self: Any, *arguments: Any, **more: Any) -> None:
        original(self, *arguments, **more)
        made.append(self)

    monkeypatch.setattr(Listens, "__init__", init)
    result = shared(controller=Listens, trials=5)
    resumed("run", controller=Listens, trials=6)
    heard = [controller.past for controller in made if hasattr(controller, "past")]
    assert [t.number for t in heard[0] if t in [r.trial for r in result.records]] == [0, 1, 2, 3, 4]
    assert [t.number for t in heard[1]] == [0, 1, 2, 3, 4, 8]


@pytest.mark.parametrize("budget", [{"trials": None, "seconds": 0.5}, {"trials": 100}])
def test_however_the_search_ends_the_best_are_trained(budget):
    space = {"space": Toy} if budget["trials"] else {}
    result = shared(**(budget | space))
    assert sum(r.from_scratch for r in result.records) == 3
    if budget["trials"]:
        assert len(searched(result.records)) == 24


RECORDS = st.lists(
    st.tuples(st.none() | st.tuples(st.integers(0, 3).map(float), st.integers(0, 3).map(float)), st.booleans())
).map(
    lambda rows: [
        Record(Trial(i, i, values), 0.0, "random", evaluator="train" if scratch else "shared")
        for i, (values, scratch) in enumerate(rows)
    ]
)


@given(RECORDS)
def test_those_trained_from_scratch_come_first(records):
    order = ranked(records)
    assert sorted(r.trial.number for r in order) == [r.trial.number for r in records if r.trial.values is not None]
    assert [r.from_scratch for r in order] == sorted((r.from_scratch for r in order), reverse=True)
    for scratch in (True, False):
        of = [r for r in order if r.from_scratch == scratch]
        assert of == ranked([r for r in records if r.from_scratch == scratch])
    trained = [r for r in records if r.from_scratch and r.trial.values is not None]
    assert front(records) == (front(trained) if trained else front(records))
    assert all(r.from_scratch == bool(trained) for r in front(records))


def test_a_search_that_trained_all_has_no_finalists():
    result = search(DATA, trials=4)
    assert finalists(result.records, 3) == untrained(result.records, 3, result.plan.space) == []
    assert searched(result.records) == result.records
    assert searched([]) == []
