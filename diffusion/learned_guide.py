"""Guides that learn from architectures whose quality, or cost, is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from nas.diffusion.guidance import Guide, Predict
from nas.diffusion.rows import Rows
from nas.predictors.base import Array
from nas.predictors.committee import Committee, Network
from nas.predictors.jax_setup import jax, jnp
from nas.predictors.perceptron import PERCEPTRON

SHORT = 5.0
"""What a deviation below a floor counts against a deviation of quality."""


class RowPredictor:
    """A committee of perceptrons that read the rows of an architecture: a predictor whose slope is known.

    Args:
        rows: of the space; architectures are encoded in their canonical form.
        seed: of the members.
    """

    def __init__(self, rows: Rows, seed: int = 0) -> None:
        self._rows, self._seed = rows, seed

    def fit(self, architectures: Sequence[Any], values: Array) -> None:
        """Learn from so many architectures and ``[items]`` and from nothing that was learned before."""
        self._committee = Committee(PERCEPTRON, self._seed)
        self._committee.fit(self._inputs(architectures), values)
        self.centre, self.unit = float(np.mean(values)), float(np.std(values)) or 1.0

    def predict(self, architectures: Sequence[Any]) -> tuple[Array, Array]:
        """Mean and standard deviation of each, ``[items]``."""
        return self._committee.predict(self._inputs(architectures))

    @property
    def weights(self) -> Any:
        """Of all members; what they say is in deviations from the mean of what was learned."""
        return self._committee.weights

    def _inputs(self, architectures: Sequence[Any]) -> Array:
        canonical = [self._rows.space.canonical(a) for a in architectures]
        hot = np.eye(self._rows.width, dtype=np.float32)[self._rows.encode(canonical)]
        return np.asarray(_flat(hot))


@dataclass(frozen=True)
class Towards:
    """What several predictors say of rows, side by side, less what they are short of.

    Attributes:
        others: guides' own predictions, which come after those of the committees.
        network: what a member of a committee is.
        hope: deviations of the members that are added to their mean, so that what they disagree on is tried too.
    """

    others: tuple[Predict, ...] = ()
    network: Network = PERCEPTRON
    hope: float = 0.0

    def __call__(self, weights: Any, probabilities: Any) -> Any:
        """``[items, objectives]``, in deviations of what was learned."""
        flat = _flat(probabilities)
        short = jnp.zeros((len(flat), 1))
        for each, least in weights["floors"]:
            short = short + jax.nn.relu(least - self._said(each, flat).mean(0))[:, None]
        found = []
        for each in weights["objectives"]:
            said = self._said(each, flat)
            found.append((said.mean(0) + self.hope * jnp.sqrt(said.var(0) + 1e-6))[:, None])
        found += [predict(each, probabilities) for predict, each in zip(self.others, weights["others"], strict=True)]
        return (jnp.concatenate(found, axis=1) if found else 0) - SHORT * short

    def _said(self, weights: Any, flat: Any) -> Any:
        return jax.vmap(self.network.apply, in_axes=(0, None))(weights, flat)


def guide(
    objectives: Sequence[RowPredictor],
    floors: Sequence[tuple[RowPredictor, float]] = (),
    others: Sequence[Guide] = (),
    hope: float = 0.0,
) -> Guide:
    """Towards large values of all objectives, and above the floors.

    Args:
        objectives: fitted.
        floors: fitted, and what the values should reach.
        others: guides towards more objectives, of clean architectures.
        hope: see :class:`Towards`.
    """
    weights = {
        "objectives": [each.weights for each in objectives],
        "floors": [(each.weights, (least - each.centre) / each.unit) for each, least in floors],
        "others": [each.weights for each in others],
    }
    predicts = cast("tuple[Predict, ...]", tuple(each.predict for each in others))
    columns = len(objectives) + sum(each.objectives for each in others)
    return Guide(Towards(predicts, hope=hope), weights, max(1, columns))


def floors(
    rows: Rows, known: Sequence[tuple[Any, Mapping[str, float]]], limits: Mapping[str, float], seed: int = 0
) -> list[tuple[RowPredictor, float]]:
    """For each limit a predictor of the negative logarithm of the cost, and what that should reach; see :func:`guide`.

    Args:
        known: architectures and what they cost, above 0.
        limits: by the name of the cost, the most.
    """
    return [
        (by_cost(rows, [a for a, _ in known], [costs[name] for _, costs in known], seed), -math.log(limit))
        for name, limit in limits.items()
        if known
    ]


def by_cost(rows: Rows, architectures: Sequence[Any], costs: Sequence[float], seed: int = 0) -> RowPredictor:
    """A predictor of the negative logarithm of a cost."""
    made = RowPredictor(rows, seed)
    made.fit(architectures, -np.log(np.asarray(costs, np.float64)))
    return made


def _flat(probabilities: Any) -> Any:
    """``[items, rows * width]``, of about unit variance."""
    return probabilities.reshape(len(probabilities), -1) * math.sqrt(probabilities.shape[-1])
