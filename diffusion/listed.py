"""The exact denoiser of a small space: its architectures are listed, and nothing is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.diffusion.denoisers import NEVER, Categorical, Frame
from nas.diffusion.rows import Categories
from nas.predictors.jax_setup import jax, jnp

MOST = 4_000
"""A space with more architectures, numbers in the same bins being one, is not listed."""


@dataclass(frozen=True)
class Listed(Categorical):
    """Bayes' rule over all architectures, whatever ties their rows together; its weights are the list."""

    def start(self, categories: Categories, width: int) -> dict[str, Any]:
        """The different ones of ``[items, rows]``, each as often as it is there."""
        different, counts = np.unique(categories, axis=0, return_counts=True)
        hot = np.eye(width, dtype=np.float32)[different]
        return {"hot": hot, "shares": np.log(counts / len(categories)).astype(np.float32)}

    def __call__(self, weights: Any, frame: Frame, x: Any, sigma: Any) -> Any:
        """See ``Product`` for the likelihood."""
        sigma = jnp.reshape(jnp.asarray(sigma), (-1, 1))
        likely = 2 * jnp.einsum("brv,nrv->bn", x, weights["hot"]) / sigma**2 + weights["shares"]
        found = jnp.einsum("bn,nrv->brv", jax.nn.softmax(likely, -1), weights["hot"])
        return jnp.where(found > 0, jnp.log(jnp.maximum(found, 1e-30)), NEVER)
