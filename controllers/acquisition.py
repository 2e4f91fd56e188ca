"""What a candidate is worth trying, from what a predictor says of it. Larger values are better throughout."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BETA = 1.0
"""Deviations that the upper confidence bound adds. Of .5, 1 and 2 none was better than the others."""


def expected_improvement(mean: Array, deviation: Array, best: float | Array) -> Array:
    """``E[max(Y - best, 0)]`` of normal Y: Mockus 1975; Jones, Schonlau and Welch, J. Global Optimization 1998, eq. 15.

    Args:
        mean, deviation: ``[items]``.
        best: what is to be improved on.
    """
    from scipy.special import ndtr

    z = (mean - best) / deviation
    density: Array = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    found: Array = deviation * (z * ndtr(z) + density)
    return np.maximum(found, 0)


def upper_bound(mean: Array, deviation: Array, beta: float = BETA) -> Array:
    """Mean and ``beta`` deviations: Srinivas, Krause, Kakade and Seeger, ICML 2010, arXiv 0912.3995."""
    return mean + beta * deviation


def thompson(mean: Array, deviation: Array, rng: random.Random) -> Array:
    """A draw for each item on its own: independent Thompson sampling of White, Neiswanger and Savani, "BANANAS",
    AAAI 2021, arXiv 1910.11858, section 4."""
    return mean + deviation * np.random.default_rng(rng.getrandbits(64)).standard_normal(len(mean))


def expected_hypervolume_improvement(means: Array, deviations: Array, front: Array, reference: Array) -> Array:
    """By how much a new point is expected to enlarge the area that a front of two objectives dominates; exact.

    The area gained is the integral, over what neither the front nor the reference covers, of the probability that the
    point dominates; in a strip between two points of the front it is a product of expected improvements (the strips
    are those of Emmerich, Deutz and Klinkenberg, CEC 2011).

    Args:
        means, deviations: ``[2, items]`` of two independent normals.
        front: ``[points, 2]`` that do not dominate each other.
        reference: ``[2]``, what counts as nothing.
    """
    inside = front[(front > reference).all(1)]
    inside = inside[np.argsort(inside[:, 0])]
    left = np.concatenate([[reference[0]], inside[:, 0]])  # where each strip begins, and what is dominated in it
    floor = np.concatenate([inside[:, 1], [reference[1]]])
    total: Array = np.zeros(means.shape[1])
    for i, (begin, above) in enumerate(zip(left, floor, strict=True)):
        across = expected_improvement(means[0], deviations[0], begin)
        if i + 1 < len(left):
            across = across - expected_improvement(means[0], deviations[0], left[i + 1])
        total += across * expected_improvement(means[1], deviations[1], above)
    return total


def nearby(distances: Array, means: Sequence[float], deviations: Sequence[float], best: float, slope: float) -> Array:
    """By how much what is being tried lessens the worth of what is near it, between 0 and 1: local penalisation.

    Gonzalez, Dai, Hennig and Lawrence, "Batch Bayesian Optimization via Local Penalization", AISTATS 2016 (arXiv
    1505.08052), equation 6.

    Args:
        distances: ``[tried, items]``.
        means, deviations: ``[tried]``, what is predicted of what is being tried.
        best: the largest value that is expected anywhere.
        slope: the most by which values differ over a distance of one.
    """
    from scipy.special import ndtr

    factor: Array = np.ones(distances.shape[1])
    for row, mean, deviation in zip(distances, means, deviations, strict=True):
        factor *= ndtr((slope * row - best + mean) / deviation)
    return factor
