"""Which layers may inherit from which: the laws of AGNN's constraint."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch

from nas.searchspace import Network, Task, Value, architecture, choice
from nas.searchspace.operators import OPERATORS, operator
from nas.searchspace.sharing import MODES, Part, parts
from nas.searchspace.source import module, trace
from nas.searchspace.spaces.agnn import AGNN
from nas.searchspace.spaces.agnn import Layer as Attention
from nas.searchspace.spaces.design import Design
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import GRAPH, NODE, TASKS
from tests.searchspace.test_operators import ROWS, widths

BASE = Attention(hidden=8, attention="gat", heads=4, aggregate="sum", combine="identity", activation="elu")
TWO = AGNN(layers=(BASE, replace(BASE, hidden=4)))


@architecture
class Free:
    """Any network: what a test says."""

    name: str = choice("any")

    def network(self, net: Network) -> Value:
        return WRITE[0](net)


WRITE: list[Any] = [None]


def of(write: Any, mode: str = "homogeneous", task: Task = NODE) -> dict[str, Part]:
    """The parts of a network by the submodule they belong to."""
    WRITE[0] = write
    return {part.names[0].split(".")[0]: part for part in parts(Free(name="any"), task, mode)}


def common(a: Any, b: Any, task: Task = NODE) -> set[str]:
    """The submodules of ``a`` that may start with weights of ``b``."""
    keys = {part.key for part in parts(b, task)}
    return {part.names[0].split(".")[0] for part in parts(a, task) if part.key in keys}


@pytest.mark.each_once
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("name", SPACES.names())
def test_every_built_in_space(name: str, task: Task, mode: str) -> None:
    space, rng = find(name).for_task(task), random.Random(0)
    for _ in range(10):
        sampled = space.sample(rng)
        state = module(sampled, task).state_dict()
        made = parts(sampled, task, mode)
        names = [name for part in made for name in part.names]
        assert made
        assert len(set(names)) == len(names)
        assert set(names) <= set(state)
        assert mode == "homogeneous" or set(names) == set(state)
        assert len({part.key for part in made}) == len(made)
        assert made == parts(sampled, task, mode)


@pytest.mark.parametrize("mode", MODES)
def test_parts_of_one_key_have_tensors_of_one_shape(mode: str) -> None:
    """Over many networks of all spaces: what may be inherited fits."""
    seen: dict[Any, list[Any]] = {}
    rng = random.Random(1)
    for name in SPACES.names():
        space = find(name).for_task(GRAPH)
        for _ in range(60):
            sampled = space.sample(rng)
            state = module(sampled, GRAPH).state_dict()
            for part in parts(sampled, GRAPH, mode):
                shapes = [(name.split(".", 1)[1], state[name].shape) for name in part.names]
                assert seen.setdefault(part.key, shapes) == shapes
    assert len(seen) > 50


@pytest.mark.parametrize(("name", "settings"), ROWS)
def test_every_operator(name: str, settings: dict[str, Any]) -> None:
    for inputs, outputs in widths(name):

        def write(net: Network, inputs: int = inputs, outputs: int = outputs) -> Value:
            return net.operator(name, net.linear(net.x, inputs), outputs, **settings)

        found = of(write)
        state = module(Free(name="any"), NODE).state_dict()
        has = [key for key in state if key.startswith("conv1.")]
        assert (found["conv1"].names if "conv1" in found else ()) == (() if name == "skip" else tuple(has))
        assert "linear1" in found


# the constraint, layer by layer


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("changed", "value"), [("attention", "cos"), ("heads", 2), ("activation", "relu"), ("combine", "mlp")]
)
def test_another_decision_blocks_its_own_layer(number: int, changed: str, value: Any) -> None:
    layers = list(TWO.layers)
    layers[number] = replace(layers[number], **{changed: value})
    blocked = {f"conv{number + 1}"} | ({"conv2"} if changed == "heads" else set())  # other inputs of the next one
    assert common(AGNN(layers=tuple(layers)), TWO) == {"conv1", "conv2"} - blocked


def test_another_width_blocks_all_that_it_changes_the_shapes_of() -> None:
    wider = AGNN(layers=(replace(BASE, hidden=16), TWO.layers[1]))
    assert common(wider, TWO) == set()
    assert common(wider, TWO, GRAPH) == {"linear1"}


@pytest.mark.parametrize("number", [0, 1])
def test_another_aggregation_blocks_nothing_unless_it_has_weights(number: int) -> None:
    for aggregate in ("mean", "max", "mlp"):
        layers = list(TWO.layers)
        layers[number] = replace(layers[number], aggregate=aggregate)
        own = {f"conv{number + 1}"} if aggregate == "mlp" else set()
        assert common(AGNN(layers=tuple(layers)), TWO) == {"conv1", "conv2"} - own


def test_the_activation_after_a_layer_is_found_behind_what_is_no_layer() -> None:
    def write(kind: str, norm: str = "batch", dropout: float = 0.5, late: str = "relu") -> Any:
        def network(net: Network) -> Value:
            x = net.dropout(dropout, net.norm(norm, net.operator("gcn", net.x, 4)))
            return net.activation(late, net.operator("gcn", net.activation(kind, net.add(x, net.linear(net.x, 4))), 4))

        return network

    first = of(write("relu"))
    assert of(write("relu", "none", 0.0)) == first
    for other in (of(write("elu")), of(write("linear"))):
        assert other["conv1"].key != first["conv1"].key
        assert other["conv2"] == first["conv2"]
    other = of(write("relu", late="elu"))
    assert other["conv1"] == first["conv1"]
    assert other["conv2"].key != first["conv2"].key


def test_the_place_counts() -> None:
    """One layer more in front moves all others; the head and the maps before message passing are no layers of it."""

    def write(before: int, layers: int) -> Any:
        def network(net: Network) -> Value:
            x = net.x
            for _ in range(before):
                x = net.activation("relu", net.linear(x, 4))
            for _ in range(layers):
                x = net.activation("relu", net.operator("gcn", x, 4))
            return net.activation("relu", net.linear(x, 4))

        return network

    two, three = of(write(1, 2)), of(write(1, 3))
    assert {name for name in two if two[name].key in {part.key for part in three.values()}} == {
        "linear1", "conv1", "conv2"
    }  # fmt: skip
    maps, none = of(write(2, 1)), of(write(2, 0))
    assert maps["linear3"].key != none["linear3"].key  # a map after message passing is none before it
    branches = of(lambda net: net.concat(net.operator("gcn", net.x, 4), net.operator("gcn", net.x, 4)))
    assert branches["conv1"].key != branches["conv2"].key


@pytest.mark.parametrize("connectivity", ["stack", "skip-sum", "skip-cat"])
def test_normalisation_and_learnable_activations_are_never_shared(connectivity: str) -> None:
    base = Design(
        pre_layers=1, layers=2, post_layers=2, connectivity=connectivity, aggregation="mean", activation="prelu",
        norm="batch", dropout=0.0, optimiser="adam", lr=0.01, batch_size=32, epochs=100,
    )  # fmt: skip
    kinds = {name.rstrip("0123456789") for part in parts(base, NODE) for name in [part.names[0].split(".")[0]]}
    assert kinds == {"linear"}
    every = {name.split(".")[0] for part in parts(base, NODE, "all") for name in part.names}
    assert {"norm1", "activation1", "linear1"} <= every
    assert common(replace(base, norm="none"), base) == {f"linear{i}" for i in range(1, 6)}


@pytest.mark.parametrize("join", ["add", "concat"])
def test_skip_weights_are_never_shared(join: str) -> None:
    def write(net: Network) -> Value:
        x = net.operator("gcn", net.x, 4)
        x = getattr(net, join)(net.linear(net.x, 4), x)
        return net.operator("skip", x, 6)

    assert set(of(write)) == {"conv1", "linear2"}  # without linear1 and conv2
    assert {"linear1", "conv2"} <= set(of(write, "all"))


def test_a_normalisation_inside_an_operator_stays_fresh() -> None:
    class Inside(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs)
            self.norm = torch.nn.BatchNorm1d(outputs)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.norm(self.linear(x))

    before = dict(OPERATORS)
    operator("inside")(Inside)
    try:
        found = of(lambda net: net.operator("inside", net.x, 4))
        assert found["conv1"].names == ("conv1.linear.weight", "conv1.linear.bias")
        assert (
            sum(name.startswith("conv1.norm") for part in parts(Free(name="any"), NODE, "all") for name in part.names)
            == 5
        )
    finally:
        OPERATORS.clear()
        OPERATORS.update(before)


def test_a_layer_that_needs_real_tensors_and_one_that_cannot_be_made() -> None:
    class Real(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int, fails: bool = False) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs)
            if fails or self.linear.weight.sum().item() == 0:
                raise SystemExit("no")

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.linear(x)

    before = dict(OPERATORS)
    operator("real", fails=False)(Real)
    try:
        state = torch.random.get_rng_state()
        assert set(of(lambda net: net.operator("real", net.x, 4))) == {"conv1", "linear1"}
        assert of(lambda net: net.operator("real", net.x, 4, fails=True)) == {}
        assert torch.equal(torch.random.get_rng_state(), state)
    finally:
        OPERATORS.clear()
        OPERATORS.update(before)


def test_what_a_step_is_stands_in_it() -> None:
    steps = trace(TWO, GRAPH)[0].steps
    found = [(step.kind, step.name) for step in steps if step.name]
    assert ("operator", "attention") in found
    assert ("activation", "elu") in found
    assert dict(next(step for step in steps if step.kind == "operator").settings)["combine"] == "identity"
