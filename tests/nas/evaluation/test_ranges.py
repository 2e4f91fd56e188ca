"""Ranges of what passes between layers, found after training."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nas.evaluation.post_training import ranges
from nas.evaluation.post_training.ranges import find_ranges, kept, least_error, whole
from nas.evaluation.train import outputs
from nas.export.rounding import formats_of, with_formats
from nas.metrics import loss
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantiser
from nas.searchspace.source import module
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from tests.controllers.supernet.worlds import kinds

KINDS = kinds()
FLOAT = [name for name in SPACES.names() if name != "lpgnas"]
FEW_BITS = ("int2", "int4", "int6", "affine2", "affine4", "int3-learned", "affine3-learned")


def rounded(format: str, range: Tensor, x: Tensor) -> Tensor:
    quantiser = Quantiser(format)
    quantiser.eval()
    known = range[1] / (2.0 ** (quantiser.bits - 1) - 1) if quantiser.learned else range
    kept(quantiser).copy_(known)
    return quantiser(x)


@pytest.mark.parametrize("format", FEW_BITS)
@given(seed=st.integers(0, 10_000), tail=st.floats(1, 4))
def test_no_error_is_larger_than_that_of_the_whole_range(format: str, seed: int, tail: float) -> None:
    x = torch.randn(50, 9, generator=torch.Generator().manual_seed(seed))
    x = x.sign() * x.abs() ** tail
    quantiser = Quantiser(format)
    with torch.no_grad():
        narrow, wide = (float((rounded(format, of(quantiser, x), x) - x).square().sum()) for of in (least_error, whole))
    assert narrow <= wide * (1 + 1e-5)


def test_a_rare_value_is_cut_off() -> None:
    x = torch.cat([torch.randn(20_000, generator=torch.Generator().manual_seed(0)), torch.tensor([30.0])])
    assert float(whole(Quantiser("int4"), x)[1]) == 30
    assert 2 < float(least_error(Quantiser("int4"), x)[1]) < 8


@pytest.mark.parametrize("format", ["int4", "affine2"])
def test_values_that_have_codes_keep_them(format: str) -> None:
    x = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    assert torch.equal(rounded(format, least_error(Quantiser(format), x), x), x)


def training_loss(model: torch.nn.Module, task: Task) -> float:
    logits, y = outputs(model, task, "train")
    return float(loss(logits, y, task.target))


def made(name: str, task: Task, bits: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return module(with_formats(find(name).for_task(task).sample(random.Random(3)), formats_of(bits)), task)


def in_whole(model: torch.nn.Module, task: Task, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    monkeypatch.setattr(ranges, "FEW", 0)
    find_ranges(model, task)
    monkeypatch.undo()
    return found(model)


def found(model: torch.nn.Module) -> list[Tensor]:
    quantisers: list[Any] = [q for q in model.modules() if is_ours(type(q)) is Quantiser and ranges.keeps(q)]
    return [kept(q).clone() for q in quantisers]


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FLOAT)
def test_the_loss_of_training_is_not_above_that_of_whole_ranges(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = KINDS[kind]
    model = made(name, task, "W8A3")
    in_whole(model, task, monkeypatch)
    before = training_loss(model, task)
    find_ranges(model, task)
    assert training_loss(model, task) <= before + 1e-6
    assert not model.training


def test_many_bits_have_whole_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    task = next(t for t in KINDS.values() if t.level == "node")
    model = made("agnn", task, "W4A8")
    wide = in_whole(model, task, monkeypatch)
    find_ranges(model, task)
    assert wide
    assert all(torch.equal(a, b) for a, b in zip(found(model), wide, strict=True))


def test_few_bits_lose_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the mean over networks, by the loss that decides."""
    task = next(t for t in KINDS.values() if t.level == "node")
    gained = []
    for seed in range(5):
        torch.manual_seed(seed)
        a = find("agnn").for_task(task).sample(random.Random(seed))
        model = module(with_formats(a, formats_of("W8A2")), task)
        in_whole(model, task, monkeypatch)
        before = training_loss(model, task)
        find_ranges(model, task)
        gained.append(before - training_loss(model, task))
    assert sum(gained) > 0
