"""From noise back to architectures: samplers of the reverse process, each one compiled loop.

Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations", ICLR 2021 (arXiv 2011.13456).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas.predictors.jax_setup import jax, jnp

SNR = 0.16
"""The signal-to-noise ratio of a corrector's step, as in DiffusionNAG."""

Score = Callable[[Any, Any], Any]
"""From noisy ``[items, rows, width]`` and the deviation of the noise to the gradient of their log density."""


def euler_maruyama(score: Score, x: Any, levels: Any, key: Any) -> Any:
    """Ancestral steps from each level to the next (appendix F of the paper, "reverse diffusion" with the exact variance
    of a discrete step); one evaluation a step."""

    def step(x: Any, at: Any) -> Any:
        here, there, key = at
        return _ancestral(score, x, here, there, key), None

    return _scan(step, x, levels, key)


def predictor_corrector(score: Score, x: Any, levels: Any, key: Any) -> Any:
    """A step of Langevin dynamics (algorithm 4) before each of those; two evaluations a step."""

    def step(x: Any, at: Any) -> Any:
        here, there, key = at
        first, second = jax.random.split(key)
        slope, noise = score(x, here), jax.random.normal(first, x.shape)
        size = 2 * (SNR * _norm(noise) / _norm(slope)) ** 2
        x = x + size * slope + jnp.sqrt(2 * size) * noise
        return _ancestral(score, x, here, there, second), None

    return _scan(step, x, levels, key)


def ode(score: Score, x: Any, levels: Any, key: Any) -> Any:
    """Euler's steps along the probability flow (equation 13): no noise but the first; one evaluation a step."""

    def step(x: Any, at: Any) -> Any:
        here, there, _ = at
        return x - (there - here) * here * score(x, here), None

    return _scan(step, x, levels, key)


def heun(score: Score, x: Any, levels: Any, key: Any) -> Any:
    """Heun's steps along it (Karras et al., NeurIPS 2022, arXiv 2206.00364, algorithm 1); two evaluations a step."""

    def step(x: Any, at: Any) -> Any:
        here, there, _ = at
        slope = -here * score(x, here)
        ahead = x + (there - here) * slope
        return x + (there - here) * 0.5 * (slope - there * score(ahead, there)), None

    return _scan(step, x, levels, key)


def _ancestral(score: Score, x: Any, here: Any, there: Any, key: Any) -> Any:
    """From one level of noise to a lower one, with the variance that the lower one still has."""
    lost = here**2 - there**2
    mean = x + lost * score(x, here)
    return mean + jnp.sqrt(lost) * there / here * jax.random.normal(key, x.shape)


def _scan(step: Callable[[Any, Any], Any], x: Any, levels: Any, key: Any) -> Any:
    keys = jax.random.split(key, len(levels) - 1)
    return jax.lax.scan(step, x, (levels[:-1], levels[1:], keys))[0]


def _norm(x: Any) -> Any:
    """The mean length of an item."""
    return jnp.sqrt((x * x).sum((1, 2))).mean()


SAMPLERS = {"em": euler_maruyama, "pc": predictor_corrector, "ode": ode, "heun": heun}
"""By the name of an option."""
