"""The best trials trained again with other seeds: who, how often, and that their means decide."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import nas
from nas.controllers.base import Trial
from nas.evaluation.executors import InProcess
from nas.evaluation.job import Job, Outcome
from nas.searchspace import Space
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study import confirming
from nas.study.confirming import confirmed, due, in_confirmed_order, missing, rounds, trainings
from nas.study.records import AGAIN, Record, searched
from nas.study.search import Silent
from tests.nas.toys import StopAfter, Wide, graph, search, told


@pytest.fixture(autouse=True)
def one_seed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rounds, to be counted by hand."""
    monkeypatch.setattr(confirming, "FIRST", 1)


DATA = graph()
SPACE: Space[Any] = Space(Wide)


@pytest.mark.parametrize(
    ("count", "wanted", "total"),
    [
        (0, [], 0),
        (1, [(1, 1)], 1),
        (2, [(2, 1)], 2),
        (3, [(3, 1), (2, 2)], 5),
        (5, [(5, 1), (2, 2)], 7),
        (8, [(8, 1), (4, 2), (2, 4)], 8 + 4 + 4),
        (16, [(16, 1), (8, 2), (4, 4), (2, 8)], 16 + 8 + 8 + 8),
    ],
)
def test_rounds_against_a_count_by_hand(count: int, wanted: list[tuple[int, int]], total: int) -> None:
    assert list(rounds(count)) == wanted
    assert trainings(count) == total


# the order of things, on trials that were made up


def record(number: int, hidden: int, value: float | None, seed: int = 0, evaluator: str = "train") -> Record:
    values, reason = (None, "bad luck") if value is None else ((value,), None)
    trial = Trial(number, Wide(conv="gcn", hidden=hidden), values, {"valid_accuracy": value or 0.0}, reason=reason)
    return Record(trial, float(number), "random", seed=seed, evaluator=evaluator)


def a_search(values: Sequence[float | None]) -> list[Record]:
    return [record(number, number + 1, value) for number, value in enumerate(values)]


def seen_through(records: list[Record], confirm: int, values: Any, most: int = 1000) -> list[Record]:
    """With the missing trainings added one by one, ``values(hidden, seed)`` being what they give."""
    records = list(records)
    while (left := missing(records, confirm, 0, SPACE)) and most:
        original, seed = left[0]
        hidden = original.trial.architecture.hidden
        records.append(record(len(records), hidden, values(hidden, seed), seed, AGAIN))
        most -= 1
    return records


def trained(records: Sequence[Record]) -> dict[int, list[int]]:
    """The seeds of each width."""
    found: dict[int, list[int]] = {}
    for r in records:
        if r.evaluator == AGAIN:
            found.setdefault(r.trial.architecture.hidden, []).append(r.seed)
    return found


def test_the_better_half_goes_on_and_the_mean_decides_over_the_lucky_one() -> None:
    """Widths 1 to 5 are equally good in the search but for 1, which was lucky; fresh seeds say that 4 is best."""
    truth = {1: 0.5, 2: 0.6, 3: 0.7, 4: 0.8, 5: 0.1}
    records = seen_through(a_search([0.99, 0.8, 0.8, 0.8, 0.7]), 4, lambda hidden, seed: truth[hidden])
    assert trained(records) == {1: [1], 2: [1], 3: [1, 2], 4: [1, 2]}
    order = confirmed(records, 4, 0, SPACE)
    assert [c.original.trial.architecture.hidden for c in order] == [4, 3, 2, 1]
    assert [c.mean for c in order] == pytest.approx([0.8, 0.7, 0.6, 0.5])
    best = in_confirmed_order(records, 4, 0, SPACE)
    assert [r.trial.architecture.hidden for r in best[:5]] == [4, 3, 2, 1, 5]
    assert [r.evaluator for r in best[:5]] == [AGAIN] * 4 + ["train"]
    assert sorted(r.trial.number for r in best) == list(range(len(records)))


def test_a_bad_second_seed_counts_as_soon_as_it_is_known() -> None:
    """In the middle of a round those that it has not come to yet are compared by what there is of them."""
    values = {(1, 1): 0.9, (1, 2): 0.1, (2, 1): 0.8}
    records = seen_through(a_search([0.9, 0.8, 0.7, 0.6]), 4, lambda h, s: values.get((h, s), 0.5), most=5)
    assert trained(records) == {1: [1, 2], 2: [1], 3: [1], 4: [1]}
    order = confirmed(records, 4, 0, SPACE)
    assert [c.original.trial.architecture.hidden for c in order] == [2, 1, 3, 4]


def test_the_training_with_the_best_validation_is_taken() -> None:
    records = seen_through(a_search([0.9, 0.1]), 1, lambda hidden, seed: 0.4)
    records += [record(3, 1, 0.6, 2, AGAIN), record(4, 1, 0.5, 3, AGAIN)]
    (one,) = confirmed(records, 1, 0, SPACE)
    assert [r.seed for r in one.again] == [1, 2, 3]
    assert one.representative == records[3]
    assert one.original == records[0]


def test_what_took_longer_than_is_left_is_not_begun() -> None:
    records = [
        replace(r, trial=replace(r.trial, seconds=10.0 * (r.trial.number + 1))) for r in a_search([0.9, 0.8, 0.7])
    ]
    wanted = missing(records, 3, 0, SPACE)
    assert [record.trial.number for record, _ in wanted] == [0, 1, 2]
    assert due(records, 3, 0, SPACE, None) == due(records, 3, 0, SPACE, 30.0) == wanted
    assert due(records, 3, 0, SPACE, 29.0) == wanted[:2]
    assert due(records, 3, 0, SPACE, 9.0) == due(records, 3, 0, SPACE, -1.0) == []


def test_a_training_that_fails_puts_its_network_last() -> None:
    given = lambda hidden, seed: None if (hidden, seed) == (1, 2) else 1 - hidden / 10  # noqa: E731
    records = seen_through(a_search([0.9, 0.8, 0.7, 0.6]), 4, given)
    order = confirmed(records, 4, 0, SPACE)
    assert [c.original.trial.architecture.hidden for c in order] == [2, 1, 3, 4]
    assert [len(c.succeeded) for c in order] == [2, 1, 1, 1]
    assert not missing(records, 4, 0, SPACE)


def test_where_all_trainings_fail_those_not_tried_again_stand_first() -> None:
    records = seen_through(a_search([0.9, 0.8, 0.7]), 2, lambda hidden, seed: None)
    assert len(records) == 5
    assert [r.trial.number for r in in_confirmed_order(records, 2, 0, SPACE)] == [2, 0, 1]
    assert in_confirmed_order(a_search([None, None]), 2, 0, SPACE) == []
    assert missing(a_search([None]), 2, 0, SPACE) == missing([], 2, 0, SPACE) == []


def test_a_search_that_went_on_has_others_to_train_again() -> None:
    """What was trained again and is not among the best any more is not lost, and stands behind them."""
    records = seen_through(a_search([0.6, 0.5]), 2, lambda hidden, seed: 0.5)
    records += [record(4, 11, 0.9), record(5, 12, 0.8)]
    assert [(r.trial.architecture.hidden, seed) for r, seed in missing(records, 2, 0, SPACE)] == [(11, 1), (12, 1)]
    records = seen_through(records, 2, lambda hidden, seed: 0.4)
    order = confirmed(records, 2, 0, SPACE)
    assert [c.original.trial.architecture.hidden for c in order] == [11, 12, 1, 2]


@given(data=st.data(), confirm=st.integers(1, 9))
def test_whatever_the_order_in_which_trainings_finish(data: Any, confirm: int) -> None:
    """The trainings of a round may finish in any order, as with several workers: the same ones are done in the end."""
    values = st.none() | st.integers(0, 4).map(float)
    measured = data.draw(st.lists(values, min_size=1, max_size=9))
    table: dict[tuple[int, int], float | None] = {}

    def value(hidden: int, seed: int) -> float | None:
        if (hidden, seed) not in table:
            table[hidden, seed] = data.draw(values)
        return table[hidden, seed]

    whole = seen_through(a_search(measured), confirm, value)
    records = a_search(measured)
    while left := missing(records, confirm, 0, SPACE):
        original, seed = data.draw(st.sampled_from(left))
        hidden = original.trial.architecture.hidden
        records.append(record(len(records), hidden, value(hidden, seed), seed, AGAIN))
    assert {k: sorted(v) for k, v in trained(records).items()} == trained(whole)
    count = min(confirm, sum(v is not None for v in measured))
    assert len(whole) - len(measured) == trainings(count)

    def order(of: list[Record]) -> list[Any]:
        return [(c.original, [r.seed for r in c.again], c.mean) for c in confirmed(of, confirm, 0, SPACE)]

    assert order(records) == order(whole)


# through a search


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
