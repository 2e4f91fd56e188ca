"""A predictor of how good architectures are on a data set that it was told of, but on which none was tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.predictors.base import Array
from nas.predictors.dataset import Description
from nas.predictors.jax_setup import jax, jnp
from nas.predictors.resemblance import Read, Scaling, distances, read, scaled, shares

PORTION = 4096
"""Architectures that are predicted at once."""


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Expects on a data set what its sources, weighted by how much they resemble it, would say.

    One network reads the rows of an architecture and has an output for each source: its normal score there. Where few
    data sets are known, no more can be learned of how quality depends on the data set than which of them to trust.

    Attributes:
        sources: names of the data sets that it learned from.
        arrays: what it learned, by name: layers of the network ``layer.0.w``; ``metric.*`` with members as their first
            axis, see :mod:`nas.predictors.resemblance`; ``scaling.*``; what was ``read.*`` of the sources;
            ``covariance``, ``[sources, sources]`` of the outputs over the architectures learned from.
    """

    sources: tuple[str, ...]
    arrays: Mapping[str, NDArray[Any]]

    def shares(self, description: Description) -> Array:
        """``[sources]``, in all 1: how much each says of a data set."""
        sets = jax.tree.map(jnp.asarray, scaled([description], Scaling(**self._group("scaling"))))
        sources = Read(**self._group("read"))
        found: Array = np.asarray(_shares(self._group("metric"), sources, sets), np.float64)
        return found

    def predict(self, probabilities: Array, description: Description) -> Array:
        """``[items]`` of ``[items, rows, width]``: about a normal score, larger is better."""
        return self.scores(probabilities) @ self.shares(description)

    def scores(self, probabilities: Array) -> Array:
        """``[items, sources]``, on each of them."""
        parts = [probabilities[i : i + PORTION] for i in range(0, len(probabilities), PORTION)]
        return np.concatenate([np.asarray(outputs(self.layers, part), np.float64) for part in parts])

    def deviation(self, shares: Array) -> float:
        """Of the predictions with these shares over the architectures learned from."""
        return float(np.sqrt(max(shares @ self.arrays["covariance"] @ shares, 1e-12)))

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """Of the network."""
        group = self._group("layer")
        return [{"w": group[f"{i}.w"], "b": group[f"{i}.b"]} for i in range(len(group) // 2)]

    def _group(self, name: str) -> dict[str, Any]:
        return {k.removeprefix(name + "."): v for k, v in self.arrays.items() if k.startswith(name + ".")}


def outputs(layers: list[dict[str, Any]], probabilities: Any) -> Any:
    """``[items, sources]`` of ``[items, rows, width]``."""
    x = probabilities.reshape(len(probabilities), -1)
    for layer in layers[:-1]:
        x = jax.nn.silu(x @ layer["w"] + layer["b"])
    return x @ layers[-1]["w"] + layers[-1]["b"]


@jax.jit
def _shares(metric: dict[str, Any], sources: Read, sets: Any) -> Any:
    def member(metric: dict[str, Any], sources: Read) -> Any:
        apart = distances(metric, read(metric, sets), sources)
        return shares(metric, apart, jnp.ones_like(apart))[0]

    axes = Read(None, None, 0, None)
    return jax.vmap(member, in_axes=(0, axes))(metric, sources).mean(0)
