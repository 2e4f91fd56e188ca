"""Samplers with exact denoisers draw from the distribution that they should draw from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from nas.diffusion.denoisers import NEVER, Frame, Product
from nas.diffusion.generator import Generator, Sampling, generator
from nas.diffusion.listed import Listed
from nas.diffusion.noise import Noise
from nas.diffusion.rows import Rows
from nas.diffusion.samplers import SAMPLERS
from nas.predictors.jax_setup import jax, jnp
from tests.diffusion.spaces import EVERY

DRAWS = 2048


def weighted(rows: Rows) -> np.ndarray:
    """Shares of the categories, some of them rare."""
    rng = np.random.default_rng(0)
    shares = np.where(rows.valued, rng.dirichlet(np.full(rows.width, 2.0), len(rows.rows)), 0)
    return shares / shares.sum(1, keepdims=True)


@pytest.mark.parametrize("method", SAMPLERS)
def test_marginals_of_the_closed_form_match_theory_in_20_steps(method: str) -> None:
    rows = Rows(EVERY["Chosen"])
    shares = weighted(rows)
    prior = np.where(shares > 0, np.log(np.maximum(shares, 1e-9)), NEVER).astype(np.float32)
    made = Generator(rows, Product(), None, prior)
    drawn, _ = made.categories(DRAWS, how=Sampling(method, 20))
    for column, share in zip(drawn.T, shares, strict=True):
        there = share > 0
        counts = np.bincount(column, minlength=rows.width)
        assert counts[~there].sum() == 0
        assert chisquare(counts[there], DRAWS * share[there]).pvalue > 1e-3


@pytest.mark.parametrize("method", SAMPLERS)
def test_rows_of_a_listed_space_match_theory_together(method: str) -> None:
    made = generator(EVERY["Forbidding"])
    assert isinstance(made.denoiser, Listed)
    drawn, _ = made.categories(DRAWS, how=Sampling(method, 20))
    counts = Counter(map(tuple, drawn.tolist()))
    every = [(a, b) for a in range(6) for b in range(6) if a != b]
    assert set(counts) <= set(every)
    assert chisquare([counts[pair] for pair in every]).pvalue > 1e-3


def test_the_score_is_the_gradient_of_the_log_density() -> None:
    rows = Rows(EVERY["Chosen"])
    shares = weighted(rows)
    prior = np.where(shares > 0, np.log(np.maximum(shares, 1e-9)), NEVER).astype(np.float32)
    centres = 2 * jnp.eye(rows.width) - 1

    def log_density(x, sigma):  # type: ignore[no-untyped-def]
        far = ((x[:, None] - centres) ** 2).sum(-1)
        return jax.nn.logsumexp(prior - far / (2 * sigma**2), axis=1).sum()

    for sigma in (0.3, 1.0, 4.0):
        x = np.random.default_rng(1).normal(size=prior.shape).astype(np.float32)
        estimate = Product().estimate(None, Frame(prior, rows.attends), x[None], sigma)[0]
        np.testing.assert_allclose((estimate - x) / sigma**2, jax.grad(log_density)(x, sigma), rtol=2e-3, atol=2e-3)


def test_levels_fall_from_high_to_low_by_a_constant_ratio() -> None:
    levels = Noise().levels(20)
    assert levels[0] == pytest.approx(5)
    assert levels[-1] == pytest.approx(0.1)
    np.testing.assert_allclose(levels[1:] / levels[:-1], levels[1] / levels[0], rtol=1e-5)
