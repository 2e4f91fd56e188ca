"""Architectures read off probabilities."""

from __future__ import annotations

import random
from itertools import islice, product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.supernet.derived import architecture, drawn, most_probable
from nas.controllers.supernet.relaxed import relaxed
from tests.controllers.spaces import SPACES, Cell

TABLES = st.lists(
    st.lists(st.integers(1, 9), min_size=2, max_size=4).filter(lambda p: len(set(p)) > 1), min_size=1, max_size=4
)


@given(TABLES)
def test_the_order_is_that_of_the_products(table: list[list[int]]) -> None:
    probabilities = [[each / sum(row) for each in row] for row in table]

    def worth(numbers: tuple[int, ...]) -> float:
        return prod(p[i] for p, i in zip(probabilities, numbers, strict=True))

    found = list(most_probable(probabilities))
    every = list(product(*(range(len(row)) for row in table)))
    assert sorted(found) == every
    assert [worth(n) for n in found] == pytest.approx(sorted(map(worth, every), reverse=True))


def test_what_was_never_learned_stays_out() -> None:
    found = list(most_probable([[0.5, 0.5], [0.2, 0.8], [1 / 3] * 3]))
    assert found == [(0, 1, 0), (0, 0, 0)]


def test_many_knobs_come_one_at_a_time() -> None:
    """The space has 2**60 architectures."""
    found = list(islice(most_probable([[0.9, 0.1]] * 60), 62))
    assert found[0] == (0,) * 60
    assert all(sum(numbers) == 1 for numbers in found[1:61])


def test_draws_follow_the_probabilities() -> None:
    rng = random.Random(0)
    counts = [0, 0, 0]
    for _ in range(2000):
        counts[drawn([[0.6, 0.3, 0.1]], rng)[0]] += 1
    assert [c / 2000 for c in counts] == pytest.approx([0.6, 0.3, 0.1], abs=0.04)


def test_an_architecture_has_the_options_and_draws_the_rest() -> None:
    space, (_, knobs) = SPACES["Flat"], relaxed(SPACES["Flat"].of)
    probabilities = [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.9, 0.1], [1 / 7] * 7]
    made = [architecture(space, knobs, (2, 0, 0, 0), probabilities, random.Random(seed)) for seed in range(20)]
    assert {(a.conv, a.hidden, a.skip) for a in made} == {("sage", 16, True)}
    assert len({a.dropout for a in made}) > 3


def test_what_the_space_forbids_is_none() -> None:
    _, knobs = relaxed(Cell)
    learned = [[0.9 - 0.01 * i, *[0.1] * (len(knob.options) - 1)] for i, knob in enumerate(knobs)]
    skip = [knob.options.index("skip") if "skip" in knob.options else 0 for knob in knobs]
    assert architecture(SPACES["Cell"], knobs, skip, learned, random.Random(0)) is None
    assert architecture(SPACES["Cell"], knobs, [0] * len(knobs), learned, random.Random(0)) is not None


def test_what_is_kept_goes_before_the_options() -> None:
    space, (_, knobs) = SPACES["Flat"], relaxed(SPACES["Flat"].of)
    probabilities = [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.9, 0.1], [0.1] * 3 + [0.7] + [0.0] * 3]
    kept = space.knobs(space.sample(random.Random(3)))
    made = architecture(space, knobs, (2, 0, 0, 3), probabilities, random.Random(0), kept)
    assert space.knobs(made) == kept
    assert architecture(space, knobs, (2, 0, 0, 3), probabilities, random.Random(0), {"hidden": 5}) is None
