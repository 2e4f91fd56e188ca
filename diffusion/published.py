"""DiffusionNAG as it was published, to compare with.

An, Lee, Jo, Lee and Hwang, "DiffusionNAG: Predictor-guided Neural Architecture Generation with Diffusion Models", ICLR
2024 (arXiv 2305.16943), with the settings of its experiments on NAS-Bench-201. Its sampler is ``Sampling.published()``.
What its predictor knows of the data set is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.diffusion.denoisers import Frame, Tilt, dense, linear, normed, wide
from nas.diffusion.guidance import Guide, NoiseAware
from nas.diffusion.noise import Noise
from nas.diffusion.rows import Rows
from nas.diffusion.training import Schedule
from nas.diffusion.transformer import block, passed
from nas.predictors.committee import Committee
from nas.predictors.jax_setup import jax, jnp
from nas.predictors.perceptron import PERCEPTRON

SCHEDULE = Schedule(
    steps=250_000, batch=256, rate=2e-5, warmup=1000, decays=False, averaged=0.9999, around=None, mistaken=0.0
)
HIDINGS = 16
"""So often each architecture is hidden in noise for its predictor to learn from."""


@dataclass(frozen=True)
class ScoreNetwork:
    """The score of noisy rows; the outputs of all blocks side by side enter a large head, 4 million weights in all.

    Attributes:
        blocks, width, heads: of the transformer; the inner layer of a block is twice as wide.
        head: width of the two hidden layers of the head.
    """

    blocks: int = 12
    width: int = 64
    heads: int = 8
    head: int = 1536

    def start(self, key: Any, rows: int, categories: int) -> dict[str, Any]:
        keys = iter(jax.random.split(key, 6 + self.blocks))
        d = self.width
        return {
            "embed": dense(next(keys), categories, d),
            "time": [dense(next(keys), d, 4 * d), dense(next(keys), 4 * d, d)],
            "blocks": [block(next(keys), d, 2 * d) for _ in range(self.blocks)],
            "head": [
                dense(next(keys), self.blocks * d, self.head),
                dense(next(keys), self.head, self.head),
                dense(next(keys), self.head, categories),
            ],
        }

    def score(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        """``[items, rows, width]``, the gradient of the log density."""
        time = _waves(jnp.broadcast_to(jnp.asarray(sigma), (len(x),)), self.width)
        time = linear(weights["time"][1], jax.nn.silu(linear(weights["time"][0], time)))
        h = linear(weights["embed"], x) * self.width**0.5 + _waves(jnp.arange(x.shape[1]), self.width) + time[:, None]
        seen = []
        for each in weights["blocks"]:
            h = passed(each, h, frame.attends, self.heads, jax.nn.relu)
            seen.append(normed(h))
        h = jnp.concatenate(seen, -1)
        for each in weights["head"][:-1]:
            h = jax.nn.elu(linear(each, h))
        return linear(weights["head"][-1], h)

    def estimate(self, weights: Any, frame: Frame, x: Any, sigma: Any, tilt: Tilt | None = None) -> Any:
        """Tweedie's formula; there are no logits to tilt."""
        assert tilt is None
        return x + wide(sigma, x) ** 2 * self.score(weights, frame, x, sigma)

    def loss(self, weights: Any, frame: Frame, categories: Any, x: Any, sigma: Any) -> Any:
        """The mean square of ``sigma * score + noise``, the noise being of unit deviation."""
        noise = (x - 2 * jax.nn.one_hot(categories, x.shape[-1]) + 1) / wide(sigma, x)
        return ((wide(sigma, x) * self.score(weights, frame, x, sigma) + noise) ** 2).mean()


@dataclass(frozen=True)
class _Hidden:
    """Committees of perceptrons, one for each objective, that read noisy rows and how noisy they are."""

    def __call__(self, weights: Any, x: Any, sigma: Any) -> Any:
        columns = _columns(x, jnp.broadcast_to(sigma, (len(x),)), jnp)
        said = [jax.vmap(PERCEPTRON.apply, in_axes=(0, None))(each, columns).mean(0) for each in weights]
        return jnp.stack(said, axis=1)


def noisy_guide(
    rows: Rows, architectures: Sequence[Any], values: NDArray[np.floating], noise: Noise | None = None, seed: int = 0
) -> Guide:
    """Towards what a predictor that learned from noisy rows thinks good.

    Args:
        architectures: canonical ones.
        values: theirs, ``[items, objectives]``, larger is better.
    """
    noise, rng = noise or Noise(), np.random.default_rng(seed % 2**32)
    clean = np.repeat(2 * np.eye(rows.width, dtype=np.float32)[rows.encode(architectures)] - 1, HIDINGS, axis=0)
    sigma = noise.low * np.exp(noise.rate * rng.random(len(clean), np.float32))
    x = clean + sigma[:, None, None] * rng.standard_normal(clean.shape, np.float32)
    inputs, weights = _columns(x, sigma, np), []
    for number, column in enumerate(values.T):
        committee = Committee(PERCEPTRON, seed + number)
        committee.fit(inputs, np.repeat(column, HIDINGS))
        weights.append(committee.weights)
    return Guide(NoiseAware(_Hidden()), weights, values.shape[1])


def _columns(x: Any, sigma: Any, numpy: Any) -> Any:
    """``[items, rows * width + 1]``, of about unit variance at every level of noise."""
    flat = x.reshape(len(x), -1) / numpy.sqrt(1 + sigma[:, None] ** 2)
    return numpy.concatenate([flat, numpy.log(sigma)[:, None]], axis=1)


def _waves(t: Any, width: int) -> Any:
    """``[items, width]``, numbers as waves of different lengths (Vaswani et al., NeurIPS 2017)."""
    angles = t[:, None] * jnp.geomspace(1.0, 1e-4, width // 2)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], 1)
