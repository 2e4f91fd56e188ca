"""Neural networks that are trained together, each on its own share of the items, and asked together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nas.predictors.base import Array
from nas.predictors.calibration import factor
from nas.predictors.jax_setup import jax, jnp, optax

SHARES = 3
"""A member does not see one of so many shares of the items."""
FEW = 6
"""So few items are seen by all members."""
STEPS = 200
LEARNING_RATE = 0.01
DECAY = 1.0
"""Of the weights, as in AdamW."""
SMALLEST, LARGEST = 16, 1024
"""Items are filled up to a power of two from the one, and predicted in portions of the other, so that few sizes are
ever compiled."""


class Network(NamedTuple):
    """What is trained. Its functions are compared as they are, so they must be made once.

    Attributes:
        start: a key and the inputs -> weights of one member.
        apply: weights of one member and the inputs -> ``[items]``.
        members: how many, a multiple of ``SHARES``.
        batch: items that a step of the training looks at, at most.
    """

    start: Callable[[Any, Any], Any]
    apply: Callable[[Any, Any], Any]
    members: int = 12
    batch: int = LARGEST


class Committee:
    """Members that differ in their first weights and in the items that they do not see.

    Lakshminarayanan, Pritzel and Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles", NeurIPS 2017 (arXiv 1612.01474), and for architectures White, Neiswanger and Savani, "BANANAS", AAAI
    2021 (arXiv 1910.11858). They give each member a second output for the noise, and all items. On NAS-Bench-Graph that
    ranked no better, and members that have not seen an item tell how wrong they are: the noise is the error that two in
    three of such predictions keep, and noise and spread together are calibrated on them.

    All members are trained at once, in one compiled loop of full batches.

    Attributes:
        weights: of all members once it has learned, each array with members as its first axis.

    Args:
        network: what a member is.
        seed: of the weights and the shares.
    """

    weights: Any

    def __init__(self, network: Network, seed: int = 0) -> None:
        self._network, self._seed = network, seed % 2**32

    def fit(self, inputs: Any, values: Array) -> None:
        """Learn from a tree of arrays, the first axis of each being the items, and ``[items]``."""
        items, size = len(values), _size(len(values))
        self._centre, self._unit = float(np.mean(values)), float(np.std(values)) or 1.0
        targets = (np.asarray(values, np.float64) - self._centre) / self._unit
        members = self._network.members
        seen = _shares(members, items, np.random.default_rng(self._seed))
        filled = jax.tree.map(lambda array: _filled(array, size), inputs)
        weights = np.zeros((members, size), np.float32)
        weights[:, :items] = seen / seen.sum(1, keepdims=True)
        key = jax.random.key(self._seed)
        self.weights = _train(self._network, key, filled, _filled(targets.astype(np.float32), size), weights, items)
        self._noise, self._factor = self._judged(self._said(inputs, items), seen, targets)

    def predict(self, inputs: Any) -> tuple[Array, Array]:
        items = len(jax.tree.leaves(inputs)[0])
        said = self._said(inputs, items)
        deviation = self._factor * np.hypot(said.std(0), self._noise)
        return said.mean(0) * self._unit + self._centre, deviation * self._unit

    def _judged(self, said: Array, seen: Array, targets: Array) -> tuple[float, float]:
        """The noise, and the factor of the deviation, by what members say of items that they did not see."""
        new = seen == 0
        if not new.any():
            return float(targets.std()), 1.0
        mean = np.average(said, axis=0, weights=new)
        spread = np.sqrt(np.average((said - mean) ** 2, axis=0, weights=new))
        noise = float(np.quantile(np.abs(targets - mean), 0.68))
        return noise, factor(targets, mean, np.hypot(spread, noise))

    def _said(self, inputs: Any, items: int) -> Array:
        """``[members, items]``."""
        parts = []
        for first in range(0, items, LARGEST):
            part = jax.tree.map(lambda array: array[first : first + LARGEST], inputs)  # noqa: B023
            count = min(LARGEST, items - first)
            filled = jax.tree.map(lambda array: _filled(array, _size(count)), part)  # noqa: B023
            parts.append(np.asarray(_ask(self._network, self.weights, filled), np.float64)[:, :count])
        return np.concatenate(parts, axis=1)


def _shares(members: int, items: int, rng: np.random.Generator) -> Array:
    """``[members, items]``, 1 where a member sees an item. Each item is new to one in ``SHARES`` members."""
    seen = np.ones((members, items))
    if items > FEW:
        for first in range(0, members, SHARES):
            order = rng.permutation(items)
            for share in range(SHARES):
                seen[first + share, order[share::SHARES]] = 0
    return seen


def _size(items: int) -> int:
    return max(SMALLEST, 1 << (items - 1).bit_length())


def _filled(array: Array, size: int) -> Array:
    """With rows of zeros up to ``size``."""
    return np.concatenate([array, np.zeros((size - len(array), *array.shape[1:]), array.dtype)])


@partial(jax.jit, static_argnums=0)
def _ask(network: Network, weights: Any, inputs: Any) -> Any:
    return jax.vmap(network.apply, in_axes=(0, None))(weights, inputs)


@partial(jax.jit, static_argnums=0)
def _train(network: Network, key: Any, inputs: Any, targets: Any, shares: Any, items: Any) -> Any:
    """The trained weights, each array with members as its first axis.

    Of the filled-up arrays so many are ``items``; the ``shares`` of a member add up to 1. In batches where the arrays
    are larger than one.
    """
    start, draw = jax.random.split(key)
    weights = jax.vmap(network.start, in_axes=(0, None))(jax.random.split(start, network.members), inputs)
    optimiser = optax.adamw(optax.cosine_decay_schedule(LEARNING_RATE, STEPS), weight_decay=DECAY)

    def loss(weights: Any, inputs: Any, targets: Any, shares: Any) -> Any:
        said = jax.vmap(network.apply, in_axes=(0, None))(weights, inputs)
        return (shares * (said - targets) ** 2).sum()

    def step(carry: Any, key: Any) -> Any:
        weights, state = carry
        batch = (inputs, targets, shares)
        if len(targets) > network.batch:
            drawn = jax.random.randint(key, (network.batch,), 0, items)
            here = jax.tree.map(lambda array: array[drawn], inputs)
            batch = (here, targets[drawn], shares[:, drawn] * items / network.batch)
        updates, state = optimiser.update(jax.grad(loss)(weights, *batch), state, weights)
        return (optax.apply_updates(weights, updates), state), None

    (weights, _), _ = jax.lax.scan(step, (weights, optimiser.init(weights)), jax.random.split(draw, STEPS))
    return weights


def dense(key: Any, inputs: int, outputs: int) -> dict[str, Any]:
    """Weights of a linear map, of the size that keeps variances under a rectifier (He et al., ICCV 2015)."""
    return {"w": jax.random.normal(key, (inputs, outputs)) * (2 / inputs) ** 0.5, "b": jnp.zeros(outputs)}


def linear(weights: Any, x: Any) -> Any:
    """``[..., outputs]`` of ``[..., inputs]``."""
    return x @ weights["w"] + weights["b"]
