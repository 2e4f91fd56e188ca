"""Architectures as rows: laws for every space."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.diffusion.rows import BINS, LISTED, Row, Rows
from nas.searchspace import BadInput, Integer, Real, Space, architecture, choice, constant
from nas.searchspace.language import Forbidden
from tests.diffusion.spaces import EVERY, Odd
from tests.searchspace.declared import Conditional, Large, classes


@architecture
class Single:
    width: int = constant(3)


def sampled(space: Space[Any], count: int = 30) -> list[Any]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(count)]


def binned(space: Space[Any]) -> bool:
    return any(
        isinstance(d, Real) or (isinstance(d, Integer) and d.size() > LISTED) for d in space.every_knob().values()
    )


@pytest.mark.parametrize("name", [*EVERY, "Large"])
def test_what_was_encoded_is_decoded(name: str) -> None:
    space = EVERY.get(name) or Space(Large)
    rows, made = Rows(space), sampled(space)
    categories = rows.encode(made)
    assert categories.shape == (len(made), len(rows.rows))
    back = [rows.decode(row, random.Random(1)) for row in categories]
    assert not any(architecture is None for architecture in back)
    np.testing.assert_array_equal(rows.encode(back), categories)
    if not binned(space):
        assert back == made


@settings(deadline=None, max_examples=60)
@given(classes(), st.integers(0, 99))
def test_what_was_encoded_is_decoded_in_any_space(of: type[Any], seed: int) -> None:
    space = Space(of)
    try:
        made = space.sample(random.Random(seed))
        rows = Rows(space)
    except (BadInput, Forbidden):
        return
    assert rows.decode(rows.encode([made])[0], random.Random(0)) == made


@settings(deadline=None)
@given(
    st.one_of(
        st.tuples(st.integers(-(10**9), 10**15), st.integers(40, 10**12), st.just(False)).map(
            lambda t: Integer(t[0], t[0] + t[1], t[2])
        ),
        st.tuples(st.integers(1, 10**6), st.integers(40, 10**12)).map(lambda t: Integer(t[0], t[0] + t[1], True)),
        st.tuples(st.floats(-1e6, 1e6), st.floats(0.01, 1e6)).map(lambda t: Real(t[0], t[0] + t[1])),
        st.tuples(st.floats(1e-9, 1e3), st.floats(0.01, 1e6)).map(lambda t: Real(t[0], t[0] + t[1], True)),
    ),
    st.integers(0, 99),
)
def test_a_number_drawn_from_a_bin_lies_in_that_bin(domain: Any, seed: int) -> None:
    row, rng = Row("x", domain, False), random.Random(seed)
    assert 1 < row.values <= BINS
    for category in range(row.values):
        value = row.value(category, rng)
        assert domain.contains(value)
        assert row.category(value) == category
    assert row.category(domain.low) == 0
    assert row.category(domain.high) == row.values - 1
    categories = [row.category(v) for v in sorted(domain.sample(rng) for _ in range(20))]
    assert all(a <= b for a, b in pairwise(categories))


@pytest.mark.parametrize("domain", [Integer(0, 999), Integer(8, 8000, log=True), Real(0, 1), Real(1e-4, 1, log=True)])
def test_bins_are_about_equally_likely(domain: Any) -> None:
    row, rng = Row("x", domain, False), random.Random(0)
    counts = np.bincount([row.category(domain.sample(rng)) for _ in range(8000)], minlength=row.values)
    assert counts.min() > 0.6 * 8000 / row.values


@pytest.mark.parametrize("name", EVERY)
def test_rows_that_contradict_each_other_are_no_architecture_unless_mended(name: str) -> None:
    space = EVERY[name]
    rows = Rows(space)
    for categories in rows.encode(sampled(space)):
        for number, row in enumerate(rows.rows):
            if not row.optional:
                continue
            there = categories[number] < row.values
            changed = categories.copy()
            changed[number] = row.values if there else 0
            assert rows.decode(changed, random.Random(0)) is None
            mended = rows.decode(changed, random.Random(0), categories if there else np.zeros_like(categories))
            assert mended is not None
            np.testing.assert_array_equal(rows.encode([mended])[0], categories)


def test_a_category_that_a_row_does_not_have_is_no_architecture() -> None:
    rows = Rows(EVERY["Chosen"])
    assert rows.decode([0, 3, 1, 4], random.Random(0)) is not None
    assert rows.decode([4, 3, 1, 4], random.Random(0)) is None


def test_what_the_space_forbids_is_no_architecture() -> None:
    rows = Rows(EVERY["Ends"])
    assert rows.decode([6, 1], random.Random(0)) is not None
    assert rows.decode([6, 2], random.Random(0)) is None
    assert rows.decode([6, 2], random.Random(0), [6, 2]) is None


@pytest.mark.parametrize("name", [*EVERY, "Large"])
def test_attention_goes_both_ways_and_reaches_every_row(name: str) -> None:
    attends = Rows(EVERY.get(name) or Space(Large)).attends
    assert bool(attends.diagonal().all())
    assert bool((attends == attends.T).all())
    reached = np.linalg.matrix_power(attends.astype(int), 3)
    assert bool((reached > 0).all()), "three blocks carry a word from any row to any other"


def test_attention_follows_the_structure() -> None:
    rows = Rows(Space(Odd))
    of = {row.path: number for number, row in enumerate(rows.rows)}
    attends = rows.attends
    for a, b, expected in [
        ("blocks.0.left.op", "blocks.0.left.source", True),
        ("blocks.0.left.op", "blocks", True),
        ("blocks.0.left.op", "blocks.1.right.op", True),  # a block has no rows of its own
        ("width", "count", True),
    ]:
        assert attends[of[a], of[b]] == expected, (a, b)
    nested = Rows(EVERY["Stacked"])
    of = {row.path: number for number, row in enumerate(nested.rows)}
    assert nested.attends[of["layers.0.conv"], of["layers.2.heads"]]


def test_knobs_that_may_be_missing_have_a_category_for_that() -> None:
    found = {row.path: (row.values, row.categories) for row in Rows(Space(Conditional)).rows}
    assert found == {"conv": (3, 3), "heads": (3, 4), "wide": (2, 3), "depth": (3, 4)}


def test_equal_rows_are_described_alike_and_others_are_not() -> None:
    described = Rows(EVERY["agnn"]).describe()
    assert described == Rows(EVERY["agnn"]).describe()
    assert described != Rows(EVERY["agnn for graphs"]).describe()


def test_bad_input() -> None:
    with pytest.raises(BadInput, match="the space 'Single' has one architecture; there is nothing to generate"):
        Rows(Space(Single))
    with pytest.raises(BadInput, match=r"the space 'agnn' has architectures of the class AGNN; got Chosen\("):
        Rows(EVERY["agnn"]).encode(sampled(EVERY["Chosen"], 1))


@architecture
class Bare:
    kind: str = choice("only")


def test_a_choice_of_one_is_a_row_of_one_category() -> None:
    assert Rows(Space(Bare)).encode([Bare(kind="only")]).tolist() == [[0]]
