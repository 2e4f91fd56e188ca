"""Neighbours with more bits, and smaller ones."""

from __future__ import annotations

import random
from typing import Any

from nas.controllers.resizing import in_most_bits, smaller, smaller_options
from nas.searchspace.domains import Choice, Integer, Real
from nas.searchspace.formats import quantised
from nas.searchspace.language import architecture, choice
from nas.searchspace.source import module
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from tests.controllers.spaces import Flat
from tests.nas.toys import task

TASK = task()


def test_what_is_smaller() -> None:
    formats = Choice(("int8", "binary", "int4", "ternary"))
    assert smaller_options(formats, "int4") == ["binary", "ternary"]
    assert smaller_options(formats, "binary") == []
    assert smaller_options(Integer(2, 9), 4) == [2, 3]
    assert smaller_options(Choice((64, 16, 32)), 32) == [16]
    for other in (Choice(("gcn", "gat")), Choice((True, False)), Choice((0.5, 0.1)), Real(0.0, 1.0)):
        assert smaller_options(other, True) == smaller_options(other, 0.5) == []


def test_one_knob_is_smaller_and_nothing_is_larger() -> None:
    for name in ("lpgnas", "quantised:agnn"):
        space = find(name).for_task(TASK)
        rng = random.Random(0)
        for _ in range(20):
            a = space.sample(rng)
            made = smaller(space, a, rng)
            before, after = space.knobs(a), space.knobs(made)
            changed = [path for path in before if before[path] != after[path]]
            assert len(changed) == 1
            assert after[changed[0]] in smaller_options(space.every_knob()[changed[0]], before[changed[0]])
            assert size(made) <= size(a)


def size(a: Any) -> int:
    return sum(p.numel() for p in module(a, TASK).parameters())


def test_nothing_is_smaller_than_the_smallest() -> None:
    space, rng = Space(quantised(Flat)), random.Random(1)
    a = space.sample(rng)
    for _ in range(100):
        if (made := smaller(space, a, rng)) is None:
            break
        a = made
    assert a.formats.weights == "binary"
    assert smaller(space, a, rng) is None


def test_the_most_bits_change_formats_alone() -> None:
    space = Space(quantised(Flat))
    a = space.sample(random.Random(2))
    made = in_most_bits(space, a)
    assert (made.formats.weights, made.formats.activations) == ("int8", "affine8")
    assert (made.formats.messages, made.formats.attention) == ("int8", "affine8")
    assert (made.conv, made.hidden, made.skip, made.dropout) == (a.conv, a.hidden, a.skip, a.dropout)
    assert in_most_bits(space, made) == made


@architecture
class Narrow:
    weights: str = choice("int4", "int8")
    conv: str = choice("gcn", "sage")

    def forbidden(self) -> str | None:
        return "gcn has four bits" if self.conv == "gcn" and self.weights == "int8" else None


def test_what_the_space_forbids() -> None:
    space = Space(Narrow)
    assert in_most_bits(space, Narrow(weights="int4", conv="gcn")) is None
    assert in_most_bits(space, Narrow(weights="int4", conv="sage")) == Narrow(weights="int8", conv="sage")
