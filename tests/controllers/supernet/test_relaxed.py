"""Architectures whose knobs are not decided."""

from __future__ import annotations

from itertools import product

import pytest

from nas.controllers.supernet.mixed import Branches, Mixed, options
from nas.controllers.supernet.relaxed import relaxed
from nas.searchspace import Space
from nas.searchspace.language import architecture, choice, integer, nested, repeat
from tests.controllers.spaces import Cell, Conditional, Flat, Nested


@architecture
class Layer:
    conv: str = choice("gcn", "gat", "sage")
    heads: int | None = choice(1, 4, when=lambda layer: layer.conv == "gat")
    both: int | None = choice(1, 2, when=lambda layer: (layer.conv == "gat") & (layer.heads == 4))


@architecture
class Deep:
    layers: tuple[Layer, ...] = repeat(Layer, 2, 2)
    head: Layer = nested(Layer)
    width: int = integer(1, 3)
    fixed: str = choice("only")

    def double(self) -> int:
        return 2 * self.width


def test_knobs_are_those_of_the_space() -> None:
    made, knobs = relaxed(Deep)
    paths = [knob.path for knob in knobs]
    assert set(paths) == set(Space(Deep).every_knob()) - {"fixed", "layers"}
    assert [knob.number for knob in knobs] == list(range(len(knobs)))
    assert made.fixed == "only"
    assert options(made.width) == (1, 2, 3)
    assert options(made.double()) == (2, 4, 6)
    assert made.layers[0].conv.knobs[0].path == "layers.0.conv"


def test_a_knob_that_is_not_always_there_is_none_where_it_is_not() -> None:
    made, _ = relaxed(Layer)
    assert [knob.path for knob in made.heads.knobs] == ["conv", "heads"]
    assert made.heads.table == (None, None, 1, 4, None, None)
    both = dict(zip(_combinations(made.both), made.both.table, strict=True))
    assert {chosen for chosen, value in both.items() if value is not None} == {("gat", 4, 1), ("gat", 4, 2)}


def _combinations(mixed: Mixed) -> list[tuple[object, ...]]:
    return list(product(*(knob.options for knob in mixed.knobs)))


def test_earlier_nodes_are_those_before() -> None:
    made, knobs = relaxed(Cell)
    assert made.nodes[0].source == 0  # there is no other
    assert [options(node.source) for node in made.nodes[1:]] == [(0, 1), (0, 1, 2)]
    assert len(knobs) == 5


@architecture
class Wide:
    hidden: int = integer(1, 33)


@architecture
class Real:
    inner: tuple[Conditional, ...] = repeat(Conditional, 1, 1)


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (Wide, r"the knob hidden has 33 options, 32 at the most"),
        (Real, r"the knob inner\.0\.rate is a real number"),
        (Nested, r"the length of layers is searched, from 1 to 3"),
    ],
)
def test_what_a_supernet_cannot_have_is_refused_by_name(of: type, why: str) -> None:
    with pytest.raises(Branches, match=f"^{why}$"):
        relaxed(of)


def test_flat_integers_are_options() -> None:
    assert options(relaxed(Flat)[0].dropout) == tuple(range(7))
