"""Learning, of data sets whose architectures were tried, what to expect of architectures on others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.predictors.base import Array
from nas.predictors.conditioned import Conditioned, outputs
from nas.predictors.dataset import Description
from nas.predictors.jax_setup import jax, jnp, optax
from nas.predictors.resemblance import Sets, distances, read, scaled, scaling, shares, start
from nas.searchspace.errors import BadInput

WIDTH, STEPS, BATCH, LEARNING_RATE, DECAY = 128, 1500, 1024, 3e-3, 0.1
"""Of the network that reads architectures: its two hidden layers, and its training by AdamW."""
MEMBERS, EPISODES, METRIC_RATE = 4, 300, 0.03
"""Of the metric: members that differ in their first weights, steps of each, and their rate."""
LITTLE = 0.1
"""Penalty on what members learn: there are as few examples as data sets."""
UNSEEN = 0.3
"""How often the graph of a data set is hidden in training, as it is where none is at hand."""
HALF = 0.5
"""So much of its nodes is seen at a time."""


def meta_train(
    sources: Sequence[str],
    descriptions: Sequence[Description],
    categories: NDArray[np.int32],
    width: int,
    scores: Array,
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> Conditioned:
    """A predictor that learned from these data sets.

    The network learns all scores. How data sets resemble each other is learned by leaving each out in turn: the others,
    so weighted, are to predict it (Vinyals et al., "Matching Networks for One Shot Learning", NeurIPS 2016, arXiv
    1606.04080).

    Args:
        sources: names of the data sets.
        descriptions: what each is like.
        categories: ``[items, rows]`` of architectures.
        width: categories of the row that has most.
        scores: ``[items, sources]``, normal scores of quality; NaN where an architecture was not tried.
        seed: of weights and batches.
        steps: of the network's training.

    Raises:
        BadInput: for fewer than two data sets, for arrays that do not fit together, or a data set without scores.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(scores))
    if len(sources) < 2:
        raise BadInput(f"what to expect on another data set is learned from two or more; got {len(sources)}")
    if len(descriptions) != len(sources) or scores.shape != (len(categories), len(sources)):
        raise BadInput(
            f"{len(sources)} data sets need as many descriptions, and scores of {[len(categories), len(sources)]}; got "
            f"{len(descriptions)} and {list(scores.shape)}"
        )
    if empty := [name for name, tried in zip(sources, known.T, strict=True) if not tried.any()]:
        raise BadInput(f"nothing was tried on {', '.join(empty)}; leave it out")
    hot = np.eye(width, dtype=np.float32)[categories]
    filled = np.where(known, scores, 0).astype(np.float32)
    rng = np.random.default_rng(seed % 2**32)
    batches = rng.integers(len(hot), size=(steps, BATCH), dtype=np.int32)
    layers = _learned(_layers(rng, hot, len(sources)), batches, hot, filled, known.astype(np.float32))
    made = {f"layer.{i}.{name}": np.asarray(v) for i, layer in enumerate(layers) for name, v in layer.items()}
    by = scaling(descriptions)
    sets = scaled(descriptions, by)
    metric = _metric(start(rng, MEMBERS), sets, _agreement(filled, known), _shown(sets, rng))
    seen = _read(metric, sets)
    said = Conditioned(tuple(sources), made).scores(hot)
    made |= {f"scaling.{name}": value for name, value in by._asdict().items()}
    made |= {f"metric.{name}": np.asarray(value) for name, value in metric.items()}
    made |= {f"read.{name}": np.asarray(v if name == "places" else v[0]) for name, v in seen._asdict().items()}
    return Conditioned(tuple(sources), made | {"covariance": np.cov(said.T).astype(np.float32)})


def _layers(rng: np.random.Generator, hot: Array, sources: int) -> list[dict[str, Array]]:
    """Drawn here, as all that is random, where nothing has to be compiled."""
    sizes = (hot.shape[1] * hot.shape[2], WIDTH, WIDTH, sources)
    drawn = [rng.standard_normal((a, b), np.float32) * np.float32((2 / a) ** 0.5) for a, b in pairwise(sizes)]
    return [{"w": w, "b": np.zeros(w.shape[1], np.float32)} for w in drawn]


def _shown(sets: Sets, rng: np.random.Generator) -> NDArray[np.bool_]:
    """``[EPISODES, sources, classes, nodes]``, what is seen in each."""
    graphs = rng.random((EPISODES, len(sets.there), 1, 1)) > UNSEEN
    return np.asarray(graphs & (rng.random((EPISODES, *sets.there.shape)) > HALF) & (sets.there > 0))


def _agreement(scores: Array, known: NDArray[np.bool_]) -> Array:
    """``[sources, sources]``, cosines of the scores over what was tried on both."""
    both = known.T.astype(np.float32)
    squares = scores.T**2 @ both.T
    found: Array = scores.T @ scores / np.maximum(np.sqrt(squares * squares.T), 1e-9)
    return found


@jax.jit
def _learned(layers: Any, batches: Any, hot: Any, scores: Any, known: Any) -> Any:
    """Layers of the network."""
    optimiser = optax.adamw(optax.cosine_decay_schedule(LEARNING_RATE, len(batches)), weight_decay=DECAY)

    def loss(layers: Any, chosen: Any) -> Any:
        wrong = known[chosen] * (outputs(layers, hot[chosen]) - scores[chosen]) ** 2
        return wrong.sum() / jnp.maximum(known[chosen].sum(), 1)

    def step(carry: Any, chosen: Any) -> Any:
        layers, state = carry
        slope = jax.grad(loss)(layers, chosen)
        updates, state = optimiser.update(slope, state, layers)
        return (optax.apply_updates(layers, updates), state), None

    return jax.lax.scan(step, (layers, optimiser.init(layers)), batches)[0][0]


@jax.jit
def _read(metric: Any, sets: Sets) -> Any:
    return jax.vmap(read, in_axes=(0, None))(metric, sets)


@jax.jit
def _metric(first: Any, sets: Sets, agreement: Any, shown: Any) -> Any:
    """Weights of the metric, each array with members as its first axis."""
    others = 1 - jnp.eye(len(agreement))
    optimiser = optax.adam(METRIC_RATE)

    def loss(weights: Any, first: Any, there: Any) -> Any:
        seen = read(weights, sets._replace(there=there * 1.0))
        weighted = shares(weights, distances(weights, seen, seen), others)
        size = jnp.sqrt(jnp.einsum("rs,st,rt->r", weighted, agreement, weighted))
        missed = 1 - (weighted * agreement).sum(1) / jnp.maximum(size, 1e-6)
        moved = jax.tree.map(lambda a, b: ((a - b) ** 2).sum(), weights, first)
        return missed.mean() + LITTLE * sum(jax.tree.leaves(moved))

    def member(first: Any) -> Any:
        def step(carry: Any, there: Any) -> Any:
            weights, state = carry
            updates, state = optimiser.update(jax.grad(loss)(weights, first, there), state, weights)
            return (optax.apply_updates(weights, updates), state), None

        return jax.lax.scan(step, (first, optimiser.init(first)), shown)[0][0]

    return jax.vmap(member)(first)
