"""A small graph neural network over networks, of one number, for the predictor."""

from __future__ import annotations

from typing import Any

from nas.predictors.committee import Network, dense, linear
from nas.predictors.jax_setup import jax, jnp

WIDTH = 24
LAYERS = 2


def start(key: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """Weights for ``nodes`` ``[items, nodes, features]`` and ``row`` ``[items, columns]``."""
    keys = iter(jax.random.split(key, 4 + 3 * LAYERS))
    layers = [{way: dense(next(keys), WIDTH, WIDTH) for way in ("self", "from", "to")} for _ in range(LAYERS)]
    return {
        "words": dense(next(keys), inputs["nodes"].shape[-1], WIDTH),
        "layers": layers,
        "row": dense(next(keys), inputs["row"].shape[-1], WIDTH),
        "hidden": dense(next(keys), 3 * WIDTH, WIDTH),
        "value": dense(next(keys), WIDTH, 1),
    }


def apply(weights: dict[str, Any], inputs: dict[str, Any]) -> Any:
    """``[items]``. Messages go along the data and against it; nodes that fill up the arrays send and say nothing."""
    exists, reads = inputs["exists"][..., None], inputs["reads"]
    h = jax.nn.silu(linear(weights["words"], inputs["nodes"])) * exists
    for layer in weights["layers"]:
        along = reads @ linear(layer["from"], h)
        against = jnp.swapaxes(reads, -1, -2) @ linear(layer["to"], h)
        h = (h + jax.nn.silu(linear(layer["self"], h) + along + against)) * exists
    mean = h.sum(-2) / jnp.maximum(exists.sum(-2), 1)
    largest = jnp.where(exists > 0, h, -1e9).max(-2) * (exists.sum(-2) > 0)
    row = jax.nn.silu(linear(weights["row"], inputs["row"]))
    hidden = jax.nn.silu(linear(weights["hidden"], jnp.concatenate([mean, largest, row], -1)))
    return linear(weights["value"], hidden)[:, 0]


MESSAGE_PASSING = Network(start, apply, members=6, batch=64)
