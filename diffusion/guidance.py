"""Guidance: samples are drawn towards what a predictor thinks well of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from nas.predictors.jax_setup import jax, jnp

Predict = Callable[[Any, Any], Any]
"""From weights and the ``[items, rows, width]`` probabilities of categories to ``[items, objectives]``, each of about
unit deviation over the space, larger is better. Compared by value, as denoisers are."""


@dataclass(frozen=True)
class NoiseAware:
    """A predictor that learned from noisy architectures, as DiffusionNAG's.

    Attributes:
        predict: from weights, ``[items, rows, width]`` and the deviation of their noise to ``[items, objectives]``.
    """

    predict: Callable[[Any, Any, Any], Any]


class Guide(NamedTuple):
    """A predictor for one data set.

    Attributes:
        predict: what it computes: of probabilities, or of noisy architectures.
        weights: what it learned.
        objectives: how many it predicts.
    """

    predict: Predict | NoiseAware
    weights: Any
    objectives: int = 1


@dataclass(frozen=True)
class Strength:
    """How strongly samples are guided, and when.

    Attributes:
        scale: by how much a deviation of the predicted quality makes a category more probable, in its logarithm; None
            chooses it in each step so that the categories' logits change by ``change`` (root mean square). For a
            ``NoiseAware`` predictor it is the factor of its gradient, and None is not allowed.
        change: that change.
        low, high: noise between which is guided: before that the predictor sees an average of all architectures, after
            it everything is decided (Kynkaanniemi et al., NeurIPS 2024, arXiv 2404.07724).
    """

    scale: float | None = None
    change: float = 1.0
    low: float = 0.3
    high: float = 2.0


def tilted(predict: Predict, weights: Any, shares: Any, strength: Strength, logits: Any, sigma: Any) -> Any:
    """The ``[items, rows, width]`` logits of the denoised estimate, tilted by the predicted quality.

    With quality f and x0 the architecture, ``p(x0 | x) exp(scale f(x0))`` is what is asked for. Rows are taken on their
    own and f as linear around the estimate, which leaves ``logits + scale df/dp``: the predictor sees clean
    architectures alone, no gradient passes through the denoiser, and samples never leave the simplex. (DiffusionNAG,
    arXiv 2305.16943, equation 9, adds the gradient of a predictor of noised architectures to the score.)

    Args:
        shares: ``[items, objectives]``, what each objective counts for each item.
    """

    def tilt(logits: Any) -> Any:
        slope = jax.grad(lambda p: (shares * predict(weights, p)).sum())(jax.nn.softmax(logits, -1))
        seen = logits > logits.max(-1, keepdims=True) + OUT
        slope = jnp.where(seen, slope, 0)
        slope = jnp.where(seen, slope - slope.sum(-1, keepdims=True) / seen.sum(-1, keepdims=True), 0)
        if strength.scale is not None:
            return logits + strength.scale * slope
        size = jnp.sqrt((slope**2).sum() / seen.sum())
        return logits + strength.change / jnp.maximum(size, TINY) * slope

    return jax.lax.cond(_inside(strength, sigma), tilt, lambda logits: logits, logits)


def pulled(predict: NoiseAware, weights: Any, shares: Any, strength: Strength, score: Any, x: Any, sigma: Any) -> Any:
    """The ``[items, rows, width]`` score with the scaled gradient of a predictor: DiffusionNAG, equation 9."""

    def pull(score: Any) -> Any:
        slope = jax.grad(lambda x: (shares * predict.predict(weights, x, sigma)).sum())(x)
        return score + strength.scale * slope

    return jax.lax.cond(_inside(strength, sigma), pull, lambda score: score, score)


def _inside(strength: Strength, sigma: Any) -> Any:
    return (sigma >= strength.low) & (sigma <= strength.high)


OUT, TINY = -1e6, 1e-12
