"""Trained networks in fewer bits: with many bits they are what they were, with few they are small."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch

from nas.evaluation.train import outputs
from nas.export import files
from nas.export.predict import load_model
from nas.export.rounding import formats_of, rounded
from nas.searchspace.errors import BadInput
from nas.searchspace.source import module
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
    with pytest.raises(BadInput, match=r"bits are those of weights, 1 to 16, .*W8A8, W4A8, or W4; got "):
        formats_of(bits)  # type: ignore[arg-type]


def test_a_network_that_is_rounded_already(tmp_path: Path) -> None:
    result = search(space="lpgnas", trials=1, epochs=2)
    with pytest.raises(BadInput, match="computes with few bits already; export it as it is, without --bits"):
        result.export(tmp_path / "out", bits="W4A8")
    assert not (tmp_path / "out").exists()
