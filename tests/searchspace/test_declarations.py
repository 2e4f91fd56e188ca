"""Wrong declarations and wrong values are refused, and the message says what came and what was expected."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace
from typing import Any

import pytest

from nas.searchspace import (
    BadInput,
    Recipe,
    Space,
    architecture,
    choice,
    constant,
    earlier,
    integer,
    nested,
    real,
    repeat,
)
from nas.searchspace.domains import Choice
from tests.searchspace.declared import (
    Cell,
    Conditional,
    Dag,
    Fixed,
    Flat,
    Forbidding,
    Head,
    Layer,
    Numbers,
    Pair,
    Stacked,
)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: choice(), "a choice needs at least one option: a space with no architectures cannot be searched"),
        (lambda: choice("a", "b", "a"), "a choice names an option twice: 'a', 'b', 'a'"),
        (lambda: choice(1, True), "a choice names an option twice: 1, True"),
        (lambda: choice(1, 1.0), "a choice names an option twice: 1, 1.0"),
        (lambda: choice("a", Layer), "are text, finite numbers, booleans or None; got <class"),
        (lambda: choice("a", float("nan")), "got nan"),
        (lambda: choice("a", (1, 2)), "Register an operator of your own with @operator(name)"),
        (lambda: integer(3, 2), "an integer from 3 to 2 has no values: low must not exceed high"),
        (lambda: integer(1, 2.5), "the limits of an integer are whole numbers; got 1, 2.5"),
        (lambda: integer(0, 5, log=True), "an integer on a log scale starts at 1 or above; got 0"),
        (lambda: real(1, 1), "a real number needs finite limits, low below high; got 1, 1"),
        (lambda: real(0, float("inf")), "a real number needs finite limits"),
        (lambda: real(0, 1, log=True), "a real number on a log scale starts above 0; got 0"),
        (lambda: repeat(Layer, 3, 2), "a repeat takes 0 <= low <= high items; got 3 to 2"),
        (lambda: repeat(Layer, -1, 2), "a repeat takes 0 <= low <= high items; got -1 to 2"),
        (lambda: repeat(int, 1, 2), "repeat and nested take a class decorated with @architecture; got <class 'int'>"),
        (lambda: nested(Recipe), "repeat and nested take a class decorated with @architecture"),
        (lambda: constant([1]), "a constant is text, a finite number, a boolean or None; got [1]"),
        (lambda: Space(int), "a space is made of a class decorated with @architecture; got <class 'int'>"),
        (lambda: Space(Flat(conv="gcn", width=4, skip=True)), "a space is made of a class decorated"),
        (lambda: Space(Recipe), "a space is made of a class decorated with @architecture"),
    ],
)
def test_a_wrong_declaration(declare: Any, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        declare()


def test_a_field_without_a_domain() -> None:
    with pytest.raises(BadInput, match=r"Plain\.width names no domain; declare it with choice, integer, real"):

        @architecture
        class Plain:
            conv: str = choice("gcn")
            width: int


def test_a_post_init_would_be_lost_and_is_refused() -> None:
    with pytest.raises(BadInput, match="Mine has a __post_init__; say what is not allowed in forbidden"):

        @architecture
        class Mine:
            conv: str = choice("gcn")

            def __post_init__(self) -> None: ...


GAT, GCN = Layer(conv="gat", heads=4), Layer(conv="gcn", heads=None)


@pytest.mark.parametrize(
    ("of", "values", "message"),
    [
        (Layer, {"conv": "gatt", "heads": 1}, "Layer.conv must be one of 'gcn', 'gat'; got 'gatt' (did you mean 'gat'"),
        (Layer, {"conv": ["gat"], "heads": 1}, "Layer.conv must be one of 'gcn', 'gat'; got ['gat']"),
        (Layer, {"conv": "gcn", "heads": 4}, "Layer.heads is inactive here and must be None; got 4"),
        (Layer, {"conv": "gat", "heads": None}, "Layer.heads must be one of 1, 4, 8; got None"),
        (Layer, {"conv": "gat", "heads": True}, "Layer.heads must be one of 1, 4, 8; got True"),
        (Layer, {"conv": "gat", "heads": 4.0}, "Layer.heads must be one of 1, 4, 8; got 4.0"),
        (Forbidding, {"a": 1, "b": 1}, "Forbidding: a and b must differ"),
        (Forbidding, {"a": 1, "b": 6}, "Forbidding.b must be from 0 to 5; got 6"),
        (Forbidding, {"a": True, "b": 2}, "Forbidding.a must be from 0 to 5; got True"),
        (Fixed, {"width": 65, "depth": 1}, "Fixed.width is the constant 64; got 65"),
        (Cell, {"source": -1, "op": "a"}, "Cell.source must be the number of an earlier item, 0 or more; got -1"),
    ],
)
def test_a_wrong_value(of: type[Any], values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        of(**values)


STACKED = Stacked(layers=(GAT, GCN), head=Head(norm="none", width=8), residual=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": (GAT,) * 4}, "Stacked.layers takes a tuple of 0 to 3 Layer; got 4 of them"),
        ({"layers": [GAT, GAT]}, "Stacked.layers takes a tuple of 0 to 3 Layer; got [Layer("),
        ({"layers": (GAT, STACKED.head)}, "Stacked.layers[1] must be of class Layer; got Head("),
        ({"head": GAT}, "Stacked.head must be of class Head; got Layer("),
        ({"layers": (GAT,)}, "Stacked.residual is inactive here and must be None; got True"),
    ],
)
def test_replace_refuses_a_bad_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        dataclasses.replace(STACKED, **change)


def test_replace_makes_another() -> None:
    other = dataclasses.replace(STACKED, residual=False)
    assert other != STACKED
    assert other.layers is STACKED.layers
    assert "residual=False" in repr(other)


def test_an_item_refers_to_earlier_ones_also_inside_nested_parts() -> None:
    first = Pair(left=Cell(source=0, op="a"), right=Cell(source=0, op="a"))
    later = Pair(left=Cell(source=0, op="a"), right=Cell(source=1, op="b"))
    assert Dag(cells=(first, later))
    with pytest.raises(BadInput, match=r"Dag\.cells\[0\]\.right\.source must be an earlier item, 0 to 0; got 1"):
        Dag(cells=(later, first))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"layers": 1}, "needs a value for the knob 'layers.0.conv'"),
        ({"layers": 9}, "layers must be from 0 to 3; got 9"),
        ({"layers": "2"}, "layers must be from 0 to 3; got '2'"),
        (
            {"layers": 0, "head.norm": "bach", "head.width": 8},
            "head.norm must be one of 'none', 'batch'; got 'bach'",
        ),
        ({"layers": 0, "head.norm": "none", "head.width": 8, "x": 1}, "has no active knob 'x' here"),
        ({"layers": 0, "head.norm": "none", "head.width": 8, "residual": True}, "has no active knob 'residual' here"),
    ],
)
def test_wrong_knobs(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        Space(Stacked).from_knobs(knobs)


HEAD = {"norm": "none", "width": 8}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "Stacked must be an object of its fields; got []"),
        ({"layer": []}, "Stacked has no field 'layer'; it has layers, head, residual"),
        ({"layers": 3, "head": HEAD}, "Stacked.layers must be a list; got 3"),
        ({"layers": ["gcn"], "head": HEAD}, "Stacked.layers[0] must be an object of its fields; got 'gcn'"),
        ({"layers": [{"conv": "gcn", "x": 1}], "head": HEAD}, "Stacked.layers[0] has no field 'x'; it has conv, heads"),
        (
            {"layers": [{"conv": "gcm"}], "head": HEAD},
            "Layer.conv must be one of 'gcn', 'gat'; got 'gcm'",
        ),
        ({"head": HEAD}, "Stacked.layers takes a tuple of 0 to 3 Layer; got None"),
        ({"layers": []}, "Stacked.head must be of class Head; got None"),
    ],
)
def test_wrong_json(data: Any, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        Space(Stacked).from_json(data)


def test_json_may_leave_out_what_is_inactive_or_constant() -> None:
    assert Space(Stacked).from_json({"layers": [], "head": HEAD}).residual is None
    assert Space(Fixed).from_json({"depth": 1}) == Fixed(width=64, kind="gcn", depth=1)
    with pytest.raises(BadInput, match=r"Fixed\.width is the constant 64; got 65"):
        Space(Fixed).from_json({"depth": 1, "width": 65})


def test_real_numbers_within_their_limits() -> None:
    with pytest.raises(BadInput, match=re.escape("Numbers.lr must be from 0.0001 to 0.1 (log, real); got 0.2")):
        Numbers(count=2, width=8, lr=0.2, dropout=0.0, momentum=None)
    with pytest.raises(BadInput, match=r"Numbers\.dropout must be from 0 to 0\.9 \(real\); got nan"):
        Numbers(count=2, width=8, lr=0.01, dropout=float("nan"), momentum=None)


def test_options_keep_their_types() -> None:
    assert Choice((1, "1", None)).contains(1)
    assert not Choice((1, "1")).contains(True)
    assert not Choice((1.0, 2.0)).contains(1)


def test_fields_are_keywords() -> None:
    with pytest.raises(TypeError):
        Conditional("gcn")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser": "lion"}, "optimiser must be one of adam, adamw, sgd; got 'lion'"),
        ({"lr": 0}, "lr must be positive; got 0"),
        ({"weight_decay": -1}, "weight_decay must not be negative; got -1"),
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"patience": 0}, "patience must be at least 1; got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
    ],
)
def test_a_wrong_recipe(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        Recipe(**change)


@pytest.mark.parametrize(
    ("recipe", "epochs"),
    [
        (Recipe(), 30),
        (Recipe(epochs=500, cosine=True), 500),
        (replace(Recipe(cosine=True), epochs=70), 70),
        (Recipe(epochs=500, cosine=True, patience=40), 40),
    ],
)
def test_an_annealed_training_waits_to_its_end_unless_told_otherwise(recipe: Recipe, epochs: int) -> None:
    assert recipe.waits == epochs


def test_earlier_in_a_class_used_alone_is_the_input() -> None:
    @architecture
    class Lone:
        source: int = earlier()

    with pytest.raises(BadInput, match="source must be from 0 to 0; got 1"):
        Space(Lone).from_knobs({"source": 1})
