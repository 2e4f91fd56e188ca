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
USUAL_NOISE, USUAL_SHARE, SPREAD = 0.1, 1.0, 2.0
"""What is expected of the last two, log-normally, with so large a deviation of the logarithm."""
TUNED_ON = 100
"""They are chosen on so many items at most, evenly spaced: a proposal must not take a second."""
LEAST = 1e-9


@dataclass(frozen=True)
class Kernel:
    """A squared exponential of the features, and a linear part of some of them.

    Attributes:
        length: the length scale of the exponential.
        share: the variance of the linear part; 0 without one.
        noise: the variance of the noise.
    """

    length: float
    share: float
    noise: float

    def __call__(self, squares: Array, products: Array) -> Array:
        """From squared distances and from inner products, ``[items, items]`` each."""
        smooth: Array = np.exp(squares / (-2 * self.length * self.length))
        return smooth + self.share * products if self.share else smooth


class GaussianProcess:
    """A Gaussian process: exact, with a squared exponential kernel of all features, and noise.

    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, chapter 2 and section 5.4.1: the
    length scale and the noise are the most probable of a grid, and the variance of the signal is the likeliest for them
    in closed form. The mean is that of the values.

    Args:
        seed: it has no randomness; for the sake of the protocol.
        linear: so many of the last groups of features enter linearly and in no other way: what is known from elsewhere,
            of which the values are expected to be a weighted sum.
    """

    encoding: ClassVar[Encoding] = "groups"

    def __init__(self, *, seed: int = 0, linear: int = 0) -> None:
        self._seed, self._linear = seed, linear

    def fit(self, inputs: Sequence[Array], values: Array) -> None:
        from scipy.linalg import cho_solve, cholesky

        self._x, self._z = self._parts(inputs)
        self._mean, self._scale = float(np.mean(values)), float(np.std(values)) or 1.0
        y = (np.asarray(values, np.float64) - self._mean) / self._scale
        squares = _squares(self._x, self._x).astype(np.float64)
        products = (self._z @ self._z.T).astype(np.float64)
        some = np.unique(np.linspace(0, len(y) - 1, min(len(y), TUNED_ON)).round().astype(int))
        here = np.ix_(some, some)
        self.kernel = likeliest(squares[here], products[here], y[some], SHARES if self._linear else (0.0,))
        whole = self.kernel(squares, products) + (self.kernel.noise + LEAST) * np.eye(len(y))
        self._lower = cholesky(whole, lower=True)
        self._weights = cho_solve((self._lower, True), y)
        self._signal = max(float(y @ self._weights) / len(y), LEAST)

    def predict(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        mean, variance = self._posterior(inputs)
        return mean, np.sqrt(variance + self.kernel.noise * self._signal * self._scale**2)

    def expected(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        """As ``predict``, of the expected value: without the noise of a single measurement."""
        mean, variance = self._posterior(inputs)
        return mean, np.sqrt(variance)

    def _posterior(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        from scipy.linalg import solve_triangular

        x, z = self._parts(inputs)
        across = self.kernel(_squares(self._x, x), self._z @ z.T)
        mean: Array = self._weights @ across * self._scale + self._mean
        solved = solve_triangular(self._lower.astype(np.float32), across.astype(np.float32), lower=True)
        before = 1 + self.kernel.share * np.einsum("ij,ij->i", z, z)
        variance: Array = np.maximum(before - np.einsum("ij,ij->j", solved, solved), 1e-6)
        return mean, variance * self._signal * self._scale**2

    def _parts(self, inputs: Sequence[Array]) -> tuple[Array, Array]:
        """The features of either part of the kernel."""
        cut = len(inputs) - self._linear
        return _joined(inputs[:cut], len(inputs[0])), _joined(inputs[cut:], len(inputs[0]))


def _joined(groups: Sequence[Array], items: int) -> Array:
    joined: Array = np.concatenate([np.zeros((items, 0), np.float32), *groups], axis=1)
    return joined.astype(np.float32, copy=False)


def _squares(a: Array, b: Array) -> Array:
    """Squared distances ``[items of a, items of b]``."""
    squares: Array = np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0)
    return squares


def likeliest(squares: Array, products: Array, y: Array, shares: Sequence[float]) -> Kernel:
    """The most probable kernel of the grid, the variance of the signal profiled out."""
    best, found = -np.inf, Kernel(LENGTHS[0], shares[0], NOISES[0])
    for length in LENGTHS:
        for share in shares:
            eigenvalues, vectors = np.linalg.eigh(Kernel(length, share, 0.0)(squares, products))
            rotated = (vectors.T @ y) ** 2
            for noise in NOISES:
                total = np.maximum(eigenvalues, 0) + noise
                probable = -0.5 * (len(y) * np.log(max((rotated / total).mean(), LEAST)) + np.log(total).sum())
                probable -= 0.5 * (np.log(noise / USUAL_NOISE) / SPREAD) ** 2
                probable -= 0.5 * (np.log(share / USUAL_SHARE) / SPREAD) ** 2 if share else 0.0
                if probable > best:
                    best, found = probable, Kernel(length, share, noise)
    return found
