"""Training a denoiser on architectures, at every level of noise; weights are averaged over the steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from nas.diffusion.denoisers import Frame, Trained, wide
from nas.diffusion.noise import Noise
from nas.diffusion.rows import Categories
from nas.predictors.jax_setup import jax, jnp, optax

PORTION = 100
"""Steps of one call of the compiled loop."""
MISTAKES = 0.3, 1.0
"""The noise in which mistakes are made. With more, which architecture it is to be is open, and they would change how
often each is drawn; with less they are too plain to be corrected."""


@dataclass(frozen=True)
class Schedule:
    """How long is learned, and how fast.

    Attributes:
        steps: in all, rounded to a multiple of ``PORTION``.
        batch: architectures in a step.
        rate: of Adam, the largest.
        warmup: steps until then, a quarter of all at most.
        decays: whether the rate falls to zero after that, as a cosine.
        averaged: share of the average that a step keeps.
        around: mean and deviation of the logarithm of the noise, most of which is neither hopeless nor easy (Karras et
            al., NeurIPS 2022, arXiv 2206.00364, section 5); None draws it evenly.
        mistaken: share of the rows that are overwritten before they are hidden, where the noise is in
            ``MISTAKES``. So it is learned what architectures are mistaken for that a space forbids, which are met in no
            other way.
    """

    steps: int = 6000
    batch: int = 256
    rate: float = 2e-3
    warmup: int = 100
    decays: bool = True
    averaged: float = 0.998
    around: tuple[float, float] | None = (0.1, 0.7)
    mistaken: float = 0.04


def train(
    denoiser: Trained,
    frame: Frame,
    categories: Categories,
    noise: Noise,
    schedule: Schedule,
    *,
    seed: int = 0,
    told: Callable[[int, int, float], None] | None = None,
) -> Any:
    """The averaged weights.

    Args:
        categories: ``[items, rows]`` to learn from.
        told: hears of steps done, steps in all, and the mean loss of the last ones.
    """
    key, start = jax.random.split(jax.random.key(seed % 2**32))
    portions = max(1, round(schedule.steps / PORTION))
    schedule = replace(schedule, steps=portions * PORTION)
    weights = denoiser.start(start, *frame.prior.shape)
    state = (weights, weights, _optimiser(schedule).init(weights), jnp.zeros((), jnp.int32))
    frame, given = jax.device_put((frame, categories))
    for portion, part in enumerate(jax.random.split(key, portions), 1):
        state, loss = _portion(denoiser, noise, schedule, frame, given, state, part)
        if told is not None:
            told(portion * PORTION, schedule.steps, float(loss))
    return jax.tree.map(np.asarray, state[1])


def _optimiser(schedule: Schedule) -> Any:
    warmup = min(schedule.warmup, schedule.steps // 4)
    last = 0.0 if schedule.decays else schedule.rate
    rate = optax.warmup_cosine_decay_schedule(0.0, schedule.rate, warmup, schedule.steps, last)
    return optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _portion(
    denoiser: Trained, noise: Noise, schedule: Schedule, frame: Frame, categories: Any, state: Any, key: Any
) -> Any:
    optimiser = _optimiser(schedule)
    width = frame.prior.shape[1]

    def loss(weights: Any, key: Any) -> Any:
        which, level, hide, mistake = jax.random.split(key, 4)
        clean = categories[jax.random.randint(which, (schedule.batch,), 0, len(categories))]
        sigma = _levels(schedule, noise, level)
        x = 2 * jax.nn.one_hot(_mistaken(schedule, frame, clean, sigma, mistake), width) - 1
        x = x + wide(sigma, x) * jax.random.normal(hide, x.shape)
        return denoiser.loss(weights, frame, clean, x, sigma)

    def step(state: Any, key: Any) -> Any:
        weights, averaged, moments, done = state
        value, slope = jax.value_and_grad(loss)(weights, key)
        updates, moments = optimiser.update(slope, moments, weights)
        weights = optax.apply_updates(weights, updates)
        decay = jnp.minimum(schedule.averaged, (1 + done) / (10 + done))
        averaged = jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, averaged, weights)
        return (weights, averaged, moments, done + 1), value

    state, losses = jax.lax.scan(step, state, jax.random.split(key, PORTION))
    return state, losses.mean()


def _mistaken(schedule: Schedule, frame: Frame, categories: Any, sigma: Any, key: Any) -> Any:
    """``[batch, rows]``, the same but for some rows, which have any category that they may have."""
    where, other = jax.random.split(key)
    some = jax.random.uniform(where, categories.shape) < schedule.mistaken
    less, more = (sigma > MISTAKES[0])[:, None], (sigma < MISTAKES[1])[:, None]
    drawn = jax.random.categorical(other, frame.prior, shape=categories.shape)
    return jnp.where(some & less & more, drawn, categories)


def _levels(schedule: Schedule, noise: Noise, key: Any) -> Any:
    """``[batch]`` deviations of the noise."""
    if schedule.around is None:
        return noise.low * jnp.exp(noise.rate * jax.random.uniform(key, (schedule.batch,)))
    mean, deviation = schedule.around
    drawn = jnp.exp(mean + deviation * jax.random.normal(key, (schedule.batch,)))
    return jnp.clip(drawn, noise.low, noise.high)
