"""Knobs as decisions: classes of them, and numbered options."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.decisions import Options, class_of, exact
from nas.searchspace.decode import walk
from nas.searchspace.domains import Choice, Integer, Real
from nas.searchspace.language import architecture, choice, integer, real
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES as BUILT_IN
from tests.controllers.spaces import SPACES


@architecture
class Wide:
    neighbours: int = integer(1, 1000, log=True)
    width: int = integer(-40, 60)
    rate: float = real(1e-5, 1.0, log=True)
    drop: float = real(0.0, 0.9)
    few: int = integer(3, 26)
    conv: str = choice("gcn", "gat")


EVERY = {**SPACES, "Wide": Space(Wide), **{name: Space(BUILT_IN.load(name)) for name in BUILT_IN.names()}}


@pytest.mark.parametrize(
    ("path", "name"),
    [("layers.0.conv", "layers.*.conv"), ("cells.3.nodes.12.op", "cells.*.nodes.*.op"), ("lr", "lr"), ("k2", "k2")],
)
def test_a_class_is_the_path_without_positions(path: str, name: str) -> None:
    assert class_of(path) == name


@pytest.mark.parametrize("name", EVERY)
def test_options_of_different_classes_have_different_numbers(name: str) -> None:
    space = EVERY[name]
    options = Options.of(space)
    taken: dict[int, str] = {}
    for path, domain in space.every_knob().items():
        for number in options.range(path, domain):
            assert taken.setdefault(number, class_of(path)) == class_of(path)
    assert set(taken) == set(range(options.count))


@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize("name", EVERY)
def test_a_value_comes_back_from_its_number(name: str, seed: int) -> None:
    space, rng = EVERY[name], random.Random(seed)
    options = Options.of(space)
    for path, domain, value in walk(space.sample(rng)):
        number = options.number(path, domain, value)
        assert number in options.range(path, domain)
        again = options.value(path, domain, number, rng)
        assert domain.contains(again)
        if exact(domain):
            assert again == value
        else:
            assert abs(options.number(path, domain, again) - number) <= isinstance(domain, Integer)  # it was rounded


@pytest.mark.parametrize(
    ("domain", "said"),
    [(Choice(("a", "b")), True), (Integer(0, 23), True), (Integer(0, 24), False), (Real(0.0, 1.0), False)],
)
def test_what_is_decided_by_ranges(domain: Any, said: bool) -> None:
    assert exact(domain) is said


def test_ranges_are_even_on_the_scale_of_the_knob() -> None:
    space = Space(Wide)
    options, domains = Options.of(space), space.every_knob()
    first = options.range("rate", domains["rate"])[0]
    decades = [options.number("rate", domains["rate"], 10**-x) - first for x in (4.9, 3.9, 2.9, 1.9, 0.9)]
    assert decades == [0, 1, 3, 4, 6]  # (5 - x) / (5 / 8), rounded down
    assert options.number("drop", domains["drop"], 0.0) == options.range("drop", domains["drop"])[0]
    assert options.number("drop", domains["drop"], 0.9) == options.range("drop", domains["drop"])[-1]
