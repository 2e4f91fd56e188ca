"""How much data sets resemble each other, by their descriptions: what of these matters is learned.

The nodes of a description are read by a set encoder (Zaheer et al., "Deep Sets", NeurIPS 2017, arXiv 1703.06114): means
and deviations over the nodes of each class, then the mean over classes, so that neither has an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nas.predictors.base import Array
from nas.predictors.dataset import KNOWN, STATISTICS, Description
from nas.predictors.descriptors import NODE
from nas.predictors.jax_setup import jax, jnp
from nas.predictors.transfer import NEAR

HIDDEN, PLACES = 16, 4
"""Width of the set encoder, and of what it says of a data set."""
FARTHEST = 4.0
"""In deviations: what is farther out counts as if it were there."""
GRAPH_ONLY = -1.5
"""The logarithm of what a statistic counts at first that cannot always be told; the others have 0."""
EVENLY = -3.0
"""The logit of the share that all sources have alike at first."""


class Scaling(NamedTuple):
    """Centres and deviations of ``[statistics]`` and of ``[descriptors]`` of nodes."""

    centre: Array
    unit: Array
    nodes_centre: Array
    nodes_unit: Array


class Sets(NamedTuple):
    """Data sets, scaled. Zeros stand where something is not known.

    Attributes:
        statistics, known: ``[sets, statistics]``, and 1 where they are known.
        nodes, there: ``[sets, classes, nodes, descriptors]`` and ``[sets, classes, nodes]``, 1 where there is a node.
    """

    statistics: Any
    known: Any
    nodes: Any
    there: Any


class Read(NamedTuple):
    """Data sets of which the nodes were read: ``places`` are ``[sets, PLACES]``, ``seen`` ``[sets]``."""

    statistics: Any
    known: Any
    places: Any
    seen: Any


def scaling(descriptions: Sequence[Description]) -> Scaling:
    """By what these data sets are like."""
    statistics = np.stack([d.statistics for d in descriptions]).astype(np.float64)
    known = np.isfinite(statistics)
    count = np.maximum(known.sum(0), 1)
    centre = np.where(known, statistics, 0).sum(0) / count
    unit = np.sqrt((np.where(known, statistics - centre, 0) ** 2).sum(0) / count)
    nodes = np.concatenate([np.zeros((1, len(NODE))), *(d.nodes[d.there] for d in descriptions)])[1:]
    alone = not len(nodes)
    found = (
        centre, np.where(unit > 1e-3, unit, 1), np.zeros(len(NODE)) if alone else nodes.mean(0),
        np.ones(len(NODE)) if alone else np.maximum(nodes.std(0), 1e-3),
    )  # fmt: skip
    return Scaling(*(np.asarray(each, np.float32) for each in found))


def scaled(descriptions: Sequence[Description], by: Scaling) -> Sets:
    """The data sets in those units."""
    statistics = (np.stack([d.statistics for d in descriptions]) - by.centre) / by.unit
    there = np.stack([d.there for d in descriptions]).astype(np.float32)
    nodes = (np.stack([d.nodes for d in descriptions]) - by.nodes_centre) / by.nodes_unit
    return Sets(
        np.nan_to_num(np.clip(statistics, -FARTHEST, FARTHEST)),
        np.isfinite(statistics).astype(np.float32),
        np.clip(nodes, -FARTHEST, FARTHEST) * there[..., None],
        there,
    )


def start(rng: np.random.Generator, members: int) -> dict[str, Array]:
    """Weights at which what can always be told counts as in :class:`nas.predictors.transfer.Experience`.

    Args:
        members: of each array they are the first axis.
    """
    sizes = (len(NODE), HIDDEN), (2 * HIDDEN, HIDDEN), (HIDDEN, PLACES)
    made = {f"w{i}": rng.standard_normal((members, *size)) / size[0] ** 0.5 for i, size in enumerate(sizes)}
    made |= {"b0": np.zeros((members, HIDDEN)), "b1": np.zeros((members, HIDDEN))}
    counts = np.where(np.arange(len(STATISTICS)) < len(KNOWN), 0.0, GRAPH_ONLY)
    made |= {"counts": np.tile(counts, (members, 1)), "near": np.zeros(members)}
    made |= {"nodes": np.full(members, GRAPH_ONLY), "evenly": np.full(members, EVENLY)}
    return {name: array.astype(np.float32) for name, array in made.items()}


def read(weights: dict[str, Any], sets: Sets) -> Read:
    """The set encoder at work."""
    there = sets.there[..., None]
    count = jnp.maximum(there.sum(2), 1)
    h = jax.nn.silu(sets.nodes @ weights["w0"] + weights["b0"])
    mean = (h * there).sum(2) / count
    deviation = jnp.sqrt(((h - mean[:, :, None]) ** 2 * there).sum(2) / count + 1e-4)
    classes = jax.nn.silu(jnp.concatenate([mean, deviation], -1) @ weights["w1"] + weights["b1"])
    present = (sets.there.sum(2) > 0)[..., None]
    pooled = (classes * present).sum(1) / jnp.maximum(present.sum(1), 1)
    return Read(sets.statistics, sets.known, pooled @ weights["w2"], (sets.there.sum((1, 2)) > 0) * 1.0)


def distances(weights: dict[str, Any], some: Read, others: Read) -> Any:
    """``[some, others]``, means of squares over what is known of both."""
    both = some.known[:, None] * others.known * jnp.exp(weights["counts"])
    squares = (both * (some.statistics[:, None] - others.statistics) ** 2).sum(-1)
    seen = some.seen[:, None] * others.seen * jnp.exp(weights["nodes"])
    squares = squares + seen * ((some.places[:, None] - others.places) ** 2).sum(-1)
    return squares / (both.sum(-1) + PLACES * seen)


def shares(weights: dict[str, Any], distances: Any, allowed: Any) -> Any:
    """``[some, sources]``, in all 1 for each: what each source is expected to say of a data set.

    Args:
        distances: ``[some, sources]``.
        allowed: the same; a data set is no source of itself.
    """
    near = jnp.exp(weights["near"]) / (2 * NEAR**2)
    by_distance = jax.nn.softmax(jnp.where(allowed, -near * distances, -1e9), -1)
    evenly = jax.nn.sigmoid(weights["evenly"])
    return (1 - evenly) * by_distance + evenly * allowed / allowed.sum(-1, keepdims=True)
