"""Guidance towards what other data sets promise for the one at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.diffusion.guidance import Guide, NoiseAware
from nas.diffusion.rows import Rows
from nas.predictors.base import Array
from nas.predictors.conditioned import Conditioned, outputs
from nas.predictors.dataset import Description, described
from nas.predictors.jax_setup import jnp
from nas.searchspace.task import Task


@dataclass(frozen=True)
class Promise:
    """What a conditioned predictor says of one data set, in deviations over what it learned from."""

    def __call__(self, weights: Any, probabilities: Any) -> Any:
        """``[items, 1]``."""
        return (outputs(weights["layers"], probabilities) @ weights["shares"])[:, None]


def guide(predictor: Conditioned, data: Task | Description) -> Guide:
    """Towards what the predictor, which must not have learned from this data set, expects to be good on it.

    Raises:
        BadInput: for a task whose graph is not at hand: give a description.
    """
    description = described(data) if isinstance(data, Task) else data
    shares = predictor.shares(description)
    scaled = jnp.asarray(shares / predictor.deviation(shares), jnp.float32)
    return Guide(Promise(), {"layers": predictor.layers, "shares": scaled})


def predicted(rows: Rows, guide: Guide, architectures: Sequence[Any]) -> Array:
    """``[items, objectives]``, what a guide that reads clean architectures thinks of one or more, in canonical form."""
    assert not isinstance(guide.predict, NoiseAware)
    canonical = [rows.space.canonical(a) for a in architectures]
    hot = np.eye(rows.width, dtype=np.float32)[rows.encode(canonical)]
    return np.asarray(guide.predict(guide.weights, jnp.asarray(hot)), np.float64)
