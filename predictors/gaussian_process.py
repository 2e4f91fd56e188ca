"""An exact Gaussian process on groups of features, for up to several hundred items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nas.predictors.base import Array, Encoding

LENGTHS = (0.6, 0.9, 1.3, 1.9, 2.8, 4.0)
"""Length scales that are tried, in units of the deviation of the features."""
NOISES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Variances of the noise that are tried, in units of the signal's."""
SHARES = (0.1, 1.0, 10.0)
"""Variances of the linear part that are tried, likewise."""
USUAL_NOISE, NOISE_SPREAD = 0.1, 1.0
USUAL_SHARE, SHARE_SPREAD = 1.0, 2.0
"""What is expected of the two before anything is known: log-normally, with so large deviations of the logarithm."""
TUNED_ON = 100
"""How probable they are is judged by so many items at most, evenly spaced: a proposal must not take a second."""
MOST = 0.95
"""The most probable of the grid are asked, as many as together are so probable."""
LEAST = 1e-9


@dataclass(frozen=True)
class Kernel:
    """A squared exponential of the features, and a linear part of some of them.

    Attributes:
        length: the length scale of the exponential.
        share: the variance of the linear part; 0 without one.
    """

    length: float
    share: float

    def __call__(self, squares: Array, products: Array) -> Array:
        """From squared distances and from inner products, ``[items, others]`` each."""
        smooth: Array = np.exp(squares / (-2 * self.length * self.length))
        return smooth + self.share * products if self.share else smooth


class GaussianProcess:
    """A Gaussian process: exact, with a squared exponential kernel of all features, and noise.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, chapter 2 and section 5.4.1: the
    variance of the signal is the likeliest in closed form and the mean that of the values. From few items the length
    scale and the noise cannot be told, and a search that takes the most probable ones for certain is misled: those of
    a grid are asked, and what they say counts as much as they are probable. (Snoek, Larochelle and Adams, "Practical
    Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012, arXiv 1206.2944, section 3.2, draw them.)
    Predictions are mean and deviation of the mixture.

    Attributes:
        probable: kernels and noises with their probabilities, which are 1 in all.

    Args:
        seed: it has no randomness; for the sake of the protocol.
        linear: so many of the last groups of features enter linearly and in no other way: what is known from elsewhere,
            of which the values are expected to be a weighted sum.
    """

    encoding: ClassVar[Encoding] = "groups"
    probable: dict[tuple[Kernel, float], float]

    def __init__(self, *, seed: int = 0, linear: int = 0) -> None:
        self._seed, self._linear = seed, linear

    def fit(self, inputs: Sequence[Array], values: Array) -> None:
        self._x, self._z = self._parts(inputs)
        self._mean, self._scale = float(np.mean(values)), float(np.std(values)) or 1.0
        y = (np.asarray(values, np.float64) - self._mean) / self._scale
        squares = _squares(self._x, self._x).astype(np.float64)
        products = (self._z @ self._z.T).astype(np.float64)
        some = np.unique(np.linspace(0, len(y) - 1, min(len(y), TUNED_ON)).round().astype(int))
        here = np.ix_(some, some)
        self.probable = probable(squares[here], products[here], y[some], SHARES if self._linear else (0.0,))
        kernels = dict.fromkeys(kernel for kernel, _ in self.probable)
        self._learned = {kernel: _Learned.of(kernel(squares, products), y) for kernel in kernels}

    def predict(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        mean, variance, noise = self._mixture(inputs)
        return mean, np.sqrt(variance + noise)

    def expected(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        """As ``predict``, of the expected value: without the noise of a single measurement."""
        mean, variance, _ = self._mixture(inputs)
        return mean, np.sqrt(variance)

    def _mixture(self, inputs: Sequence[Array]) -> tuple[Array, Array, float]:
        """Mean and variance of what is expected, and the variance of the noise, in the units of the values."""
        x, z = self._parts(inputs)
        squares, products, own = _squares(self._x, x), self._z @ z.T, np.einsum("ij,ij->i", z, z)
        means, variances, noises, weights = [], [], [], []
        for kernel, learned in self._learned.items():
            across = learned.vectors.T.astype(np.float32) @ kernel(squares, products).astype(np.float32)
            across_squared = across * across
            for noise in (noise for of, noise in self.probable if of == kernel):
                total = learned.eigenvalues + noise
                signal = learned.signal(noise)
                means.append((learned.rotated / total).astype(np.float32) @ across)
                explained = (1 / total).astype(np.float32) @ across_squared
                variances.append(signal * np.maximum(1 + kernel.share * own - explained, 1e-6))
                noises.append(signal * noise)
                weights.append(self.probable[kernel, noise])
        mean = np.average(means, axis=0, weights=weights)
        apart = np.average((np.stack(means) - mean) ** 2, axis=0, weights=weights)
        variance = np.average(variances, axis=0, weights=weights) + apart
        unit = self._scale**2
        return mean * self._scale + self._mean, variance * unit, float(np.average(noises, weights=weights)) * unit

    def _parts(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        """The features of either part of the kernel."""
        cut = len(inputs) - self._linear
        return _joined(inputs[:cut], len(inputs[0])), _joined(inputs[cut:], len(inputs[0]))


@dataclass(frozen=True)
class _Learned:
    """The covariance of all items by one kernel, decomposed, so that any noise can be added.

    Attributes:
        eigenvalues, vectors: ``[items]`` and ``[items, items]``, one in each column.
        rotated: ``[items]``, the values along these.
    """

    eigenvalues: Array
    vectors: Array
    rotated: Array

    @classmethod
    def of(cls, covariance: Array, y: Array) -> _Learned:
        eigenvalues, vectors = np.linalg.eigh(covariance)
        return cls(np.maximum(eigenvalues, 0), vectors, vectors.T @ y)

    def signal(self, noise: float) -> float:
        """The likeliest variance of the signal, if that of the noise is so many times it."""
        return max(float((self.rotated**2 / (self.eigenvalues + noise)).mean()), LEAST)


def _joined(groups: Sequence[Array], items: int) -> Array:
    joined: Array = np.concatenate([np.zeros((items, 0), np.float32), *groups], axis=1)
    return joined.astype(np.float32, copy=False)


def _squares(a: Array, b: Array) -> Array:
    """Squared distances ``[items of a, items of b]``."""
    squares: Array = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)
    return squares


def probable(squares: Array, products: Array, y: Array, shares: Sequence[float]) -> dict[tuple[Kernel, float], float]:
    """How probable kernels and noises of the grid are, the variance of the signal profiled out."""
    logs = {}
    for kernel in (Kernel(length, share) for length in LENGTHS for share in shares):
        learned = _Learned.of(kernel(squares, products), y)
        expected = -0.5 * (np.log(kernel.share / USUAL_SHARE) / SHARE_SPREAD) ** 2 if kernel.share else 0.0
        for noise in NOISES:
            evidence = len(y) * np.log(learned.signal(noise)) + np.log(learned.eigenvalues + noise).sum()
            logs[kernel, noise] = expected - 0.5 * (np.log(noise / USUAL_NOISE) / NOISE_SPREAD) ** 2 - 0.5 * evidence
    weights = np.exp(np.array(list(logs.values())) - max(logs.values()))
    order = (-weights).argsort(kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    kept = order[before < MOST * weights.sum()]
    of, total = list(logs), weights[kept].sum()
    return {of[i]: float(weights[i] / total) for i in kept}
