"""Formats as knobs: names, any space with them, what its networks leave out."""

from __future__ import annotations

import pickle
import random
import re
from pathlib import Path
from typing import Any

import pytest

from nas.searchspace import BadInput, Network, Space, Value, architecture, choice
from nas.searchspace.formats import Formats, formats, quantised
from nas.searchspace.precision import FLOAT, Precision, check_format
from nas.searchspace.source import source, trace
from nas.searchspace.spaces.registry import absolute, find
from tests.searchspace.declared import GRAPH, NODE, Flat

GOOD = ("float", "binary", "ternary", "int2", "int16", "affine8", "int4-channel", "int4-learned", "binary-channel")


@pytest.mark.parametrize("name", GOOD)
def test_names_of_formats(name: str) -> None:
    assert check_format(name, "weights") == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int1", "weights: a format is float, binary, ternary, or int or affine with 2 to 16 bits"),
        ("int17", "such as int4 or affine8; got 'int17'"),
        ("int04", "got 'int04'"),
        ("int", "got 'int'"),
        ("fixed4", "got 'fixed4'"),
        ("", "got ''"),
        (4, "got 4"),
        (None, "got None"),
        ("int4-row", "behind a format there may be one of -channel and -learned; got 'int4-row'"),
        ("int4-channel-learned", "there may be one of -channel and -learned"),
        ("float-channel", "there may be one of -channel and -learned"),
        ("affine4-learned", "a scale can be learned of symmetric formats alone, such as int4-learned"),
        ("ternary-learned", "a scale can be learned of symmetric formats alone"),
    ],
)
def test_names_of_no_formats(name: Any, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        check_format(name, "weights")


def test_only_weights_have_rows() -> None:
    assert Precision(weights="int4-channel").weights == "int4-channel"
    with pytest.raises(
        BadInput, match="messages: 'int4-channel' has a scale for each row, which only weights can have"
    ):
        Precision(messages="int4-channel")
    with pytest.raises(BadInput, match="activations: 'int4-channel' has a scale"):
        formats(activations=("int4-channel",))
    with pytest.raises(BadInput, match=r"protect is a probability from 0 to below 1; got 1\.0"):
        Precision(protect=1.0)
    with pytest.raises(BadInput, match="protect is a probability from 0 to below 1; got 'much'"):
        formats(protect=("much",))  # type: ignore[arg-type]


def test_precision_of_anything_with_its_names() -> None:
    class Some:
        weights = "int4"

    assert Precision.of(Some()) == Precision(weights="int4")
    assert Precision.of(object()) == FLOAT
    assert str(Precision("int4", "affine8", "float", "affine4")) == "W int4, A affine8, E affine4"
    assert str(FLOAT) == "float"


# any space with formats


@pytest.mark.parametrize("task", [NODE, GRAPH], ids=["node", "graph"])
@pytest.mark.parametrize("options", [{}, {"weights": ("int4", "ternary"), "protect": (0.0,)}], ids=["all", "few"])
@pytest.mark.parametrize("of", ["agnn", "design", Flat], ids=str)
def test_architectures_travel(of: Any, options: Any, task: Any) -> None:
    """As JSON, as knobs, and to another process with or without a readout that the task's level adds."""
    space = quantised(find(of), **options).for_task(task)
    rng = random.Random(1)
    for _ in range(5):
        a = space.sample(rng)
        assert space.from_json(space.to_json(a)) == a
        back = pickle.loads(pickle.dumps(a))
        assert back == a
        assert type(back) is type(a)
        assert hash(back) == hash(a)
        assert a.formats.weights in options.get("weights", (a.formats.weights,))
        assert space.canonical(space.canonical(a)) == space.canonical(a)
        source(a, task)


def test_the_space_is_larger_by_its_formats() -> None:
    one = formats(weights=("int4", "int8"), activations=("affine8",), messages=("int8",), protect=(0.0,))
    assert Space(one).size() == 2 * 3
    assert formats() is Formats
    of = quantised(Flat, weights=("int4",), attention=("affine8", "float"))
    assert Space(of).size() == Space(Flat).size() * 1 * 4 * 3 * 2 * 2
    assert of is quantised(Flat, weights=("int4",), attention=("affine8", "float"))
    assert quantised(Space(Flat)).name == "quantised:Flat"


def test_formats_of_each_layer() -> None:
    one = {"weights": ("int4", "int8"), "attention": ("affine8",), "messages": ("int8",), "protect": (0.0,)}
    of = quantised(find("classic"), layers=2, **one)
    space = of.for_task(GRAPH)
    assert of.size() == quantised(find("classic"), **one).size() * 8
    rng = random.Random(0)
    for _ in range(10):
        a = space.sample(rng)
        assert space.from_json(space.to_json(a)) == a
        assert pickle.loads(pickle.dumps(a)) == a
        assert all(space.canonical(space.mutate(a, rng)) for _ in range(3))
        steps = [s for s in trace(a, GRAPH)[0].steps if s.kind in ("operator", "linear")]
        wanted = [a.formats[min(k, 1)].weights for k in range(len(steps))]
        assert [s.precision.weights for s in steps] == wanted


def test_what_cannot_be_quantised() -> None:
    with pytest.raises(BadInput, match="layers is how many have formats of their own, or 0; got -1"):
        quantised(Flat, layers=-1)
    for twice in (quantised(Flat), find("quantised:agnn")):
        with pytest.raises(BadInput, match=r"has a field 'formats' already; set net\.precision in"):
            quantised(twice)
    with pytest.raises(BadInput, match="quantised takes a class decorated with @architecture, or a space; got 3"):
        quantised(3)
    with pytest.raises(BadInput, match="weights: a format is float"):
        quantised(Flat, weights=("int99",))


FILE = (
    "from nas.searchspace import architecture, choice\n\n\n@architecture\nclass Mine:\n    conv: str = choice('gcn', "
    "'sage')\n\n    def network(self, net):\n        return net.operator(self.conv, net.x, 4)\n"
)


def test_a_file_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "formatted.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    name = absolute("quantised:formatted.py:Mine")
    assert name == f"quantised:{tmp_path.resolve()}/formatted.py:Mine"
    monkeypatch.chdir("/")
    space = find(name)
    assert space.size() == 2 * Space(Formats).size()
    assert space.name == "quantised:Mine"
    assert absolute("quantised:agnn") == "quantised:agnn"
    with pytest.raises(BadInput, match="did you mean 'agnn'"):
        find("quantised:agn")


# in the network


def network(build: Any, task: Any = NODE) -> Any:
    @architecture
    class Built:
        one: int = choice(1)

        def network(self, net: Network) -> Value:
            value: Value = build(net)
            return value

    return trace(Built(one=1), task)[0]


def test_the_branch_that_is_not_chosen_is_left_out() -> None:
    def build(net: Network, chosen: str) -> Value:
        short, long = net.linear(net.x, 4), net.activation("relu", net.linear(net.x, 4))
        return net.choose(chosen, {"short": short, "long": long})

    assert [s.kind for s in network(lambda net: build(net, "short")).steps] == ["linear", "linear"]
    assert [s.kind for s in network(lambda net: build(net, "long")).steps] == ["linear", "activation", "linear"]
    with pytest.raises(BadInput, match="there is no value for 'other'; there are 'short', 'long'"):
        network(lambda net: build(net, "other"))


def test_what_enters_is_rounded_once() -> None:
    def build(net: Network) -> Value:
        net.precision = Precision(weights="int4", activations="affine4")
        return net.linear(net.dropout(0.5, net.linear(net.quantise(net.x), 4)), 4)

    steps = network(build).steps
    assert [s.kind for s in steps] == ["quantise", "linear", "quantise", "dropout", "linear", "quantise", "linear"]
    assert {s.construct for s in steps if s.kind == "quantise"} == {"Quantiser('affine4')"}


def test_only_what_a_layer_has_is_named() -> None:
    def build(net: Network) -> Value:
        net.precision = Precision("int4", "float", "int8", "affine8", 0.1)
        x = net.operator("gcn", net.linear(net.x, 4), 4)
        net.precision = FLOAT
        return net.scores(net.linear(x, NODE.outputs))

    made = [s.construct for s in network(build).steps]
    assert made == [
        "Quantised(torch.nn.Linear(5, 4), weights='int4')",
        "Quantised(GCNConv(4, 4), weights='int4', messages='int8', attention='affine8', protect=0.1)",
        "torch.nn.Linear(4, 3)",
    ]


def test_lpgnas_looks_for_formats_of_every_block() -> None:
    space = find("lpgnas").for_task(NODE)
    a = space.sample(random.Random(0))
    assert len({b.formats for b in a.blocks}) == 2
    text = source(a, NODE)
    for block in space.canonical(a).blocks:
        assert f"weights={block.formats.weights!r}" in text
        assert f"Quantiser({block.formats.activations!r}" in text
