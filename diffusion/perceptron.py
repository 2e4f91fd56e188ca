"""A multilayer perceptron over all rows side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.diffusion.denoisers import FREQUENCIES, Categorical, Frame, Product, dense, linear, normed, seen, waves
from nas.predictors.jax_setup import jax, jnp


@dataclass(frozen=True)
class Perceptron(Categorical):
    """What the other rows say is learned and added to what is exact for rows on their own.

    A space has a fixed number of rows, and which of them depend on each other is what is to be learned: weights of its
    own for every pair learn it in a fraction of the steps that attention takes, and cost less.

    Attributes:
        blocks, width: hidden layers come in so many pairs with a bridge over each (He et al., CVPR 2016).
    """

    blocks: int = 3
    width: int = 256

    def start(self, key: Any, rows: int, categories: int) -> dict[str, Any]:
        """Weights; those of the last layer are zero."""
        keys = iter(jax.random.split(key, 2 + 2 * self.blocks))
        d = self.width
        return {
            "rows": dense(next(keys), 2 * rows * categories, d),
            "time": dense(next(keys), 2 * FREQUENCIES, d),
            "blocks": [{"up": dense(next(keys), d, d), "down": dense(next(keys), d, d)} for _ in range(self.blocks)],
            "read": {"w": jnp.zeros((d, rows * categories)), "b": jnp.zeros(rows * categories)},
        }

    def __call__(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        alone = Product()(None, frame, x, sigma)
        time = waves(jnp.log(jnp.broadcast_to(jnp.asarray(sigma), (len(x),))))
        h = linear(weights["rows"], seen(alone).reshape(len(x), -1)) + linear(weights["time"], time)
        for block in weights["blocks"]:
            h = h + linear(block["down"], jax.nn.gelu(linear(block["up"], normed(h))))
        return alone + linear(weights["read"], normed(h)).reshape(x.shape)
