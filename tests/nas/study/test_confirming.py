"""The best trials trained again with other seeds, through searches; who and how often: test_confirming_rounds.py."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nas
from nas.evaluation.executors import InProcess
from nas.evaluation.job import Job, Outcome
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study import confirming
from nas.study.confirming import rounds, trainings
from nas.study.records import AGAIN, searched
from nas.study.search import Silent
from tests.nas.toys import StopAfter, Wide, graph, search, told


@pytest.fixture(autouse=True)
def one_seed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rounds, to be counted by hand."""
    monkeypatch.setattr(confirming, "FIRST", 1)


DATA = graph()


def run(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Wide, "trials": 6, "confirm": 4, "seed": 3, "keep": 1} | more)


def resumed(name: str, **more: Any) -> Any:
    return nas.resume(name, data=DATA, space=Wide, **more)


def which(result: Any) -> set[tuple[Any, int]]:
    return {(r.trial.architecture, r.seed) for r in result.records if r.evaluator == AGAIN}


class Totals(Silent):
    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def finals(self, total: int, done: int) -> None:
        self.heard.append((total, done))


def test_resumed_equals_uninterrupted_in_the_middle_of_the_confirmation() -> None:
    whole = run("whole", watcher=(totals := Totals()))
    assert totals.heard == [(6, 0)]
    assert len(whole.records) == 6 + 6
    assert whole.complete
    assert searched(whole.records) == whole.records[:6]
    assert told(run("search", confirm=0).records) == told(whole.records[:6])
    for stop in (6, 8, 11):
        with pytest.raises(KeyboardInterrupt):
            run(f"part-{stop}", watcher=StopAfter(stop))
        part = nas.open_run(f"part-{stop}", data=DATA, space=Wide)
        assert len(part.records) == stop
        assert not part.complete
        again = resumed(f"part-{stop}", watcher=(totals := Totals()))
        assert totals.heard == [(6, stop - 6)]
        assert told(again.records) == told(whole.records)
        assert [r.seed for r in again.records] == [r.seed for r in whole.records]
        assert {file.name for file in (again.path / "weights").iterdir()} == {
            file.name for file in (whole.path / "weights").iterdir()
        }


def test_two_workers_train_the_same(two_at_a_time: None) -> None:
    one = run("one", trials=4)
    two = run("two", trials=4, workers=2)
    assert which(two) == which(one)
    assert Counter(r.evaluator for r in two.records) == {"train": 4, AGAIN: 6}
    assert two.complete
    with pytest.raises(KeyboardInterrupt):
        run("part", trials=4, workers=2, watcher=StopAfter(7))
    assert which(resumed("part")) == which(one)


@pytest.fixture
def lucky(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The widest network of a search seems to be the best, and is the worst with every other seed."""
    real = InProcess.submit

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        done = real(self, job)
        outcome = done.result()
        width = outcome.metrics["params"]
        value = width / 1000 if job.seed == 3 else 1 - width / 1000
        made: Future[Outcome] = Future()
        made.set_result(replace(outcome, metrics={**outcome.metrics, "valid_accuracy": value}))
        return made

    monkeypatch.setattr(InProcess, "submit", submit)
    return iter(())


def test_the_result_is_the_one_with_the_best_mean_with_its_own_seed_and_weights(lucky: Any, tmp_path: Any) -> None:
    result = run(trials=8)
    seems = max(searched(result.records), key=lambda r: r.trial.values[0])
    best = result.records[result.best.number]
    assert best.evaluator == AGAIN
    assert best.seed in (4, 5)
    assert best.trial.architecture != seems.trial.architecture
    chosen = sorted(searched(result.records), key=lambda r: -r.trial.values[0])[:4]
    least = min(chosen, key=lambda r: r.trial.metrics["params"])
    assert best.trial.architecture == least.trial.architecture
    assert result.pareto == [result.best]
    assert result.ranking[0] == best
    assert result.confirmed[0].original == least
    assert result.confirmed_as(least.trial.number) == result.confirmed_as(best.trial.number) == result.confirmed[0]
    unconfirmed = next(r for r in searched(result.records) if r not in chosen)
    assert result.confirmed_as(unconfirmed.trial.number) is None
    file = result._folder.weights(best.trial.number)
    kept, before = load_file(file), file.stat().st_mtime_ns
    module = result.module()
    assert file.stat().st_mtime_ns == before  # it was not trained again
    assert all(torch.equal(tensor, module.state_dict()[name]) for name, tensor in kept.items())
    file.unlink()
    assert all(torch.equal(tensor, result.weights(best.trial)[name]) for name, tensor in kept.items())  # by its seed
    other = result._folder.weights(least.trial.number)
    assert not other.exists() or not torch.equal(load_file(other)["head.weight"], kept["head.weight"])
    result.export(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "architecture.json").read_text())["trial"] == best.trial.number
    assert list(result.trials["evaluator"]) == ["train"] * 8 + [AGAIN] * 6


def test_all_trained_again_keep_their_weights_beside_the_best_of_the_search() -> None:
    result = run()
    numbers = {int(file.stem) for file in (result.path / "weights").glob("*.safetensors")}
    best = max(searched(result.records), key=lambda r: (r.trial.values[0], -r.trial.number))
    assert numbers == {best.trial.number, *range(6, 12)}


def test_a_larger_budget_searches_on_and_trains_who_is_new_among_the_best() -> None:
    first = run()
    more = resumed("run", trials=10)
    assert more.records[:12] == first.records
    assert more.complete
    alone = run("alone", trials=10, confirm=0)
    strip = [(r.trial.architecture, r.trial.values, r.origin) for r in searched(more.records)]
    assert strip == [(r.trial.architecture, r.trial.values, r.origin) for r in alone.records]
    assert told(resumed("run").records) == told(more.records)


def test_seconds_of_the_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    """After them no training is begun; what there is decides, and the run counts as complete."""
    assert len(run(confirm_seconds=1e-9).records) == 6
    real = InProcess.submit

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        time.sleep(0.0 if job.seed == 3 else 1.0)
        return real(self, job)

    monkeypatch.setattr(InProcess, "submit", submit)
    some = run("some", confirm_seconds=0.9)
    assert [r.evaluator for r in some.records[6:]] == [AGAIN]
    assert some.complete
    assert some.best.number == 6


def test_a_training_may_take_what_is_left_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real, limits = InProcess.submit, list[float | None]()

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        limits.append(job.seconds)
        return real(self, job)

    monkeypatch.setattr(InProcess, "submit", submit)
    run("none", trial_seconds=50.0)
    assert limits == [50.0] * 12
    limits.clear()
    run("some", trial_seconds=50.0, confirm_seconds=200.0)
    assert limits[:6] == [50.0] * 6
    left = [limit for limit in limits[6:] if limit is not None]
    assert len(left) == 6
    assert 50.0 < left[-1] < left[0] <= 200.0
    assert left == sorted(left, reverse=True)


def test_trainings_that_fail_are_failed_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    real = InProcess.submit

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        if job.seed == 3:
            return real(self, job)
        failed: Future[Outcome] = Future()
        failed.set_result(Outcome(reason="out of memory"))
        return failed

    monkeypatch.setattr(InProcess, "submit", submit)
    result = run()
    assert [r.trial.reason for r in result.records[6:]] == ["out of memory"] * 6
    assert result.complete
    assert result.best.number < 6
    assert result.best.values is not None
    assert result.module() is not None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"objectives": ("accuracy", "-params")}, "confirm judges by one objective and there are several"),
        ({"evaluator": "shared"}, "confirm trains the best again, and evaluator shared does not train"),
        ({"evaluator": "proxy:params"}, "confirm trains the best again, and evaluator proxy:params does not train"),
        ({"table": "nasbench-graph"}, "confirm trains the best again, and evaluator table does not train"),
        ({"choose": "posterior"}, "confirm and choose posterior both say which trial to take; use one of the two"),
        ({"confirm": 0, "confirm_seconds": 5.0}, "confirm_seconds limits how long .*; give confirm too"),
        ({"confirm": -1}, "confirm must be at least 0; got -1"),
        ({"confirm": 2.5}, "confirm must be a whole number; got 2.5"),
        ({"confirm_seconds": 0}, "confirm_seconds must be above 0; got 0"),
        ({"known_first": "yes"}, "known_first must be true or false; got 'yes'"),
    ],
)
def test_what_cannot_be_confirmed_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Settings.of({"trials": 3, "confirm": 4, **more})


def test_the_report_says_what_was_trained_again() -> None:
    result = run()
    page = result.report().read_text(encoding="utf-8")
    best = result.best.number
    assert f"Trial {best} is a training of the network with the best mean over other seeds, of 4 that" in page
    assert "<h2>Trained again with other seeds</h2>" in page
    assert "again, with another seed" in page
    assert f"finished, seed {result.records[best].seed}" in page
    assert "6 more with other seeds" in page
    alone = run("alone", confirm=0).report().read_text(encoding="utf-8")
    assert "other seeds" not in alone


def test_by_default_the_first_round_has_two_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert list(rounds(4)) == [(4, 2), (2, 4)]
    assert list(rounds(1)) == [(1, 2)]
    assert trainings(4) == 4 * 2 + 2 * 2
