"""DiffusionNAG's configuration."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from nas.diffusion.denoisers import Frame
from nas.diffusion.generator import PRESETS, Preset, Sampling, generator
from nas.diffusion.guidance import Guide
from nas.diffusion.noise import Noise
from nas.diffusion.published import ScoreNetwork, noisy_guide
from nas.diffusion.training import Schedule
from nas.predictors.jax_setup import jax
from nas.searchspace import BadInput, Space
from tests.diffusion.spaces import Chosen
from tests.diffusion.test_generator import likes

TINY = Preset(ScoreNetwork(2, 32, 2, 64), Schedule(steps=700, batch=128, around=None))


def test_it_is_as_large_as_published() -> None:
    weights = jax.eval_shape(lambda key: ScoreNetwork().start(key, 8, 7), jax.random.key(0))
    count = sum(math.prod(each.shape) for each in jax.tree.leaves(weights))
    assert count == pytest.approx(3.99e6, rel=0.005)
    head = sum(math.prod(each.shape) for each in jax.tree.leaves(weights["head"]))
    assert head / count == pytest.approx(0.89, abs=0.01)
    how = Sampling.published()
    assert (how.method, how.steps, how.strength.low, how.strength.high) == ("pc", 1000, 0, math.inf)
    assert PRESETS["published"].schedule.steps == 250_000
    assert (Noise().low, Noise().high) == (0.1, 5)


def test_its_loss_is_none_for_the_true_score_of_one_architecture() -> None:
    class Known(ScoreNetwork):
        def score(self, weights, frame, x, sigma):  # type: ignore[no-untyped-def]
            return (2 * jax.nn.one_hot(weights, 5) - 1 - x) / sigma[:, None, None] ** 2

    clean = np.array([[0, 3, 1, 4]] * 6)
    sigma = np.linspace(0.2, 5, 6, dtype=np.float32)
    x = np.random.default_rng(0).normal(size=(6, 4, 5)).astype(np.float32)
    frame = Frame(np.zeros((4, 5)), np.ones((4, 4), bool))
    assert float(Known().loss(clean, frame, clean, x, sigma)) == pytest.approx(0, abs=1e-8)
    zero = ScoreNetwork.loss(_Zero(), None, frame, clean, 2 * np.eye(5, dtype=np.float32)[clean] - 1 + x, np.ones(6))
    assert float(zero) == pytest.approx(float((x**2).mean()), rel=1e-5)


class _Zero(ScoreNetwork):
    def score(self, weights, frame, x, sigma):  # type: ignore[no-untyped-def]
        return 0 * x


@pytest.mark.slow
def test_it_learns_and_is_guided_by_a_predictor_of_noisy_architectures() -> None:
    made = generator(Space(Chosen), preset=TINY)
    how = Sampling("pc", 50, Sampling.published(0.0).strength)
    plain = made.draw(256, how=how)
    assert plain.valid > 0.9
    space, rng = made.rows.space, random.Random(0)
    known = [space.sample(rng) for _ in range(60)]
    guide = noisy_guide(made.rows, known, np.array([[float(a.b)] for a in known]))
    guided = made.draw(256, guide=guide, how=Sampling("pc", 50, Sampling.published(3.0).strength))
    assert np.mean([a.b for a in guided.architectures]) > np.mean([a.b for a in plain.architectures]) + 0.3
    with pytest.raises(BadInput, match="a generator with the published preset is guided by a predictor of noisy"):
        made.draw(4, guide=Guide(likes, np.zeros((1, 4, 5), np.float32)))
