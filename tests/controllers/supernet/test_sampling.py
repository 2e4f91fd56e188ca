"""The weights of options in one pass."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.supernet.mixed import Mixed
from nas.controllers.supernet.sampling import Weights, gumbel
from tests.controllers.supernet.test_mixed import at, undecided

SIZES = st.lists(st.integers(2, 4), min_size=1, max_size=3)


def logits_of(sizes: list[int], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator).requires_grad_() for size in sizes]


def drawn(logits: Any, sampled: bool, seed: int = 0, temperature: float = 0.7, noise: float = 1.0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return gumbel(logits, temperature, noise, generator, [sampled] * len(logits))


@given(SIZES, st.integers(0, 99), st.booleans())
def test_weights_sum_to_one(sizes: list[int], seed: int, sampled: bool) -> None:
    for each in drawn(logits_of(sizes, seed), sampled, seed).of:
        assert each.sum().item() == pytest.approx(1, abs=1e-5)
        assert (each >= 0).all()


@given(SIZES, st.integers(0, 99))
def test_sampled_ones_are_one_hot_with_the_gradient_of_soft_ones(sizes: list[int], seed: int) -> None:
    logits = logits_of(sizes, seed)
    hard, soft = drawn(logits, True, seed), drawn(logits, False, seed)
    for own, one, weights in zip(logits, hard.of, soft.of, strict=True):
        assert one.detach().count_nonzero() == 1
        assert one.argmax() == weights.argmax()
        cost = torch.arange(1.0, len(own) + 1)
        (by_hard,) = torch.autograd.grad((one * cost).sum(), own)
        (by_soft,) = torch.autograd.grad((weights * cost).sum(), own)
        torch.testing.assert_close(by_hard, by_soft)


def test_without_noise_they_are_the_softmax() -> None:
    (logits,) = logits_of([4])
    (found,) = drawn([logits], False, noise=0.0, temperature=0.5).of
    torch.testing.assert_close(found, torch.softmax(logits / 0.5, 0))


def test_options_are_sampled_by_their_probabilities() -> None:
    """The Gumbel-max trick, whatever the temperature."""
    logits = torch.tensor([0.7, 0.2, 0.1]).log()
    counts, generator = torch.zeros(3), torch.Generator().manual_seed(0)
    for _ in range(3000):
        counts += gumbel([logits], 0.1, 0.0, generator, [True]).of[0]
    torch.testing.assert_close(counts / 3000, logits.exp(), atol=0.03, rtol=0)


@given(SIZES, st.integers(0, 99), st.data())
def test_the_weight_of_a_value_is_the_sum_over_the_product_table(sizes: list[int], seed: int, data: Any) -> None:
    """Of any function of several knobs, in the order of its options; its mean follows."""
    weights = drawn(logits_of(sizes, seed), False, seed)
    knobs = [undecided(number, range(size)) for number, size in enumerate(sizes)]
    value: Any = 0
    for knob in data.draw(st.permutations(knobs)):
        value = value + knob * data.draw(st.integers(1, 3))
    assert isinstance(value, Mixed)
    expected = dict.fromkeys(value.options, 0.0)
    for chosen in product(*map(range, sizes)):
        joint = torch.stack([weights.of[n][i] for n, i in enumerate(chosen)]).prod().item()
        expected[at(value, dict(enumerate(chosen)))] += joint
    assert weights.value(value).tolist() == pytest.approx(list(expected.values()), abs=1e-5)
    assert weights.expected(value).item() == pytest.approx(sum(v * p for v, p in expected.items()), abs=1e-4)


def test_plain_values_have_weight_one() -> None:
    weights = Weights(())
    assert weights.value(8).tolist() == [1]
    assert weights.expected(8).item() == 8
    assert [(i, w.item()) for i, w in weights.active("gcn")] == [(0, 1)]


def test_what_has_no_weight_is_not_active() -> None:
    x = undecided(0, ("a", "b", "c"))
    assert [i for i, _ in Weights((torch.tensor([0.5, 0.0, 0.5]),)).active(x)] == [0, 2]
