"""Rounded weights whose errors make up for each other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from statistics import fmean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.evaluation.post_training import compensating
from nas.evaluation.post_training.compensating import WIDEST, Codes, Compensating, Inputs, level, read
from nas.evaluation.train import outputs
from nas.export.rounding import formats_of, rounded
from nas.searchspace.layers.quantised import Quantiser, described
from nas.searchspace.source import module
from nas.searchspace.spaces.registry import SPACES, find
from tests.controllers.supernet.worlds import kinds

KINDS = kinds()
FLOAT = [name for name in SPACES.names() if name != "lpgnas"]
FORMATS = ("binary", "ternary", "int2", "int3", "int4", "int8", "binary-channel", "ternary-channel", "int4-channel")
ROWS, OUT, IN = 300, 7, 140  # more inputs than a block of them


def world(seed: int) -> tuple[Tensor, Tensor]:
    """What a map reads, of few causes and so correlated, and its weights."""
    made = torch.Generator().manual_seed(seed)
    causes = torch.randn(ROWS, 20, generator=made)
    x = causes @ torch.randn(20, IN, generator=made) + 0.3 * torch.randn(ROWS, IN, generator=made)
    return x, torch.randn(OUT, IN, generator=made) ** 3


def of_format(weight: Tensor, format: str, x: Tensor | None) -> Tensor:
    rounding = object.__new__(Compensating)
    rounding._read = {} if x is None else {"map": Inputs(x.T @ x)}
    rounding._known = {}
    return rounding.rounded("map.weight", weight, format)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_rounding_again_changes_nothing(format: str, seed: int) -> None:
    """What is packed are these values, in a network and in a file."""
    x, weight = world(seed)
    found = of_format(weight, format, x)
    with torch.no_grad():
        torch.testing.assert_close(Quantiser(format, moving=False)(found), found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
def test_what_comes_out_is_nearer(format: str) -> None:
    """Than where each weight is rounded by itself to the same values."""
    kind, bits, by_row, _ = described(format)
    errors = []
    for seed in range(10):
        x, weight = world(seed)
        alone = Codes(kind, bits, level(weight, kind, bits, by_row)).nearest(weight)
        ours = of_format(weight, format, x)
        errors.append([float((x @ (w - weight).T).norm() / (x @ weight.T).norm()) for w in (ours, alone)])
    assert fmean(ours for ours, _ in errors) < 0.8 * fmean(alone for _, alone in errors)


def test_an_error_is_handed_to_what_is_the_same() -> None:
    """Two inputs that are always equal: what one of them lost the other one makes up for."""
    codes = Codes("ternary", 2, torch.ones(1, 1))
    both = Inputs(torch.full((2, 2), 100.0)).compensated(torch.tensor([[0.4, 0.4]]), codes)
    assert both.sum() == 1
    apart = Inputs(100 * torch.eye(2)).compensated(torch.tensor([[0.4, 0.4]]), codes)
    assert apart.tolist() == [[0, 0]]


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(FORMATS))
def test_without_correlation_each_is_rounded_by_itself(seed: int, format: str) -> None:
    _, weight = world(seed)
    kind, bits, by_row, _ = described(format)
    codes = Codes(kind, bits, level(weight, kind, bits, by_row))
    found = Inputs(torch.arange(1.0, IN + 1).diag()).compensated(weight, codes)
    assert torch.equal(found, codes.nearest(weight))


@pytest.mark.parametrize("format", ["affine4", "int4-learned", "int4"])
def test_what_is_left_alone(format: str) -> None:
    """Other formats, and whole numbers where nothing is known of what is read."""
    x, weight = world(0)
    assert of_format(weight, format, None if format == "int4" else x) is weight


def test_one_or_two_bits_have_the_level_with_the_least_error() -> None:
    """Of weights that have these values it is theirs."""
    for kind, bits, weight in (("ternary", 2, [0.0, 0.25, -0.25, 0.0]), ("binary", 1, [0.25, -0.25, -0.25, 0.25])):
        assert level(torch.tensor([weight]), kind, bits, False).item() == 0.25
    two = torch.tensor([[1.0, -1.0], [3.0, 3.0]])
    assert level(two, "binary", 1, True).flatten().tolist() == [1, 3]


def test_what_a_map_reads_is_that_of_all_training_items() -> None:
    task = KINDS["graphs"] if "graphs" in KINDS else next(t for t in KINDS.values() if t.level == "graph")
    space = find("classic").for_task(task)
    model = module(space.sample(random.Random(0)), task)
    heard: list[Tensor] = []
    first = next(n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) or "Linear" in type(m).__name__)
    model.get_submodule(first).register_forward_pre_hook(lambda _, given: heard.append(given[0].detach()))
    found = read(model, task)
    x = torch.cat([h.reshape(-1, h.size(-1)) for h in heard])
    torch.testing.assert_close(found[first].squares, x.T @ x, rtol=1e-4, atol=1e-4)
    assert model.training


def test_it_knows_how_much_it_holds() -> None:
    """Each format that was asked for, and what the second layer reads twice: its squares, and a factor of them."""
    task = next(t for t in KINDS.values() if t.level == "node")
    model = module(find("agnn").for_task(task).sample(random.Random(0)), task)
    compensating = Compensating(model, task)
    before = compensating.bytes
    name, weight = next((n, p.detach()) for n, p in model.named_parameters() if n.endswith("weight") and p.dim() == 2)
    for count, format in enumerate(("binary", "int4"), 1):
        compensating.rounded(name, weight, format)
        compensating.rounded(name, weight, format)
        assert compensating.bytes == before + count * 4 * weight.numel()
    inside = [i.squares.numel() for n, i in read(model, task).items() if i.squares.size(0) != task.features]
    assert before == 2 * 4 * sum(inside) > 0


def test_very_wide_maps_are_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    task = next(t for t in KINDS.values() if t.level == "node")
    model = module(find("agnn").for_task(task).sample(random.Random(0)), task)
    assert WIDEST > 10_000
    assert read(model, task)
    monkeypatch.setattr(compensating, "WIDEST", 0)
    assert not read(model, task)


@pytest.mark.parametrize("bits", ["W2A8", *(pytest.param(b, marks=pytest.mark.slow) for b in ("W1A8", "W3A8"))])
def test_networks_say_more_of_what_they_said(bits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all spaces and kinds of tasks, on the mean, with untrained weights."""
    errors: Mapping[bool, list[float]] = {True: [], False: []}
    for name in FLOAT:
        for task in (task for kind, task in KINDS.items() if "carrying" not in kind):
            space = find(name).for_task(task)
            a = space.sample(random.Random(3))
            torch.manual_seed(0)
            model = module(a, task).eval()
            wanted = outputs(model, task, "train")[0]
            for compensates in errors:
                with monkeypatch.context() as patched:
                    if not compensates:
                        patched.setattr(compensating, "read", lambda *_: {})
                    low = rounded(a, space, task, model.state_dict(), formats_of(bits))
                again = module(low.architecture, task)
                again.load_state_dict(low.state)
                off = outputs(again, task, "train")[0] - wanted
                errors[compensates].append(float(off.norm() / wanted.norm().clamp(min=1e-6)))
    ours, alone = (sorted(errors[k])[len(errors[k]) // 2] for k in (True, False))
    assert ours < 0.95 * alone
