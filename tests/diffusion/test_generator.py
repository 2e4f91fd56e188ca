"""Generators: what they draw, guided and not."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from nas.diffusion.denoisers import NEVER, Frame, Product
from nas.diffusion.generator import PRESETS, Generator, Preset, Sampling, generator
from nas.diffusion.guidance import Guide, NoiseAware, Strength
from nas.diffusion.learned_guide import RowPredictor, guide
from nas.diffusion.listed import Listed
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.training import Schedule, _mistaken
from nas.diffusion.transformer import Transformer
from nas.predictors.jax_setup import jax
from nas.searchspace import BadInput, Space
from tests.diffusion.spaces import EVERY, Chosen, Ends

SMALL = Preset(Perceptron(blocks=1, width=64), Schedule(steps=600, batch=128))


@pytest.fixture(scope="module")
def learned() -> Generator:
    """Of 34 equally likely pairs of numbers."""
    return generator(Space(Ends), preset=SMALL)


@pytest.fixture(scope="module")
def exact() -> Generator:
    return generator(Space(Chosen))


def likes(weights: Any, probabilities: Any) -> Any:
    """Objectives that are linear in the probabilities."""
    return (probabilities[:, None] * weights).sum((2, 3))


def ends(made: Generator) -> Guide:
    """One objective for each of the two numbers."""
    worth = np.zeros((2, 2, made.rows.width), np.float32)
    for row in range(2):
        worth[row, row] = np.linspace(-1.5, 1.5, made.rows.width)
    return Guide(likes, worth, 2)


def test_where_rows_do_not_depend_on_each_other_nothing_is_learned() -> None:
    assert isinstance(generator(EVERY["agnn"]).denoiser, Product)
    assert isinstance(generator(EVERY["Chosen"]).denoiser, Product)
    assert isinstance(generator(EVERY["Flat"]).denoiser, Product)


@pytest.mark.parametrize("name", ["Conditional", "Forbidding", "nasbench-graph-proteins"])
def test_small_spaces_are_listed_and_every_draw_is_theirs(name: str) -> None:
    made = generator(EVERY[name])
    assert isinstance(made.denoiser, Listed)
    drawn = made.draw(256)
    assert drawn.valid == drawn.canonical == 1
    assert drawn.mended == 0


def test_a_learned_distribution_is_close_to_the_exact_one(learned: Generator) -> None:
    draws = 2048
    rows, _ = learned.categories(draws)
    counts = Counter(map(tuple, rows.tolist()))
    every = [(a, b) for a in range(7) for b in range(7) if a + b <= 7]
    distance = 0.5 * sum(abs(counts[pair] / draws - 1 / len(every)) for pair in every)
    distance += 0.5 * sum(n for pair, n in counts.items() if pair not in every) / draws
    chance = 0.5 * len(every) * np.sqrt(2 / np.pi / (draws * len(every)))  # what equal distributions would show
    assert distance < chance + 0.05, "total variation distance"
    assert learned.draw(512).valid > 0.95


@pytest.mark.slow
def test_a_transformer_learns_too() -> None:
    made = generator(Space(Ends), preset=Preset(Transformer(1, 32, 2), Schedule(steps=400, batch=128)))
    assert made.draw(256).valid > 0.9


def test_training_tells_of_its_loss_which_falls() -> None:
    told: list[tuple[int, int, float]] = []
    tiny = Preset(Perceptron(1, 16), Schedule(steps=20, batch=64))
    generator(Space(Ends), preset=tiny, steps=300, told=lambda *news: told.append(news))
    assert [news[:2] for news in told] == [(100, 300), (200, 300), (300, 300)]
    assert told[-1][2] < told[0][2]


def test_mistakes_are_categories_that_a_row_may_have_and_made_where_little_is_open(learned: Generator) -> None:
    made = learned
    assert PRESETS["published"].schedule.mistaken == 0
    categories = made.rows.encode([made.rows.space.sample(random.Random(i)) for i in range(2000)])
    frame = Frame(made.prior, made.rows.attends)
    for sigma, share in ((0.2, 0.0), (0.5, 0.4), (0.9, 0.4), (1.5, 0.0)):
        sigmas = np.full(len(categories), sigma, np.float32)
        seen = np.asarray(_mistaken(Schedule(mistaken=0.4), frame, categories, sigmas, jax.random.key(0)))
        same = (np.exp(made.prior) ** 2).sum(1)  # what is drawn may be what was there
        assert (seen != categories).mean(0) == pytest.approx(share * (1 - same), abs=0.06)
        assert (np.take_along_axis(made.prior, seen.T, 1) > NEVER).all()


def test_equal_seeds_give_equal_draws_and_more_draws_begin_with_fewer(learned: Generator) -> None:
    again = generator(Space(Ends), preset=SMALL)
    first, second = learned.draw(100, seed=3), again.draw(100, seed=3)
    assert first == second
    assert first != learned.draw(100, seed=4)
    few, many = learned.categories(10, seed=3)[0], learned.categories(200, seed=3)[0]
    np.testing.assert_array_equal(few, many[:10])


def test_repeats_are_dropped_and_shares_are_told(learned: Generator) -> None:
    drawn = learned.draw(300)
    assert len(drawn.architectures) == len(set(drawn.architectures)) <= 34
    assert drawn.unique == pytest.approx(len(drawn.architectures) / (drawn.valid * 300))


def test_only_what_was_given_is_learned() -> None:
    given = [Chosen(a=a, b=b, c=True, d="u") for a, b in [("p", 1), ("q", 2), ("p", 3)]]
    made = generator(Space(Chosen), architectures=given, preset=SMALL)
    drawn, _ = made.categories(200)
    known = made.rows.encode(given).tolist()
    assert {row[2:] for row in map(tuple, drawn.tolist())} == {tuple(known[0][2:])}
    assert np.mean([row in known for row in drawn.tolist()]) > 0.9


@pytest.mark.parametrize("method", ["em", "heun", *(pytest.param(n, marks=pytest.mark.slow) for n in ("pc", "ode"))])
def test_a_guide_raises_what_it_predicts(method: str, exact: Generator, learned: Generator) -> None:
    for made in (exact, learned) if method == "em" else (exact,):
        worth = np.random.default_rng(0).normal(size=(1, len(made.rows.rows), made.rows.width)).astype(np.float32)
        towards = Guide(likes, worth)

        def predicted(towards: Guide | None, made: Generator = made, worth: Any = worth) -> float:
            rows, _ = made.categories(256, guide=towards, how=Sampling(method))
            return float(worth[0, np.arange(rows.shape[1]), rows].sum(1).mean())

        assert predicted(towards) > predicted(None) + 0.3


def test_the_stronger_the_guidance_the_larger_what_is_predicted(exact: Generator) -> None:
    worth = np.random.default_rng(0).normal(size=(1, len(exact.rows.rows), exact.rows.width)).astype(np.float32)
    means = []
    for scale in (0.0, 1.0, 8.0):
        rows, _ = exact.categories(512, guide=Guide(likes, worth), how=Sampling(strength=Strength(scale)))
        means.append(float(worth[0, np.arange(rows.shape[1]), rows].sum(1).mean()))
    assert means == sorted(means)
    np.testing.assert_array_equal(
        exact.categories(64, guide=Guide(likes, worth), how=Sampling(strength=Strength(0.0)))[0],
        exact.categories(64)[0],
    )


def test_outside_of_its_interval_a_guide_says_nothing(exact: Generator) -> None:
    worth = np.ones((1, len(exact.rows.rows), exact.rows.width), np.float32).cumsum(-1)
    never = Sampling(strength=Strength(low=7.0, high=9.0))
    np.testing.assert_array_equal(
        exact.categories(64, guide=Guide(likes, worth), how=never)[0], exact.categories(64)[0]
    )


def test_several_objectives_are_covered_together() -> None:
    made = generator(Space(Ends))
    rows, _ = made.categories(512, guide=ends(made), how=Sampling(strength=Strength(change=2.0)))
    x, y = rows.T
    assert np.corrcoef(x, y)[0, 1] < -0.5, "each draw has a trade-off of its own"
    assert (x + y).mean() > 5.5, "near the front, where the sum is 7"
    assert {0, 1, 6} <= set(x.tolist())
    assert {0, 1, 6} <= set(y.tolist())


def test_a_noise_aware_guide_pulls_the_score(exact: Generator) -> None:
    worth = np.random.default_rng(0).normal(size=(1, len(exact.rows.rows), exact.rows.width)).astype(np.float32)
    towards = Guide(NoiseAware(noisy_likes), worth)
    how = Sampling(strength=Strength(1.0))
    rows, _ = exact.categories(256, guide=towards, how=how)
    plain, _ = exact.categories(256)
    each = np.arange(rows.shape[1])
    assert worth[0, each, rows].sum(1).mean() > worth[0, each, plain].sum(1).mean() + 0.3


def noisy_likes(weights: Any, x: Any, sigma: Any) -> Any:
    return (x[:, None] * weights).sum((2, 3))


def test_a_guide_that_learned_raises_the_quality(exact: Generator) -> None:
    every = list(exact.rows.space.enumerate())
    quality = np.array([float(a.b) + (a.a == "q") - 2 * a.c for a in every])
    learned = RowPredictor(exact.rows)
    learned.fit(every[::2], quality[::2])
    value = dict(zip(every, quality, strict=True))
    plain = [value[a] for a in exact.draw(256).architectures]
    guided, _ = exact.categories(256, guide=guide([learned]))
    made = [exact.rows.decode(row, random.Random(0)) for row in guided]
    assert np.mean([value[a] for a in made]) > np.mean(plain) + 0.5


def test_bad_input(exact: Generator) -> None:
    with pytest.raises(BadInput, match="1 architecture or more can be drawn; got 0"):
        exact.draw(0)
    with pytest.raises(BadInput, match="unknown sampler 'emm'; did you mean 'em'"):
        Sampling("emm")
    with pytest.raises(BadInput, match="a sampler takes 1 step or more; got 0"):
        Sampling(steps=0)
    with pytest.raises(BadInput, match="unknown preset 'publishd'; did you mean 'published'"):
        generator(Space(Chosen), preset="publishd")
    with pytest.raises(BadInput, match="a generator learns from one architecture or more; got none"):
        generator(Space(Chosen), architectures=[])
    with pytest.raises(BadInput, match="a predictor of noisy architectures guides by a given scale"):
        exact.draw(4, guide=Guide(NoiseAware(noisy_likes), None))
    assert {"network", "published"} <= set(PRESETS)
