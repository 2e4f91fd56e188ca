"""Expected bits of a supernet that has decided against those of the network of that architecture."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from nas.controllers.supernet.parts import bits_of
from nas.data import load
from nas.searchspace import Network, Space, Value, architecture, choice, nested
from nas.searchspace.formats import Formats, quantised
from nas.searchspace.spaces.registry import find
from tests.controllers.spaces import Cell, Flat
from tests.controllers.supernet.worlds import even, network, one_hot, supernet
from tests.nas.toys import graph, graphs

TASK, GRAPHS = load(graph(20)), load(graphs(12))


def stored(model: torch.nn.Module) -> tuple[float, int, int]:
    """Bits of the weights, those that ``pack`` takes without scales, and the number of its tensors."""
    bits, packed, tensors, low = 0.0, 0, 0, set()
    modules: list[Any] = list(model.modules())
    for module in modules:
        if type(module).__name__ == "Quantised":  # the class that stands in the generated source
            held = module.pack()
            for key, quantiser in module.weights.items():
                name = "layer." + key.replace("/", ".")
                parameter = module.get_parameter(name)
                low.add(id(parameter))
                bits += parameter.numel() * bits_of(quantiser.format)
                packed, tensors = packed + 8 * len(held[name]), tensors + 1
    rest = 32 * sum(p.numel() for p in model.parameters() if id(p) not in low)
    return bits + rest, packed + rest, tensors


@architecture
class Mapped:
    """Linear maps and shortcuts of several widths beside each other."""

    first: int = choice(2, 4)
    second: int = choice(2, 4, 8)
    mapped: str = choice("no", "yes")
    norm: str = choice("none", "batch", "layer")
    activation: str = choice("relu", "prelu")
    formats: Formats = nested(Formats)

    def network(self, net: Network) -> Value:
        net.precision = self.formats
        x = net.norm(self.norm, net.linear(net.x, self.first))
        x = net.concat(net.activation(self.activation, x), net.linear(net.x, self.second, bias=False))
        return net.choose(self.mapped, {"no": net.linear(x, 3), "yes": net.linear(net.linear(x, 6), 3)})


SPACES = {
    "lpgnas": (find("lpgnas").of, TASK),
    "lpgnas, graphs": (find("lpgnas").of, GRAPHS),
    "mapped": (Mapped, TASK),
    "mapped, graphs": (Mapped, GRAPHS),
    "cell": (quantised(Cell), TASK),
    "cell, each layer": (quantised(Cell, layers=3), TASK),
}


@pytest.mark.parametrize("which", SPACES)
def test_bits_are_those_of_the_derived_network(which: str) -> None:
    """In a file every tensor is filled up to whole bytes, and has a scale; set2set and attention are readouts too."""
    of, task = SPACES[which]
    net, space = supernet(of, task), Space(of).for_task(task)
    for seed in range(12):
        made = space.sample(random.Random(seed))
        expected, packed, tensors = stored(network(made, task))
        found = net.size(one_hot(net.knobs, space.knobs(made))).item()
        assert found == pytest.approx(expected, rel=1e-5)
        assert 0 <= packed - found + 1e-2 < 8 * tensors + 1


def test_operators_of_two_widths_are_counted_to_and_from_the_widest() -> None:
    """Exact for matrices from what comes in to what goes out, as of gcn and sage."""
    net, space = supernet(Flat, TASK), Space(Flat)
    for made in space.enumerate():
        if made.conv != "gat" and made.dropout == 0:
            found = net.size(one_hot(net.knobs, space.knobs(made))).item()
            assert found == pytest.approx(stored(network(made, TASK))[0], rel=1e-5)


@architecture
class Plain:
    width: int = choice(4, 8)
    formats: Formats = nested(Formats)

    def network(self, net: Network) -> Value:
        net.precision = self.formats
        settings: Any = {"attention": "gat", "aggregate": "sum", "combine": "identity", "concat": True, "dropout": 0.0}
        return net.operator("attention", net.x, self.width, heads=2, **settings)


def test_buffers_by_hand() -> None:
    """What 20 nodes send, the coefficients of 50 edges and two heads, and what enters the head."""
    net = supernet(Plain, TASK)
    chosen = {"formats.messages": "int4", "formats.attention": "affine6", "formats.activations": "affine3"}
    for width in (4, 8):
        weights = one_hot(net.knobs, {**chosen, "width": width})
        found = net.buffer(weights, 20, 50).item()
        assert found == 20 * width * 4 + 50 * 2 * 6 + 20 * width * 3
    mean_bits = {"messages": 6, "attention": 6, "activations": (3 + 4 + 6 + 8) / 4}
    expected = 20 * 6 * mean_bits["messages"] + 50 * 2 * mean_bits["attention"] + 20 * 6 * mean_bits["activations"]
    assert net.buffer(even(net.knobs), 20, 50).item() == pytest.approx(expected)


def test_size_by_hand() -> None:
    """Ternary numbers are five to a byte; biases are floats."""
    net = supernet(Plain, TASK)
    for name, bits in [("ternary", 1.6), ("binary", 1), ("int3", 3)]:
        found = net.size(one_hot(net.knobs, {"width": 4, "formats.weights": name})).item()
        assert found == pytest.approx(bits * (5 * 4 + 2 * 4 + 4 * 3) + 32 * (4 + 3))


def test_the_price_reaches_every_knob_that_costs() -> None:
    net = supernet(find("lpgnas").of, TASK)
    logits = [torch.zeros(len(knob.options), requires_grad=True) for knob in net.knobs]
    weights = type(even(net.knobs))(tuple(torch.softmax(each, 0) for each in logits))
    (net.size(weights).log() + net.buffer(weights, 20, 50).log()).backward()
    reached = {k.path for k, each in zip(net.knobs, logits, strict=True) if each.grad is not None and each.grad.any()}
    free = {"activation", "protect"}
    expected = {knob.path for knob in net.knobs if knob.path.rpartition(".")[2] not in free}
    never = {"blocks.1.hidden", "blocks.0.formats.activations"}  # the task says how wide; the features are given
    assert reached == expected - never


def test_what_is_not_chosen_does_not_count() -> None:
    net = supernet(Mapped, TASK)
    no, yes = (net.used(one_hot(net.knobs, {"mapped": name})) for name in ("no", "yes"))
    assert len(yes) - len(no) == 2  # one more map, and what rounds before it
    assert set(map(float, [*no.values(), *yes.values()])) == {1.0}
    assert sorted(set(map(float, net.used(even(net.knobs)).values()))) == [0.5, 1.0]
