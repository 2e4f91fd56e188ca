"""A transformer over the rows; each attends to those that its element has to do with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas.diffusion.denoisers import FREQUENCIES, NEVER, Categorical, Frame, Product, dense, linear, normed, seen, waves
from nas.predictors.jax_setup import jax, jnp


@dataclass(frozen=True)
class Transformer(Categorical):
    """What the other rows say is learned and added to what is exact for rows on their own.

    A pre-norm transformer over the rows. An et al., "DiffusionNAG", ICLR 2024 (arXiv 2305.16943), concatenate twelve
    blocks into a large head and predict the score; this one predicts categories, from which the score follows, and it
    starts as the exact denoiser of a product.

    Attributes:
        blocks, width, heads: of the transformer; the inner layer of a block is twice as wide.
    """

    blocks: int = 3
    width: int = 64
    heads: int = 4

    def start(self, key: Any, rows: int, categories: int) -> dict[str, Any]:
        """Weights; those of the last layer are zero."""
        keys = iter(jax.random.split(key, 4 + self.blocks))
        d = self.width
        return {
            "embed": jax.random.normal(next(keys), (rows, 2 * categories, d)) / math.sqrt(categories),
            "place": 0.1 * jax.random.normal(next(keys), (rows, d)),
            "time": [dense(next(keys), 2 * FREQUENCIES, d), dense(next(keys), d, d)],
            "blocks": [
                block(next(keys), d, 2 * d) | {"pairs": jnp.zeros((self.heads, rows, rows))} for _ in range(self.blocks)
            ],
            "read": jnp.zeros((rows, d, categories)),
            "bias": jnp.zeros((rows, categories)),
        }

    def __call__(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        alone = Product()(None, frame, x, sigma)
        time = waves(jnp.log(jnp.broadcast_to(jnp.asarray(sigma), (len(x),))))
        time = linear(weights["time"][1], jax.nn.silu(linear(weights["time"][0], time)))
        h = jnp.einsum("brv,rvd->brd", seen(alone), weights["embed"])
        h = h + weights["place"] + time[:, None]
        for each in weights["blocks"]:
            h = passed(each, h, frame.attends, self.heads, jax.nn.gelu)
        return alone + jnp.einsum("brd,rdv->brv", normed(h), weights["read"]) + weights["bias"]


def block(key: Any, width: int, inner: int) -> dict[str, Any]:
    """Weights of a block of a transformer."""
    shapes = {"qkv": (width, 3 * width), "out": (width, width), "up": (width, inner), "down": (inner, width)}
    keys = jax.random.split(key, len(shapes))
    return {name: dense(key, *shape) for key, (name, shape) in zip(keys, shapes.items(), strict=True)}


def passed(weights: Any, h: Any, attends: Any, heads: int, activation: Callable[[Any], Any]) -> Any:
    """``[items, rows, width]`` after a block (pre-norm: Xiong et al., ICML 2020, arXiv 2002.04745)."""
    items, rows, width = h.shape
    parts = linear(weights["qkv"], normed(h)).reshape(items, rows, 3, heads, width // heads)
    q, k, v = jnp.moveaxis(parts, 2, 0)
    worth = jnp.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(width // heads) + weights.get("pairs", 0)
    shares = jax.nn.softmax(jnp.where(attends, worth, NEVER), -1)
    h = h + linear(weights["out"], jnp.einsum("bhij,bjhd->bihd", shares, v).reshape(h.shape))
    return h + linear(weights["down"], activation(linear(weights["up"], normed(h))))
