"""A multilayer perceptron of one number, for the ensemble."""

from __future__ import annotations

from typing import Any

from nas.predictors.committee import Network, dense, linear
from nas.predictors.jax_setup import jax

WIDTH = 32


def start(key: Any, inputs: Any) -> list[dict[str, Any]]:
    """Weights for ``[items, columns]``: two hidden layers."""
    sizes = (inputs.shape[1], WIDTH, WIDTH, 1)
    keys = jax.random.split(key, 3)
    return [dense(k, a, b) for k, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)]


def apply(weights: list[dict[str, Any]], inputs: Any) -> Any:
    """``[items]`` of ``[items, columns]``."""
    x = inputs
    for layer in weights[:-1]:
        x = jax.nn.silu(linear(layer, x))
    return linear(weights[-1], x)[:, 0]


PERCEPTRON = Network(start, apply)
