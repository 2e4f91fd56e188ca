"""The Gaussian process against its closed form, computed by other means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from nas.predictors.base import Array
from nas.predictors.gaussian_process import (
    LENGTHS,
    NOISES,
    SHARES,
    SPREAD,
    TUNED_ON,
    USUAL_NOISE,
    USUAL_SHARE,
    GaussianProcess,
    Kernel,
)


def groups(count: int, seed: int, widths: tuple[int, ...] = (2, 1)) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((count, width)).astype(np.float32) for width in widths]


def values(inputs: list[Array], noise: float = 0.1, seed: int = 9) -> Array:
    x = np.concatenate(inputs, axis=1).astype(float)
    drawn = np.random.default_rng(seed).standard_normal(len(x))
    return np.asarray(3 + 2 * (np.sin(x[:, 0]) + 0.5 * x[:, -1] + noise * drawn))


def fitted(inputs: list[Array], y: Array, linear: int = 0) -> GaussianProcess:
    made = GaussianProcess(linear=linear)
    made.fit(inputs, y)
    return made


def covariance(kernel: Kernel, a: list[Array], b: list[Array], linear: int) -> Array:
    """Entry by entry, in double precision."""
    cut = len(a) - linear

    def joined(rows: list[Array], i: int) -> Array:
        return np.concatenate([np.zeros(0), *(group[i].astype(float) for group in rows)])

    found = np.zeros((len(a[0]), len(b[0])))
    for i in range(len(a[0])):
        for j in range(len(b[0])):
            apart = joined(a[:cut], i) - joined(b[:cut], j)
            product = float(joined(a[cut:], i) @ joined(b[cut:], j))
            found[i, j] = math.exp(-(apart @ apart) / (2 * kernel.length**2)) + kernel.share * product
    return found


@pytest.mark.parametrize("linear", [0, 1])
def test_the_posterior_is_the_closed_form(linear: int) -> None:
    """Rasmussen and Williams, equations 2.25 and 2.26, with the likeliest variance of the signal."""
    known, new = groups(12, 0), groups(5, 1)
    y = values(known)
    made = fitted(known, y, linear)
    kernel, z = made.kernel, (y - y.mean()) / y.std()
    assert (kernel.share > 0) == bool(linear)
    whole = covariance(kernel, known, known, linear) + kernel.noise * np.eye(12)
    across = covariance(kernel, known, new, linear)
    signal = float(z @ np.linalg.solve(whole, z)) / 12
    mean = y.mean() + y.std() * across.T @ np.linalg.solve(whole, z)
    before = np.diag(covariance(kernel, new, new, linear))
    variance = signal * (before - np.diag(across.T @ np.linalg.solve(whole, across)))

    found, deviation = made.expected(new)
    assert found == pytest.approx(mean, rel=1e-4)
    assert deviation == pytest.approx(y.std() * np.sqrt(variance), rel=1e-2)
    found, deviation = made.predict(new)
    assert found == pytest.approx(mean, rel=1e-4)
    assert deviation == pytest.approx(y.std() * np.sqrt(variance + signal * kernel.noise), rel=1e-2)


@pytest.mark.parametrize("linear", [0, 1])
@pytest.mark.parametrize("much", [0.01, 0.3, 3.0])
def test_the_kernel_is_the_most_probable_of_the_grid(linear: int, much: float) -> None:
    """The evidence of a normal distribution, its scale at its likeliest, times the log-normal priors of the grid."""
    known = groups(25, 2)
    y = values(known, much)
    z = (y - y.mean()) / y.std()
    probable = {}
    for length in LENGTHS:
        for share in SHARES if linear else (0.0,):
            smooth = covariance(Kernel(length, share, 0.0), known, known, linear)
            for noise in NOISES:
                whole = smooth + noise * np.eye(25)
                signal = float(z @ np.linalg.solve(whole, z)) / 25
                log = multivariate_normal(np.zeros(25), signal * whole).logpdf(z)
                log += norm(math.log(USUAL_NOISE), SPREAD).logpdf(math.log(noise))
                log += norm(math.log(USUAL_SHARE), SPREAD).logpdf(math.log(share)) if linear else 0.0
                probable[Kernel(length, share, noise)] = float(log)
    chosen = fitted(known, y, linear).kernel
    assert chosen in probable
    assert probable[chosen] == pytest.approx(max(probable.values()), abs=1e-3)


def test_smooth_values_without_noise_are_interpolated() -> None:
    known = [np.linspace(-3, 3, 25, dtype=np.float32)[:, None]]
    between = [np.linspace(-2.9, 2.9, 24, dtype=np.float32)[:, None]]
    made = fitted(known, np.sin(known[0][:, 0]).astype(float))
    for inputs in (known, between):
        mean, deviation = made.expected(inputs)
        assert mean == pytest.approx(np.sin(inputs[0][:, 0]), abs=0.02)
        assert deviation.max() < 0.05


def test_the_deviation_grows_away_from_the_data() -> None:
    known = [np.linspace(-1, 1, 12, dtype=np.float32)[:, None]]
    made = fitted(known, np.sin(2 * known[0][:, 0].astype(float)))
    away = [np.arange(1, 12, dtype=np.float32)[:, None]]
    mean, deviation = made.expected(away)
    assert bool((np.diff(deviation) >= -1e-6).all())
    assert deviation[-1] > 5 * deviation[0]
    assert mean[-1] == pytest.approx(0, abs=0.02), "far from all data the mean is that of the values"


@pytest.mark.parametrize("linear", [0, 1])
def test_the_expected_value_is_never_wider_than_a_measurement(linear: int) -> None:
    known, new = groups(40, 3), groups(200, 4)
    made = fitted(known, values(known, 0.5), linear)
    (mean, narrow), (same, wide) = made.expected(new), made.predict(new)
    assert bool((mean == same).all())
    assert bool((narrow < wide).all())


def test_a_weighted_sum_of_the_linear_group_is_learned_from_little() -> None:
    """What is known from elsewhere has six columns; the other features say nothing."""
    known, new = groups(25, 5, (8, 6)), groups(200, 6, (8, 6))
    weights = np.array([2.0, -1.0, 0.5, 0.0, 1.0, -0.3])

    def error(linear: int) -> float:
        mean, _ = fitted(known, known[1] @ weights, linear).predict(new)
        return float(np.abs(mean - new[1] @ weights).mean())

    assert error(1) < 0.2 * error(0)


@pytest.mark.parametrize(("scale", "shift"), [(1000.0, 0.0), (0.01, 5.0), (-1.0, 0.0)])
def test_units_of_the_values_do_not_matter(scale: float, shift: float) -> None:
    known, new = groups(20, 7), groups(20, 8)
    mean, deviation = fitted(known, values(known)).predict(new)
    scaled, wide = fitted(known, scale * values(known) + shift).predict(new)
    assert scaled == pytest.approx(scale * mean + shift, rel=1e-4)
    assert wide == pytest.approx(abs(scale) * deviation, rel=1e-4)


def test_many_items_are_all_learned_though_some_choose_the_kernel() -> None:
    known = groups(3 * TUNED_ON, 10)
    made = fitted(known, values(known, 0.0))
    mean, _ = made.expected(known)
    assert np.abs(mean - values(known, 0.0)).mean() < 0.1


def test_equal_values_and_equal_items_do_no_harm() -> None:
    same: list[Any] = [np.zeros((6, 2), np.float32)]
    for y in (np.full(6, 0.5), np.arange(6.0)):
        mean, deviation = fitted(same, y).predict(same)
        assert mean == pytest.approx(np.full(6, y.mean()))
        assert np.isfinite(deviation).all()
