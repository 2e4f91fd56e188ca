"""Exports of quantised networks: the file is as large as was said, and says what the search's module says."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nas.evaluation.evaluate import costs_alone
from nas.export import files, predict
from nas.export.files import export
from nas.export.predict import load_model
from nas.searchspace import Network, Space, Value, architecture, constant
from nas.searchspace.precision import Precision
from nas.searchspace.source import module, source
from nas.searchspace.spaces.registry import find
from tests.nas.export.made import example
from tests.searchspace.declared import TASKS

NAMES, LEVELS = ("lpgnas", "quantised:agnn", "quantised:design"), ("node", "graph", "link-carrying")
MADE = [(name, level, True) for name, level in zip(NAMES, LEVELS, strict=True)]
MADE += [(name, level, False) for name in NAMES for level in LEVELS if (name, level, True) not in MADE]
"""Spaces, levels, and whether the program, which takes seconds to make, is quick to try too."""
SLOW = [(name, level, True) for name, level, program in MADE if not program]


@pytest.mark.each_once
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "level", "program"), [*MADE, *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW)]
)
def test_every_prediction_is_that_of_the_rounding_network(
    name: str, level: str, program: bool, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not program:
        monkeypatch.setattr(files, "_program", lambda *_: "not tried here")
    task = TASKS[level]
    space = find(name).for_task(task)
    a = space.sample(random.Random(seed))
    torch.manual_seed(seed)
    model, given = module(a, task), example(task)
    arguments = [given[k] for k in task.inputs]
    for _ in range(2):
        model(*arguments)  # ranges are found in training
    paths = export(a, space, task, model.state_dict(), tmp_path / "out")
    with torch.no_grad():
        expected = model.eval()(*arguments)
        got = load_model(tmp_path / "out")(*arguments)
        assert torch.equal(got, expected)
        described = json.loads((tmp_path / "out" / "architecture.json").read_text())
        assert described["program"] == ("model.pt2" if program else "none: not tried here")
        if program:
            said = torch.export.load(tmp_path / "out" / "model.pt2").module()(*arguments)
            torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    (file,) = (p for p in paths if p.suffix == ".safetensors")
    assert file.stat().st_size == costs_alone(source(a, task), task, "cpu", False)["bytes"]
    stored = load_file(file)
    assert {t.dtype for k, t in stored.items() if f"{k}.scale" in stored} == {torch.uint8}


WIDE = replace(TASKS["node"], features=predict.WHOLE[0])


WEIGHTS = ("int8", "int4-channel", "ternary", "binary", "affine4", "int4-learned")
ACTIVATIONS = ("int4", "int4-learned", "affine12", "float")


@pytest.mark.parametrize(
    ("weights", "activations"), [*((w, "affine8") for w in WEIGHTS), *(("int8", a) for a in ACTIVATIONS)]
)
@pytest.mark.parametrize("operator", ["attention", "fc"])
def test_large_linear_maps_on_whole_numbers(
    operator: str, weights: str, activations: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @architecture
    class Wide:
        width: int = constant(predict.WHOLE[1])

        def network(self, net: Network) -> Value:
            net.precision = Precision(weights, activations, "int8")
            return net.operator(operator, net.dropout(0.5, net.x), self.width)

    torch.manual_seed(0)
    model, arguments = module(Wide(), WIDE), [example(WIDE)[k] for k in WIDE.inputs]
    model(*arguments)
    monkeypatch.setattr(files, "_program", lambda *_: "not needed")
    export(Wide(), Space(Wide), WIDE, model.state_dict(), tmp_path / "out")
    whole, product = list[torch.Size](), torch._int_mm

    def counted(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        whole.append(b.shape)
        return product(a, b)

    monkeypatch.setattr(torch, "_int_mm", counted)
    with torch.no_grad():
        expected = load_model(tmp_path / "out")(*arguments)
        assert not whole
        got = load_model(tmp_path / "out", int8=True)(*arguments)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    fits = activations in ("affine8", "int4", "int4-learned") and weights in (
        "int8",
        "int4-channel",
        "ternary",
        "binary",
    )
    assert whole == ([torch.Size((WIDE.features, Wide().width))] if fits else [])


@pytest.fixture
def without_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports that are quick to write."""
    monkeypatch.setattr(files, "_program", lambda *_: "not needed")


@pytest.mark.usefixtures("without_program")
def test_small_linear_maps_stay_as_they_are(tmp_path: Path) -> None:
    task = TASKS["node"]
    space = find("lpgnas").for_task(task)
    a = space.sample(random.Random(3))
    export(a, space, task, module(a, task).state_dict(), tmp_path / "out")
    model, arguments = load_model(tmp_path / "out"), [example(task)[k] for k in task.inputs]
    assert predict.on_whole_numbers(model) == 0
    assert torch.equal(model(*arguments), load_model(tmp_path / "out", int8=True)(*arguments))


@pytest.mark.usefixtures("without_program")
def test_an_export_can_be_exported_again(tmp_path: Path) -> None:
    """Weights that were read from a packed file are on their grid and pack to the same bytes."""
    task = TASKS["node"]
    space = find("lpgnas").for_task(task)
    a = space.sample(random.Random(3))
    torch.manual_seed(0)
    model = module(a, task)
    model(*(example(task)[k] for k in task.inputs))
    export(a, space, task, model.state_dict(), tmp_path / "first")
    export(a, space, task, load_model(tmp_path / "first").state_dict(), tmp_path / "second")
    first, second = (load_file(tmp_path / n / "weights.safetensors") for n in ("first", "second"))
    assert list(first) == list(second)
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, equal_nan=True)
