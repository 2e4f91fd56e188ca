"""Sizes are exact: against enumeration, and against a second, naive enumeration."""

from __future__ import annotations

import random
from itertools import islice, product
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from nas.searchspace import BadInput, Space, architecture, choice, counting, earlier, integer, nested, real, repeat
from nas.searchspace.domains import Constant, Earlier, Nested, Repeat
from nas.searchspace.language import declarations
from tests.searchspace.declared import Conditional, Dag, Fixed, Flat, Forbidding, Large, Layer, Stacked, classes


def everything(of: type[Any], position: int = 0) -> list[Any]:
    """All architectures, by extending partial ones field by field."""
    partial: list[dict[str, Any]] = [{}]
    for name, declared in declarations(of).items():
        grown = []
        for values in partial:
            active = declared.when is None or declared.when(SimpleNamespace(**values))
            grown += [{**values, name: v} for v in (possible(declared.domain, position) if active else [None])]
        partial = grown
    made = []
    for values in partial:
        try:
            made.append(of(**values))
        except BadInput as error:
            assert "chance" in str(error)  # noqa: PT017
    return made


def possible(domain: Any, position: int) -> list[Any]:
    match domain:
        case Constant(value):
            return [value]
        case Nested(of):
            return everything(of, position)
        case Repeat(of, low, high):
            each = [everything(of, k) for k in range(high)]
            return [items for n in range(low, high + 1) for items in product(*each[:n])]
        case Earlier():
            return list(range(position + 1))
        case _:
            return list(domain.values())


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(classes())
def test_the_size_is_the_number_of_architectures(of: type[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "BRANCHES", 1000)
        try:
            size = Space(of).size()
        except BadInput:
            assume(False)
    assume(size < 1000)
    assert len(list(islice(Space(of).enumerate(), 2000))) == size
    assume(size < 300)
    naive = everything(of)
    assert len(naive) == size
    assert set(naive) == set(Space(of).enumerate())


@pytest.mark.parametrize(
    ("of", "size"),
    [
        (Flat, 3 * 2 * 2),
        (Conditional, 3 + (1 + 2 + 2) * 3 + 1),
        (Stacked, 4 * (1 + 4 + (16 + 64) * 2)),
        (Dag, 4 + 4 * 16 + 4 * 16 * 36),
        (Fixed, 2),
        (Forbidding, 30),
        (Large, sum(4**n for n in range(40, 61))),
    ],
)
def test_sizes_by_hand(of: type[Any], size: int) -> None:
    assert Space(of).size() == size
    if size < 10_000:
        listed = list(Space(of).enumerate())
        assert len(set(listed)) == len(listed) == size


def test_a_condition_on_a_large_repeat_is_counted_without_listing_it() -> None:
    @architecture
    class Network:
        layers: tuple[Layer, ...] = repeat(Layer, 1, 60)
        jump: str | None = choice("cat", "max", when=lambda a: len(a.layers) > 2)
        first: int | None = integer(1, 10, when=lambda a: a.layers[0].heads == 8)

    # of the four first layers one switches on the knob with ten values
    lengths = sum((1 if n <= 2 else 2) * (3 + 10) * 4 ** (n - 1) for n in range(1, 61))
    assert Space(Network).size() == lengths


def test_many_switches_are_counted_apart() -> None:
    body: dict[str, Any] = {}
    for k in range(40):
        body[f"on{k}"] = choice("a", "b", "c")
        body[f"x{k}"] = integer(1, 10, when=lambda a, k=k: getattr(a, f"on{k}") == "a")
    of = architecture(type("Switches", (), {**body, "__annotations__": dict.fromkeys(body, Any)}))
    assert Space(of).size() == 12**40


def test_conditions_may_call_methods_and_compare_whole_parts() -> None:
    @architecture
    class Compared:
        one: Layer = nested(Layer)
        two: Layer = nested(Layer)
        same: bool | None = choice(True, False, when=lambda a: a.alike())
        plain: bool | None = choice(True, False, when=lambda a: a.one in {Layer(conv="gcn", heads=None)})

        def alike(self) -> bool:
            return self.one == self.two

    assert Space(Compared).size() == len(set(Space(Compared).enumerate())) == 1 * 4 + 3 * 2 + 3 * 2 + 9


def test_a_part_that_forbids_is_listed_by_itself() -> None:
    @architecture
    class Many:
        parts: tuple[Forbidding, ...] = repeat(Forbidding, 20, 20)
        extra: bool | None = choice(True, False, when=lambda a: a.parts[0].a == 3)

    assert Space(Many).size() == 30**19 * (25 + 5 * 2)


def test_forbidden_combinations_are_counted_without_listing_the_rest() -> None:
    @architecture
    class Wide:
        layers: tuple[Layer, ...] = repeat(Layer, 30, 30)
        free: int = integer(1, 10**6)

        def forbidden(self) -> str | None:
            return "all alike" if all(layer.conv == "gcn" for layer in self.layers) else None

    assert Space(Wide).size() == (4**30 - 1) * 10**6


def test_too_many_combinations_are_refused() -> None:
    @architecture
    class Vast:
        a: int = integer(1, 10_000)
        b: int = integer(1, 10_000)

        def forbidden(self) -> str | None:
            return "a and b must differ" if self.a == self.b else None

    with pytest.raises(BadInput, match="the exact size of Vast is unknown: its conditions and forbidden combinations"):
        Space(Vast).size()


def test_real_numbers_have_no_size() -> None:
    @architecture
    class Inner:
        lr: float = real(0, 1)

    @architecture
    class Outer:
        inner: Inner = nested(Inner)

    with pytest.raises(BadInput, match=r"inner\.lr is a real number, so Outer has no finite size"):
        Space(Outer).size()
    with pytest.raises(BadInput, match=r"inner\.lr is a real number"):
        Space(Outer).enumerate()
    assert not Space(Outer).finite()


def misread(name: str) -> type[Any]:
    @architecture
    class Misread:
        conv: str = choice("gcn", "gat")
        heads: int | None = choice(1, 2, when=lambda a: getattr(a, name) == "gat")
        later: str = choice("x", "y")

    return Misread


@pytest.mark.parametrize("name", ["cnov", "later", "heads"])
def test_a_condition_reads_earlier_fields_only(name: str) -> None:
    message = f"a condition of Misread reads '{name}', which is no field declared before it"
    with pytest.raises(BadInput, match=message):
        Space(misread(name)).size()
    with pytest.raises(BadInput, match=message):
        Space(misread(name)).sample(random.Random(0))


def test_an_error_inside_a_condition_is_not_hidden() -> None:
    @architecture
    class Wrong:
        conv: str = choice("gcn", "gat")
        heads: int | None = choice(1, 2, when=lambda a: a.conv.upper().foo)

    with pytest.raises(AttributeError, match="'str' object has no attribute 'foo'"):
        Space(Wrong).sample(random.Random(0))


def test_earlier_outside_a_repeat_has_one_value() -> None:
    @architecture
    class Lone:
        source: int = earlier()

    assert Space(Lone).size() == 1
    assert list(Space(Lone).enumerate()) == [Lone(source=0)]
