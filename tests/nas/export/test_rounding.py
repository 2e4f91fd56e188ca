"""Trained networks in fewer bits: with many bits they are what they were, with few they are small."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.evaluation.train import outputs
from nas.export import files
from nas.export.fewest import FEWER, LOSS, fewest, loss_of
from nas.export.predict import load_model
from nas.export.rounding import Rounded, formats_of, rounded
from nas.result import Result
from nas.searchspace.errors import BadInput
from nas.searchspace.source import module, trace
from nas.searchspace.spaces.registry import SPACES, find
from tests.controllers.supernet.worlds import kinds
from tests.nas.toys import search

KINDS = kinds()
FLOAT = [name for name in SPACES.names() if name != "lpgnas"]


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOAT)
def test_sixteen_bits_say_what_the_network_said(name: str, kind: str) -> None:
    task = KINDS[kind]
    space = find(name).for_task(task)
    a = space.sample(random.Random(1))
    torch.manual_seed(0)
    model = module(a, task).eval()
    low = rounded(a, space, task, model.state_dict(), formats_of("W16A16"))
    assert low.space.task == space.task
    again = module(low.architecture, task)
    again.load_state_dict(low.state)
    with torch.no_grad():
        wanted, got = (outputs(each.eval(), task, "train")[0] for each in (model, again))
    assert float((got - wanted).abs().max()) <= 1e-2 * float(wanted.abs().max())


def test_the_export_has_the_metrics_and_the_size_that_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_program", lambda *_: "not tried here")
    result = search(trials=3)
    sizes, task = [], result.plan.task
    for bits in ("W16A16", "W8A8", "W4A8", "w2a4", "W1"):
        to = tmp_path / bits
        result.export(to, bits=bits)
        described = json.loads((to / "architecture.json").read_text())
        assert described["bits"] == bits
        assert described["space"].startswith("quantised:")
        sizes.append((to / "weights.safetensors").stat().st_size)
        assert described["metrics"]["bytes"] == sizes[-1]
        for split in ("valid", "test"):
            (batch,) = task.batches(split)
            with torch.no_grad():
                right = load_model(to)(batch.x, batch.edge_index)[batch.index].argmax(-1) == batch.y
            assert right.float().mean().item() == pytest.approx(described["metrics"][f"{split}_accuracy"])
    assert sizes == sorted(sizes, reverse=True)
    assert described["metrics"]["params"] == result.best.metrics["params"]


def test_what_the_bits_stand_for() -> None:
    assert formats_of("W4A8") == {
        "weights": "int4",
        "activations": "affine8",
        "messages": "int8",
        "attention": "affine8",
    }
    assert formats_of("w1")["weights"] == "binary"
    assert formats_of("W2A3")["weights"] == "ternary"
    assert set(formats_of("W8").values()) == {"int8", "float"}


@pytest.mark.parametrize("bits", ["4", "W0", "W17", "W4A1", "W4A17", "A8", "int4", "", None, 4])
def test_bits_that_mean_nothing(bits: object) -> None:
    with pytest.raises(BadInput, match=r"bits are auto, or those of weights, 1 to 16, .*W8A8, W4A8, or W4; got "):
        formats_of(bits)  # type: ignore[arg-type]


def test_a_network_that_is_rounded_already(tmp_path: Path) -> None:
    result = search(space="lpgnas", trials=1, epochs=2)
    with pytest.raises(BadInput, match="computes with few bits already; export it as it is, without --bits"):
        result.export(tmp_path / "out", bits="W4A8")
    assert not (tmp_path / "out").exists()


# formats of each layer, and the fewest that validation allows


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOAT)
def test_the_same_formats_for_each_layer_are_those_of_all(name: str, kind: str) -> None:
    task = KINDS[kind]
    space = find(name).for_task(task)
    a = space.sample(random.Random(2))
    torch.manual_seed(0)
    state = module(a, task).state_dict()
    layers = trace(a, task)[0].layers
    one, each = (rounded(a, space, task, state, named) for named in (formats_of("W4A8"), [formats_of("W4A8")] * layers))
    assert one.metrics == each.metrics
    assert one.state.keys() == each.state.keys()
    assert json.loads(json.dumps(each.space.to_json(each.architecture)))["formats"] == layers * [
        one.space.to_json(one.architecture)["formats"]
    ]
    assert each.space.from_json(each.space.to_json(each.architecture)) == each.architecture


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return search(space="agnn", trials=3, epochs=20, runs=tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("loss", [0.0, 0.05, 1.0])
def test_fewest_bits_that_validation_allows(trained: Result, loss: float) -> None:
    best, plan = trained.best, trained.plan
    what = best.architecture, plan.space, plan.task, trained.weights(best)
    found, eight = fewest(*what, loss), rounded(*what, formats_of("W8A8"))
    metric = f"valid_{plan.task.metric}"
    assert found.metrics[metric] >= best.metrics[metric] - loss - 1e-6
    assert found.metrics["bytes"] <= eight.metrics["bytes"]
    again = rounded(*what, [named_of(f) for f in found.architecture.formats])
    assert again.metrics == found.metrics
    if loss == 1.0:
        assert {f.weights for f in found.architecture.formats if f.weights != "int8"} == {"binary"}


def test_no_layer_could_have_had_fewer(trained: Result) -> None:
    """Of the largest layer with nothing else changed."""
    best, plan = trained.best, trained.plan
    what = best.architecture, plan.space, plan.task, trained.weights(best)
    each = [named_of(f) for f in fewest(*what, 0.02).architecture.formats]
    eight = [formats_of("W8A8")] * len(each)
    sizes = [with_layer(what, eight, k, "binary").metrics["bytes"] for k in range(len(each))]
    largest = min(range(len(each)), key=sizes.__getitem__)
    metric, formats = f"valid_{plan.task.metric}", [*FEWER, "int8"]
    losses = [best.metrics[metric] - with_layer(what, eight, largest, f).metrics[metric] for f in formats]
    allowed = [f for f, lost in zip(formats, losses, strict=True) if lost <= 0.02 + 1e-6]
    assert each[largest]["weights"] == allowed[0]


def with_layer(what: tuple[Any, Any, Any, Any], each: list[dict[str, str]], layer: int, weights: str) -> Rounded:
    changed = [*each[:layer], each[layer] | {"weights": weights}, *each[layer + 1 :]]
    return rounded(*what, changed, ("valid",))


def named_of(formats: Any) -> dict[str, str]:
    return {name: getattr(formats, name) for name in formats_of("W8A8")}


def test_auto_is_exported_with_what_it_says(trained: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_program", lambda *_: "not tried here")
    trained.export(tmp_path / "out", bits="auto:0.05")
    described = json.loads((tmp_path / "out" / "architecture.json").read_text())
    assert described["bits"] == "auto:0.05"
    assert described["metrics"]["bytes"] == (tmp_path / "out" / "weights.safetensors").stat().st_size
    (batch,) = trained.plan.task.batches("valid")
    with torch.no_grad():
        right = load_model(tmp_path / "out")(batch.x, batch.edge_index)[batch.index].argmax(-1) == batch.y
    assert right.float().mean().item() == pytest.approx(described["metrics"]["valid_accuracy"])


def test_what_may_be_lost() -> None:
    assert loss_of("auto") == LOSS
    assert loss_of(" AUTO:1e-2 ") == 0.01
    assert loss_of("W4A8") is None


@pytest.mark.parametrize("bits", ["auto:", "auto:-1", "auto:much", "automatic", "auto:1e999"])
def test_losses_that_mean_nothing(bits: str) -> None:
    with pytest.raises(BadInput, match=r"bits are auto, or auto with what may be lost of the metric: auto:0\.01; got "):
        loss_of(bits)


def test_even_many_bits_lose_too_much(trained: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.export.fewest.BEGINNINGS", ("W1A2",))
    monkeypatch.setattr("nas.evaluation.post_training.ranges.FEW", 0)  # so few bits can be enough
    best, plan = trained.best, trained.plan
    with pytest.raises(BadInput, match=r"even 16 bits lose more than 0 of valid_accuracy; name the bits yourself"):
        fewest(best.architecture, plan.space, plan.task, trained.weights(best), 0.0)
