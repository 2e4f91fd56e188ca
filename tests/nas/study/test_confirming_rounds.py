"""Who is trained again, how often, and in which order they stand: on trials that were made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.base import Trial
from nas.searchspace import Space
from nas.study import confirming
from nas.study.confirming import confirmed, due, in_confirmed_order, missing, rounds, trainings
from nas.study.records import AGAIN, Record
from tests.nas.toys import Wide


@pytest.fixture(autouse=True)
def one_seed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small rounds, to be counted by hand."""
    monkeypatch.setattr(confirming, "FIRST", 1)


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
