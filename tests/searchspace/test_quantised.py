"""Rounding: grids, ranges, gradients, bytes, and layers that round."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv, GCNConv, SAGEConv, TransformerConv

from nas.searchspace.layers.attention import AttentionConv
from nas.searchspace.layers.quantised import Quantised, Quantiser, described, from_bytes, to_bytes

KINDS = ("binary", "ternary", "int2", "int3", "int4", "int8", "affine2", "affine3", "affine4", "affine8")
VALUES = st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=40).map(torch.tensor)


def rounded(format: str, x: torch.Tensor) -> torch.Tensor:
    """As weights are rounded, by their own range."""
    return Quantiser(format, moving=False)(x)


def codes_of(kind: str, bits: int, number: int, seed: int = 0) -> torch.Tensor:
    options = {"ternary": 3, "binary": 2}.get(kind, 2**bits)
    return torch.randint(options, (number,), generator=torch.Generator().manual_seed(seed))


# bytes


@given(
    st.sampled_from(["ternary", "binary", "int", "affine"]), st.integers(1, 16), st.integers(0, 70), st.integers(0, 9)
)
def test_bytes_hold_every_code(kind: str, bits: int, number: int, seed: int) -> None:
    bits = {"ternary": 2, "binary": 1}.get(kind, bits)
    codes = codes_of(kind, bits, number, seed)
    held = to_bytes(codes, kind, bits)
    assert held.dtype == torch.uint8
    assert torch.equal(from_bytes(held, kind, bits, number), codes)
    assert len(held) == (math.ceil(number / 5) if kind == "ternary" else math.ceil(number * bits / 8))


def test_bytes_by_hand() -> None:
    assert to_bytes(torch.tensor([1, 2, 3]), "int", 4).tolist() == [0x21, 0x03]
    assert to_bytes(torch.tensor([1, 0, 0, 0, 0, 0, 0, 1, 1]), "binary", 1).tolist() == [0b10000001, 1]
    assert to_bytes(torch.tensor([2, 2, 2, 2, 2, 1]), "ternary", 2).tolist() == [242, 1]
    assert to_bytes(torch.tensor([0x155]), "int", 9).tolist() == [0x55, 1]


def test_what_names_say() -> None:
    assert described("float") == ("float", 32, False, False)
    assert described("ternary-channel") == ("ternary", 2, True, False)
    assert described("int4-learned") == ("int", 4, False, True)
    assert described("affine12") == ("affine", 12, False, False)


# values


@given(st.sampled_from(KINDS), VALUES)
def test_rounding_again_changes_nothing(format: str, x: torch.Tensor) -> None:
    """But where zero lies half-way between two codes of an affine grid: there an end of the grid may be unused."""
    if format.startswith("affine"):
        _, zero, step = Quantiser(format, moving=False).coded(x)
        assume(bool(((-x.clamp(max=0).min() / step - zero).abs() < 0.499).all()))
    once = rounded(format, x)
    torch.testing.assert_close(rounded(format, once), once, rtol=1e-5, atol=1e-6)


@given(st.sampled_from([k for k in KINDS if k.startswith(("int", "affine"))]), VALUES)
def test_values_are_the_nearest_on_a_grid_of_whole_steps(format: str, x: torch.Tensor) -> None:
    code, zero, step = Quantiser(format, moving=False).coded(x)
    _, bits, _, _ = described(format)
    assert bool((code == code.round()).all())
    assert int(code.min()) >= 0
    assert int(code.max()) <= 2**bits - 1
    assert len(rounded(format, x).unique()) <= 2**bits
    # affine grids are moved so that zero is on them, which may cost the ends another half step
    slack = 0.5 if format.startswith("int") else 1.0
    assert bool((((code - zero) * step - x).abs() <= slack * step * (1 + 1e-4) + 1e-7).all())


@given(st.sampled_from([k for k in KINDS if k != "binary"]), VALUES)
def test_zero_stays_zero(format: str, x: torch.Tensor) -> None:
    x = torch.cat([x, torch.zeros(2)])
    out = rounded(format, x)
    assert out[-2:].tolist() == [0.0, 0.0]
    assert bool(((out == 0) | (out.sign() == x.sign())).all())


def test_whole_steps_by_hand() -> None:
    """Three bits, symmetric: steps of max / 3."""
    assert rounded("int3", torch.tensor([3.0, 1.4, -0.6, -2.6])).tolist() == [3.0, 1.0, -1.0, -3.0]


def test_affine_by_hand() -> None:
    """Two bits from -1 to 5: steps of 2, zero at code 0 (of -0.5, to even), so the grid is 0, 2, 4, 6."""
    assert rounded("affine2", torch.tensor([-1.0, 0.0, 2.4, 5.0])).tolist() == [0.0, 0.0, 2.0, 4.0]
    assert rounded("affine2", torch.tensor([-3.0, 3.1])).tolist() == pytest.approx([-2.0333, 4.0667], abs=1e-3)


def test_ternary_by_hand() -> None:
    """Ternary weight networks: 0.7 times the mean magnitude (1.5) is the threshold, the mean beyond it the level."""
    assert rounded("ternary", torch.tensor([0.5, -1.0, 2.0, -2.5])).tolist() == [0.0, 0.0, 2.25, -2.25]


def test_binary_by_hand() -> None:
    assert rounded("binary", torch.tensor([1.0, -2.0, 3.0])).tolist() == [2.0, -2.0, 2.0]
    assert rounded("binary", torch.tensor([1.0, 0.0, -3.0])).tolist() == [2.0, 2.0, -2.0]


@pytest.mark.parametrize("format", [k for k in KINDS if k != "float"])
def test_by_channel_is_each_row_alone(format: str) -> None:
    x = torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 6).view(5, 1, 1)
    each = torch.stack([rounded(format, row) for row in x])
    torch.testing.assert_close(rounded(f"{format}-channel", x), each)


def test_float_and_constants() -> None:
    x = torch.randn(4)
    assert Quantiser("float")(x) is x
    for format in KINDS:
        assert bool(torch.isfinite(rounded(format, torch.zeros(3))).all())


# gradients


@pytest.mark.parametrize("format", KINDS)
def test_gradients_go_straight_through(format: str) -> None:
    x = torch.tensor([0.3, -0.45, 0.8, 0.1, 2.0, -2.0], requires_grad=True)
    rounded(format, x).backward(torch.tensor([1.0, 2.0, 3.0, 4.0, 0.0, 0.0]))
    assert x.grad is not None
    torch.testing.assert_close(x.grad[:4], torch.tensor([1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize("format", ["int4", "affine4"])
def test_no_gradient_out_of_range(format: str) -> None:
    quantiser = Quantiser(format)
    quantiser(torch.tensor([-1.0, 1.0]))
    quantiser.eval()
    x = torch.tensor([-9.0, -0.5, 0.5, 9.0], requires_grad=True)
    quantiser(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("bits", [2, 4])
def test_the_gradient_of_a_learned_scale(bits: int) -> None:
    """LSQ, equations 3 and 4: round(x / s) - x / s inside, the end of the range outside, slowed down."""
    quantiser, top = Quantiser(f"int{bits}-learned"), 2 ** (bits - 1) - 1
    with torch.no_grad():
        quantiser.scale.fill_(0.4)
    x = torch.tensor([0.1, -0.25, 0.33, 9.0, -9.0], requires_grad=True)
    weight = torch.tensor([1.0, 2.0, -1.0, 0.5, 3.0])
    (quantiser(x) * weight).sum().backward()
    ratio = x.detach() / 0.4
    by_scale = torch.where(ratio.abs() < top, ratio.round() - ratio, top * ratio.sign())
    assert quantiser.scale.grad is not None
    expected = (by_scale * weight).sum() * (x.numel() * top) ** -0.5
    torch.testing.assert_close(quantiser.scale.grad, expected)
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight * (ratio.abs() < top))


def test_a_learned_scale_begins_at_the_first_values() -> None:
    quantiser, x = Quantiser("int4-learned"), torch.tensor([1.0, -2.0, 3.0])
    quantiser(x)
    assert quantiser.scale.item() == pytest.approx(2 * 2.0 / math.sqrt(7))
    quantiser(10 * x)
    assert quantiser.scale.item() == pytest.approx(2 * 2.0 / math.sqrt(7))


# ranges of what passes through


def test_the_range_is_an_average_that_inference_keeps() -> None:
    quantiser = Quantiser("affine8")
    quantiser(torch.tensor([-1.0, 3.0]))
    assert quantiser.range.tolist() == [-1.0, 3.0]
    quantiser(torch.tensor([1.0, 13.0]))
    assert quantiser.range.tolist() == pytest.approx([-0.9, 4.0])  # zero is always among them
    quantiser.eval()
    assert quantiser(torch.tensor([100.0])).item() == pytest.approx(4.0, abs=0.02)
    assert quantiser.range.tolist() == pytest.approx([-0.9, 4.0])


def test_inference_before_training_takes_the_range_of_what_comes() -> None:
    quantiser = Quantiser("int8").eval()
    x = torch.randn(6)
    torch.testing.assert_close(quantiser(x), rounded("int8", x))
    assert bool(quantiser.range.isnan().all())


# protection by degree

STAR = torch.tensor([[1, 2, 3, 4, 5, 5], [0, 0, 0, 0, 0, 1]])
"""Node 0 hears of five others, node 1 of one, the rest of none."""


def test_protected_rows_are_kept_in_training_alone() -> None:
    torch.manual_seed(0)
    quantiser, x = Quantiser("int2", protect=0.6), torch.rand(6, 3) + torch.arange(6.0).view(6, 1)
    plain = rounded("int2", x)
    assert quantiser.chance(STAR, 6).tolist() == pytest.approx([0.6, 0.48, 0.0, 0.12, 0.24, 0.36])
    kept = torch.zeros(6)
    for _ in range(400):
        quantiser.range.fill_(float("nan"))
        out = quantiser(x, STAR)
        row = (out == x).all(1)
        assert torch.equal(out[~row], plain[~row])
        kept += row
    assert (kept / 400).tolist() == pytest.approx([0.6, 0.48, 0.0, 0.12, 0.24, 0.36], abs=0.1)
    assert torch.equal(quantiser.eval()(x, STAR), quantiser(x))


# layers


def layers() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {
        "linear": torch.nn.Linear(6, 4),
        "gcn": GCNConv(6, 4),
        "sage": SAGEConv(6, 4),
        "gat": GATConv(6, 2, heads=2),
        "transformer": TransformerConv(6, 2, heads=2),
        "attention": AttentionConv(6, 4, heads=2, attention="generalised-linear"),
        "perceptrons": AttentionConv(6, 4, heads=2, aggregate="mlp", combine="mlp"),
    }


NAMES = tuple(layers())
X = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
EDGES = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 1], [1, 2, 3, 4, 5, 6, 0, 5]])


def given_to(name: str) -> tuple[torch.Tensor, ...]:
    return (X,) if name == "linear" else (X, EDGES)


@pytest.mark.parametrize("name", NAMES)
def test_weights_with_two_dimensions_are_rounded_and_no_others(name: str) -> None:
    """The layer with such weights put in says the same."""
    layer, plain = layers()[name], layers()[name]
    quantised = Quantised(layer, weights="int3")
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.copy_(rounded("int3", parameter) if parameter.dim() > 1 else parameter)
    torch.testing.assert_close(quantised(*given_to(name)), plain(*given_to(name)))


@pytest.mark.parametrize("name", ["gcn", "sage", "gat", "transformer", "attention"])
def test_messages_and_coefficients_are_rounded(name: str) -> None:
    out = {}
    for messages, attention in itertools.product(("float", "int2"), ("float", "affine2")):
        out[messages, attention] = Quantised(layers()[name], messages=messages, attention=attention)(X, EDGES)
    assert torch.equal(out["float", "float"], layers()[name](X, EDGES))
    assert not torch.allclose(out["int2", "float"], out["float", "float"])
    has_coefficients = name not in ("sage", "transformer")  # transformer makes them where nobody can round
    assert torch.equal(out["float", "affine2"], out["float", "float"]) == (not has_coefficients)


@pytest.mark.each_once
@pytest.mark.parametrize("weights", [*KINDS, "int4-channel", "affine4-channel", "ternary-channel", "binary-channel"])
@pytest.mark.parametrize("name", NAMES)
def test_packed_weights_predict_the_same(name: str, weights: str) -> None:
    quantised = Quantised(layers()[name], weights, "int8", "affine8")
    quantised(*given_to(name))
    same_class = Quantised(layers()[name], weights, "int8", "affine8")
    state = quantised.state_dict() | quantised.pack()
    same_class.load_state_dict(state)
    assert torch.equal(same_class.eval()(*given_to(name)), quantised.eval()(*given_to(name)))
    same_class.load_state_dict(quantised.state_dict())
    assert torch.equal(same_class(*given_to(name)), quantised(*given_to(name)))


def test_a_packed_learned_scale() -> None:
    first, second = (Quantised(torch.nn.Linear(6, 4), weights="int4-learned") for _ in range(2))
    first(X)
    state = {k: v for k, v in first.state_dict().items() if not k.endswith("weights.weight.scale")} | first.pack()
    second.load_state_dict(state)
    assert torch.equal(second.eval()(X), first.eval()(X))
    assert second.weights["weight"].scale.item() == first.weights["weight"].scale.item()


@settings(max_examples=20)
@given(st.sampled_from(KINDS), st.integers(0, 1000))
def test_what_was_unpacked_packs_to_the_same_bytes(format: str, seed: int) -> None:
    torch.manual_seed(seed)
    first, second = (Quantised(torch.nn.Linear(6, 4), weights=format) for _ in range(2))
    packed = first.pack()
    second.load_state_dict(first.state_dict() | packed)
    assert torch.equal(second.pack()["layer.weight"], packed["layer.weight"])


def test_gradients_reach_the_weights_before_rounding() -> None:
    quantised = Quantised(torch.nn.Linear(6, 4), weights="int4")
    quantised(X).sum().backward()
    grad = quantised.layer.weight.grad
    torch.testing.assert_close(grad, X.sum(0).expand(4, -1))


def test_somebody_else_may_put_weights_in() -> None:
    """As those do who differentiate by them."""
    quantised = Quantised(torch.nn.Linear(6, 4), weights="int4")
    other = torch.randn(4, 6)
    got = torch.func.functional_call(quantised, {"layer.weight": other}, (X,))
    torch.testing.assert_close(got, torch.nn.functional.linear(X, rounded("int4", other), quantised.layer.bias))
