"""The recurrent policy, its baseline, and AGNN's encoders on it."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
import torch

from nas.controllers.decisions import Options
from nas.controllers.encoder import Encoder, Parent
from nas.controllers.policy import CLIP, Baseline, Policy
from nas.searchspace.language import architecture, choice, repeat
from nas.searchspace.space import Space
from tests.controllers.spaces import SPACES


@architecture
class Layer:
    conv: str = choice("gcn", "gat", "sage", "gin", "cheb")
    act: str = choice("relu", "elu", "tanh")


@architecture
class Four:
    layers: tuple[Layer, ...] = repeat(Layer, 4, 4)
    lr: float = choice(0.1, 0.01, 0.001)


FOUR = Space(Four)


def encoder(name: str, space: Space[Any] = FOUR, changes: float = 1.0, lr: float = 0.01) -> Encoder:
    return Encoder(name, Options.of(space).count, changes=changes, seed="0", lr=lr)


def parent(number: int, space: Space[Any] = FOUR) -> Parent:
    return Parent.of(space.sample(random.Random(number)), 0.0, Options.of(space))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-6, 3.0), (5e4, -1e5)])
def test_the_unit_of_rewards_does_not_matter(scale: float, shift: float) -> None:
    rewards = [0.3, 0.8, 0.75, None, 0.2, 0.9, 0.1]
    plain, other = Baseline(), Baseline()
    for reward in rewards:
        moved = None if reward is None else scale * reward + shift
        assert other.advantage(moved) == pytest.approx(plain.advantage(reward), rel=1e-4)


def test_advantages_by_hand() -> None:
    baseline = Baseline()
    assert baseline.advantage(1.0) == 0.0  # nothing to compare with
    assert baseline.advantage(1.5) == pytest.approx(1.0)  # one deviation above; the mean becomes 1.025
    assert baseline.advantage(0.025) == pytest.approx(-1.0 / (0.95 * 0.5 + 0.05 * 1.0))
    assert baseline.advantage(None) == -CLIP
    assert baseline.advantage(1e9) == CLIP


def test_equal_rewards_say_nothing() -> None:
    baseline = Baseline()
    assert [baseline.advantage(0.5) for _ in range(5)] == [0.0] * 5


def test_a_policy_follows_from_its_seed_and_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    first, same, other = (Policy(9, both_ways=True, seed=seed, lr=0.1) for seed in ("1", "1", "2"))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first([0, 3, 9])[0], same([0, 3, 9])[0])
    assert not torch.equal(first([0, 3, 9])[0], other([0, 3, 9])[0])


@pytest.mark.parametrize("name", ["layers.*.conv", "layers.*.act", "lr"])
def test_an_encoder_answers_with_a_distribution_for_each_knob_of_its_class(name: str) -> None:
    said = encoder(name).distribution(parent(1))
    assert set(said) == {f"layers.{i}.{name.split('.')[-1]}" for i in range(4)} if "*" in name else {"lr"}
    for probabilities in said.values():
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)


def test_an_encoder_does_not_see_its_own_class() -> None:
    """But for what is more likely to stay; with as many changes as knobs nothing is."""
    one = FOUR.sample(random.Random(1))
    knobs = FOUR.knobs(one) | {f"layers.{i}.conv": "gin" for i in range(4)}
    other, options = FOUR.from_knobs(knobs), Options.of(FOUR)
    first, second = (Parent.of(a, 0.0, options) for a in (one, other))
    said = encoder("layers.*.conv", changes=4)
    assert said.distribution(first) == said.distribution(second)
    rest = encoder("layers.*.act", changes=4)
    assert rest.distribution(first) != rest.distribution(second)


def test_a_knob_that_is_alone_in_its_class_always_changes() -> None:
    for number in range(5):
        before = parent(number)
        (place,) = [p for p in before.places if p.path == "lr"]
        assert encoder("lr").distribution(before)["lr"][place.at] == 0


@pytest.mark.parametrize("changes", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", ["layers.*.conv", "layers.*.act"])
def test_as_many_knobs_of_a_class_change_as_were_asked_for(name: str, changes: float) -> None:
    before = parent(3)
    said, places = encoder(name, changes=changes).distribution(before), {p.path: p for p in before.places}
    assert sum(1 - p[places[path].at] for path, p in said.items()) == pytest.approx(changes, rel=0.1)


@pytest.mark.parametrize(("advantage", "grows"), [(1.0, True), (-1.0, False)])
def test_learning_makes_what_was_good_more_likely(advantage: float, grows: bool) -> None:
    before, said = parent(4), encoder("layers.*.conv")

    def likelihood() -> float:
        return math.prod(p[2] for p in said.distribution(before).values())

    at_first = likelihood()
    for _ in range(20):
        said.learn(before, {p.path: p.options[2] for p in before.places}, advantage)
    assert (likelihood() > 2 * at_first) if grows else (likelihood() < at_first / 2)


def test_knobs_that_the_offspring_does_not_have_are_not_learned_from() -> None:
    space = SPACES["Nested"]
    long = space.from_knobs({"head.conv": "gcn", "layers": 3, **{f"layers.{i}.conv": "gcn" for i in range(3)}})
    before = Parent.of(long, 0.0, Options.of(space))
    one, other = encoder("layers.*.conv", space), encoder("layers.*.conv", space)
    one.learn(before, {p.path: p.options[1] for p in before.places if p.path == "layers.0.conv"}, 1.0)
    assert one.distribution(before) != other.distribution(before)
    assert all(math.isfinite(p) for probabilities in one.distribution(before).values() for p in probabilities)
