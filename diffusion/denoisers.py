"""What says, of noisy rows, which categories lie beneath them; and what networks that do are made of."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nas.predictors.jax_setup import jax, jnp

NEVER = -1e9
"""The logit of a category that a row does not have."""


class Frame(NamedTuple):
    """What is known of the rows before anything is learned.

    Attributes:
        prior: ``[rows, width]``, the logarithm of how often each category is met; ``NEVER`` where it never is.
        attends: ``[rows, rows]``, which rows shape each other.
    """

    prior: Any
    attends: Any


Tilt = Callable[[Any, Any], Any]
"""From ``[items, rows, width]`` logits and the deviation of the noise to those that are wanted."""


class Denoiser(Protocol):
    """Compared by value, so that what is compiled for one is there for its equals."""

    def estimate(self, weights: Any, frame: Frame, x: Any, sigma: Any, tilt: Tilt | None = None) -> Any:
        """What is expected beneath ``[items, rows, width]`` with noise of that deviation, one number or ``[items]``.

        Of the same shape; an entry is 1 where the category is and -1 elsewhere. The score is ``(estimate - x) /
        sigma^2``.
        """
        ...


class Trained(Denoiser, Protocol):
    """A denoiser that learns."""

    def start(self, key: Any, rows: int, categories: int) -> Any:
        """Weights that know nothing."""
        ...

    def loss(self, weights: Any, frame: Frame, categories: Any, x: Any, sigma: Any) -> Any:
        """Of ``[items, rows]`` categories under the noisy ``x``, each with a deviation of its own."""
        ...


class Categorical(ABC):
    """A denoiser that says how probable each category of a row is."""

    @abstractmethod
    def __call__(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        """``[items, rows, width]``, their logits."""

    def estimate(self, weights: Any, frame: Frame, x: Any, sigma: Any, tilt: Tilt | None = None) -> Any:
        logits = self(weights, frame, x, sigma)
        return 2 * jax.nn.softmax(logits if tilt is None else tilt(logits, sigma), -1) - 1

    def loss(self, weights: Any, frame: Frame, categories: Any, x: Any, sigma: Any) -> Any:
        """The cross-entropy (Dieleman et al., arXiv 2211.15089)."""
        said = jax.nn.log_softmax(self(weights, frame, x, sigma), -1)
        return -jnp.take_along_axis(said, categories[..., None], -1).mean()


@dataclass(frozen=True)
class Product(Categorical):
    """Exact where rows do not depend on each other: Bayes' rule for each of them, nothing is learned.

    An entry is 1 where the category is and -1 elsewhere, so the log-likelihoods of two categories under Gaussian noise
    differ by ``2 (x_a - x_b) / sigma^2``.
    """

    def __call__(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        return frame.prior + 2 * x / wide(sigma, x) ** 2


FREQUENCIES = 16
RARE = -10.0
"""The logarithm of a probability below which none is told from another."""


def seen(logits: Any) -> Any:
    """``[items, rows, 2 * width]``, what networks read of the rows on their own: probabilities and their logarithms."""
    log = jax.nn.log_softmax(logits, -1)
    return jnp.concatenate([2 * jnp.exp(log) - 1, jnp.maximum(log, RARE) / RARE], -1)


def waves(t: Any) -> Any:
    """``[items, 2 * FREQUENCIES]``, numbers as waves of different lengths (Vaswani et al., NeurIPS 2017)."""
    angles = t[:, None] * jnp.geomspace(0.25, 32.0, FREQUENCIES)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], 1)


def normed(x: Any) -> Any:
    """Layer normalisation without weights."""
    centred = x - x.mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)


def linear(weights: Any, x: Any) -> Any:
    """``[..., outputs]`` of ``[..., inputs]``."""
    return x @ weights["w"] + weights["b"]


def dense(key: Any, inputs: int, outputs: int) -> dict[str, Any]:
    """Weights of a linear map that keeps variances."""
    return {"w": jax.random.normal(key, (inputs, outputs)) / math.sqrt(inputs), "b": jnp.zeros(outputs)}


def wide(sigma: Any, x: Any) -> Any:
    """So that it multiplies ``x``, one number or one for each item."""
    sigma = jnp.asarray(sigma)
    return sigma if sigma.ndim == 0 else sigma.reshape(-1, 1, 1)
