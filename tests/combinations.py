"""Tests of many parameters: by default a part of them, in the slow tests all."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pytest


def shorten(items: Sequence[pytest.Item]) -> None:
    """Of the tests marked ``each_once``, make all combinations slow but for some in which each value is met."""
    tests = defaultdict[str, list[pytest.Item]](list)
    for item in items:
        if item.get_closest_marker("each_once") and not item.get_closest_marker("slow"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for combined in tests.values():
        kept = some([item.callspec.params for item in combined])  # type: ignore[attr-defined]
        for number, item in enumerate(combined):
            if number not in kept:
                item.add_marker(pytest.mark.slow)


def mostly_slow(values: Sequence[Any], quick: Sequence[Any]) -> list[Any]:
    """To parametrise a test with: all of the values, but for the quick ones in the slow tests alone."""
    return [pytest.param(value, marks=() if value in quick else pytest.mark.slow) for value in values]


def some(combinations: Sequence[Mapping[str, Any]]) -> set[int]:
    """Numbers of combinations in which every value of every parameter is met; the same ones each time.

    They are taken in an order that mixes the parameters, each that has a value no earlier one has.
    """
    order = list(range(len(combinations)))
    random.Random(0).shuffle(order)
    met, kept = set[Hashable](), set[int]()
    for number in order:
        new = {(name, _key(value)) for name, value in combinations[number].items()} - met
        if new:
            met |= new
            kept.add(number)
    return kept


def _key(value: Any) -> Hashable:
    return value if isinstance(value, str | int | float | None) else id(value)
