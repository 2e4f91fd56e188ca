"""Undecided values against the table of their options, by brute force."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.supernet.mixed import Branches, Knob, Mixed, options, together

NUMBERS = st.lists(st.integers(-4, 9), min_size=2, max_size=4, unique=True)
OPERATIONS: list[Callable[[Any, Any], Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


def undecided(number: int, values: Any, path: str = "") -> Mixed:
    knob = Knob(number, path or f"knob{number}", tuple(values))
    return Mixed((knob,), knob.options)


def at(value: Any, chosen: dict[int, int]) -> Any:
    """What it is with these options, by number of the knob."""
    if not isinstance(value, Mixed):
        return value
    place = 0
    for knob in value.knobs:
        place = place * len(knob.options) + chosen[knob.number]
    return value.table[place]


@given(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(OPERATIONS), st.sampled_from(OPERATIONS[:3]))
def test_operations_are_those_of_every_combination(a: Any, b: Any, c: Any, first: Any, second: Any) -> None:
    """Also of a value with itself, and in any order of the knobs."""
    x, y, z = undecided(2, a), undecided(0, b), undecided(1, c)
    found = first(second(x, y), second(z, x))
    for i, j, k in product(range(len(a)), range(len(b)), range(len(c))):
        expected = first(second(a[i], b[j]), second(c[k], a[i]))
        assert at(found, {2: i, 0: j, 1: k}) == expected


@given(NUMBERS, st.integers(-3, 5).filter(bool))
def test_operations_with_plain_numbers(a: Any, plain: int) -> None:
    x = undecided(0, a)
    for i, value in enumerate(a):
        chosen = {0: i}
        assert at(x + plain, chosen) == at(plain + x, chosen) == value + plain
        assert at(x * plain, chosen) == at(plain * x, chosen) == value * plain
        assert at(x - plain, chosen) == value - plain == -at(plain - x, chosen)
        assert at(x / plain, chosen) == value / plain
        assert at(plain // (x * x + 1), chosen) == plain // (value * value + 1)
        assert at(x // plain, chosen) == value // plain
        assert at((x > plain) | (x == plain), chosen) == (value >= plain)
        assert at((x > plain) & (x == plain), chosen) is False
        assert at(True & (x > plain), chosen) == at(False | (x > plain), chosen) == (value > plain)


def test_what_is_always_the_same_is_decided() -> None:
    x = undecided(0, (1, 2, 3))
    assert (x * 0) == 0
    assert (x < 9) is True
    assert isinstance(x == 2, Mixed)
    assert isinstance(together(lambda v: 1 if v == 1 else True, x), Mixed)  # equal, but not alike
    assert together(lambda a, b: a + b, 1, 2) == 3


def test_options_come_once_in_their_order() -> None:
    x = undecided(0, (3, 1, 2))
    assert options(x // 2) == (1, 0)
    assert options(5) == (5,)


@pytest.mark.parametrize(
    "use", [bool, int, float, len, iter, hash, range, lambda x: x[0], lambda x: [1, 2][x], lambda x: {x: 1}]
)
def test_what_would_branch_names_the_knob(use: Any) -> None:
    with pytest.raises(Branches, match=r"^its network decides by the knob layers\.0\.hidden, conv$"):
        use(undecided(0, (1, 2), "layers.0.hidden") + undecided(1, (1, 2), "conv"))


def test_too_many_combinations_are_refused() -> None:
    few = undecided(0, range(64)) + undecided(1, range(64))
    assert len(few.table) == 4096
    with pytest.raises(Branches, match=r"the knobs knob0, knob1, knob2 has 8,192 values, 4,096 at the most"):
        few + undecided(2, (0, 1))
