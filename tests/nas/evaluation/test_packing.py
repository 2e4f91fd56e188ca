"""The file of an export: what it holds, its size, and that it is what a search says of every network."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nas.data import load as load_data
from nas.evaluation.evaluate import costs_alone, evaluate
from nas.evaluation.job import Job
from nas.evaluation.packing import file_size, stored
from nas.evaluation.seeds import evaluate_stacked
from nas.searchspace import Network, Value, architecture, choice
from nas.searchspace.layers.quantised import described
from nas.searchspace.precision import Precision
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load, module, source
from nas.searchspace.spaces.registry import find
from tests.nas.toys import graph, graphs, task

BITS = {"binary": 1, "ternary": 1.6, "int3": 3, "int4": 4, "affine8": 8, "int12": 12}


def built(precision: Precision, width: int = 40) -> Any:
    @architecture
    class Built:
        one: int = choice(1)

        def network(self, net: Network) -> Value:
            net.precision = precision
            return net.linear(net.linear(net.x, width), width)

    return Built(one=1)


@pytest.mark.parametrize("weights", [*BITS, "int4-channel", "int4-learned"])
def test_weights_take_their_bits(weights: str) -> None:
    data = task()
    model, plain = module(built(Precision(weights)), data), module(built(Precision()), data)
    state = stored(model)
    sizes = {name: t.numel() * t.element_size() for name, t in state.items()}
    assert sizes["linear2.layer.weight"] == 40 * 40 * BITS[weights.split("-")[0]] / 8
    assert state["linear2.layer.weight"].dtype == torch.uint8
    rows = 40 if described(weights)[2] else 1
    assert sizes["linear2.layer.weight.scale"] == 4 * rows
    assert ("linear2.layer.weight.zero" in sizes) == weights.startswith("affine")
    assert not any(name.startswith("linear2.weights") for name in state)
    assert sizes["linear2.layer.bias"] == 4 * 40
    assert file_size(state) < file_size(stored(plain))


def test_a_network_without_rounding_is_stored_as_it_is() -> None:
    model = module(built(Precision()), task())
    state = stored(model)
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(t, model.state_dict()[name]) for name, t in state.items())


def test_tensors_that_share_memory_are_stored() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    model[1].weight = model[0].weight
    state = stored(torch.nn.Sequential(model, torch.nn.Linear(4, 4).double()))
    assert file_size(state) > 2 * 4 * 16


@pytest.mark.parametrize("make", [task, lambda: load_data(graphs())], ids=["node", "graph"])
def test_the_number_is_the_size_of_the_file(make: Any, tmp_path: Path) -> None:
    data = make()
    space = find("lpgnas").for_task(data)
    text = source(space.sample(random.Random(2)), data)
    kept = tmp_path / "masters.safetensors"
    of = Job(text, Recipe(epochs=3), 0, (data.metric,), weights=str(kept), known=(("buffer", 7.0),))
    outcome = evaluate(of, data)
    assert outcome.reason is None
    model = load(text)()
    model.load_state_dict(load_file(kept))  # weights before rounding, so that training can go on
    assert {p.dtype for p in model.state_dict().values()} == {torch.float32}
    save_file(stored(model), tmp_path / "packed.safetensors")
    assert outcome.metrics["bytes"] == (tmp_path / "packed.safetensors").stat().st_size
    assert outcome.metrics["bytes"] == costs_alone(text, data, "cpu", False)["bytes"]
    assert outcome.metrics["buffer"] == 7
    assert kept.stat().st_size > outcome.metrics["bytes"]


def test_seeds_trained_as_one_say_it_too() -> None:
    data = load_data(graph())
    of = Job(source(built(Precision()), data), Recipe(epochs=2), 0, (data.metric,), known=(("buffer", 7.0),))
    together, alone = evaluate_stacked(of, (0, 1), data), evaluate(of, data)
    assert {o.metrics["bytes"] for o in together} == {alone.metrics["bytes"]}
    assert {o.metrics["buffer"] for o in together} == {7.0}
