"""Who is stopped, and who never: the laws of rungs and brackets."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.base import Trial
from nas.evaluation.job import Rung
from nas.study.fidelity import bracket, ladder, least, reached, rungs
from nas.study.records import Record, stopped

ETAS = st.integers(2, 5)
NUMBERS = st.lists(st.integers(-5, 5).map(float), max_size=20)


def goes_on(value: float, others: list[float], maximise: bool, eta: int = 3) -> bool:
    """As ``nas.evaluation.train`` decides."""
    worst = least(others, maximise, eta)
    return value >= worst if maximise else value <= worst


# one rung


@given(NUMBERS, st.integers(-9, 9), st.booleans(), ETAS)
def test_too_few_values_stop_nobody(values, value, maximise, eta):
    assert len(values) >= eta or goes_on(value, values, maximise, eta)


@given(NUMBERS, st.booleans(), ETAS)
def test_the_best_is_never_stopped(values, maximise, eta):
    best = (max if maximise else min)(values, default=0.0)
    assert goes_on(best, values, maximise, eta)


@given(NUMBERS, st.integers(-5, 5), ETAS)
def test_the_top_share_goes_on(values, value, eta):
    """Against the rank itself: of these and the newcomer the best ``1 / eta``, rounded down, and their equals."""
    rank = 1 + sum(v > value for v in values)
    assert goes_on(value, values, True, eta) == (len(values) < eta or rank <= (len(values) + 1) // eta)


@given(st.lists(st.integers(0, 10**9), min_size=3, max_size=300, unique=True))
def test_about_one_in_eta_goes_on(values):
    assert sum(goes_on(v, [o for o in values if o != v], True) for v in values) == max(1, len(values) // 3) or (
        len(values) == 3  # each of three has but two to be compared with
    )


@given(NUMBERS.filter(len), st.integers(0, 3), st.data(), ETAS)
def test_better_rivals_never_make_it_easier(values, more, data, eta):
    which = data.draw(st.integers(0, len(values) - 1))
    raised = [v + more * (i == which) for i, v in enumerate(values)]
    assert least(raised, True, eta) >= least(values, True, eta)


@given(NUMBERS, ETAS)
def test_the_other_direction_is_the_mirror_image(values, eta):
    assert least([-v for v in values], False, eta) == -least(values, True, eta)


# the rungs of a training


@given(st.integers(1, 5000), ETAS)
def test_a_ladder_is_hyperbands(epochs, eta):
    made = ladder(epochs, eta)
    assert len(made) == max(0, math.floor(math.log(epochs / 15, eta) + 1e-9))
    assert all(b == a * eta for a, b in pairwise(made))
    assert all(15 <= epoch < epochs for epoch in made)
    assert made == ladder(epochs + 1000, eta)[: len(made)]  # the same epochs whatever the length


@pytest.mark.parametrize(("epochs", "shares"), [(500, (27, 12, 6, 4)), (200, (9, 5, 3)), (100, (3, 2)), (44, (1,))])
def test_brackets_have_the_papers_proportions_in_any_stretch(epochs, shares):
    total = sum(shares)
    for begin in range(0, 700, 23):
        counted = Counter(bracket("hyperband", begin + i, epochs) for i in range(2 * total))
        assert all(abs(counted[b] - 2 * share) <= 2 for b, share in enumerate(shares))
        assert sum(counted.values()) == sum(counted[b] for b in range(len(shares)))


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_only_hyperband_has_brackets(number, epochs):
    assert bracket("full", number, epochs) == bracket("halving", number, epochs) == 0
    assert 0 <= bracket("hyperband", number, epochs) <= len(ladder(epochs))


def record(number: int, curve: Any, stopped: int | None = None, bracket: int = 0, failed: bool = False) -> Record:
    curve = tuple(curve)
    best = max((v for _, v in curve if v == v), default=0.0)
    values = None if failed else (best,)
    return Record(Trial(number, number, values, curve=curve, stopped=stopped), 0.0, "random", bracket=bracket)


def test_the_best_until_the_rung_counts():
    trial = record(0, [(5, 0.3), (10, 0.6), (15, 0.4), (20, 0.9)]).trial
    assert [reached(trial, epoch, True) for epoch in (4, 5, 15, 45)] == [None, 0.3, 0.6, 0.9]
    assert reached(trial, 15, False) == 0.3


def test_who_was_stopped_counts_no_further_and_who_ended_by_itself_does():
    halted = record(0, [(5, 0.3), (15, 0.4)], stopped=15).trial
    assert [reached(halted, epoch, True) for epoch in (5, 15, 45)] == [0.3, 0.4, None]
    patient = record(0, [(5, 0.3), (15, 0.4)]).trial
    assert reached(patient, 45, True) == 0.4


def test_what_is_not_defined_does_not_count():
    assert reached(record(0, [(5, math.nan), (10, 0.5)]).trial, 15, True) == 0.5
    assert reached(record(0, [(5, math.nan)]).trial, 15, True) is None
    assert rungs("halving", 0, 45, [record(i, [(5, math.nan)]) for i in range(9)], True) == (Rung(15, -math.inf),)


def test_thresholds_of_one_bracket_do_not_see_the_others():
    mine = [record(i, [(15, 0.1 * i), (45, 0.1 * i)], bracket=0) for i in range(6)]
    others = [record(i, [(15, 0.9), (45, 0.95)], bracket=1) for i in range(6)]
    failed = [record(i, [(15, 0.99)], failed=True) for i in range(6)]
    made = rungs("hyperband", 0, 450, [*mine, *others, *failed], True)
    assert made == (Rung(15, 0.4), Rung(45, 0.4), Rung(135, 0.4))
    assert rungs("hyperband", 1, 450, [*mine, *others], True) == (Rung(45, 0.95), Rung(135, 0.95))
    assert rungs("hyperband", 3, 450, [*mine, *others], True) == ()
    assert rungs("full", 0, 450, mine, True) == ()


def test_every_rung_is_looked_at_before_anybody_is_stopped():
    """Else a study that looks rarely would never have the values to stop anybody by."""
    assert rungs("halving", 0, 200, [], False) == (Rung(15, math.inf), Rung(45, math.inf))


CURVES = st.lists(st.integers(0, 20).map(float), min_size=10, max_size=10)


@given(st.lists(CURVES, max_size=25), st.sampled_from(["halving", "hyperband"]), st.booleans())
def test_the_best_of_a_search_is_never_a_stopped_one(curves, fidelity, maximise):
    """Whoever is stopped was below a trial of its bracket that went on, which is worth what it had then or more."""
    sign = 1 if maximise else -1
    records: list[Record] = []
    for number, values in enumerate(curves):
        mine = bracket(fidelity, number, 150)
        curve, halted = [], None
        limits = {r.epoch: r.least for r in rungs(fidelity, mine, 150, records, maximise)}
        for epoch, value in zip(range(15, 165, 15), values, strict=True):
            curve.append((epoch, sign * value))
            best = max(sign * v for _, v in curve)
            if epoch in limits and best < sign * limits[epoch]:
                halted = epoch
                break
        records.append(
            Record(Trial(number, number, (best,), curve=tuple(curve), stopped=halted), 0.0, "r", bracket=mine)
        )
    values = {r.trial.values for r in stopped(records)}
    assert not records or max(r.trial.values for r in records) not in values
