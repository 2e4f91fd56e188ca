"""A forest learns what there is to learn, says how sure it is, and is the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from nas.predictors.agreement import spearman
from nas.predictors.base import Predictor
from nas.predictors.forest import Forest


def data(items: int, seed: int = 0, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Two of six features matter."""
    rng = np.random.default_rng(seed)
    features = rng.random((items, 6))
    return features, features[:, 0] + (features[:, 1] > 0.5) + noise * rng.standard_normal(items)


def fitted(items: int = 80, seed: int = 0) -> Forest:
    forest = Forest(seed=seed)
    forest.fit(*data(items))
    return forest


def test_it_is_a_predictor_and_its_numbers_are_one_for_each_item() -> None:
    forest: Predictor = fitted()
    mean, deviation = forest.predict(data(7, 1)[0])
    assert mean.shape == deviation.shape == (7,)
    assert bool((deviation >= 0).all())


def test_it_ranks_what_it_did_not_see() -> None:
    features, values = data(200, 1)
    mean, _ = fitted().predict(features)
    assert spearman(mean, values) > 0.85


def test_what_is_held_out_is_judged_as_what_was_never_seen() -> None:
    features, values = data(80)
    forest = fitted()
    seen, _ = forest.predict(features)
    new = spearman(forest.predict(data(400, 1)[0])[0], data(400, 1)[1])
    assert spearman(forest.held_out, values) == pytest.approx(new, abs=0.1)
    assert spearman(seen, values) > spearman(forest.held_out, values)


def test_items_that_count_for_nothing_are_not_heard() -> None:
    features, values = data(160)
    values[80:] = -values[80:]
    forest = Forest()
    forest.fit(features, values, np.repeat([1.0, 1e-9], 80))
    new, right = data(200, 1)
    assert spearman(forest.predict(new)[0], right) > 0.8
    forest.fit(features, values, np.repeat([1e-9, 1.0], 80))
    assert spearman(forest.predict(new)[0], right) < -0.8


@pytest.mark.parametrize("noise", [0.1, 0.6])
def test_nine_of_ten_new_values_lie_within_its_interval_or_more(noise: float) -> None:
    forest = Forest()
    forest.fit(*data(200, noise=noise))
    features, values = data(400, 1, noise)
    mean, deviation = forest.predict(features)
    assert (np.abs(values - mean) <= 1.645 * deviation).mean() > 0.87


def test_equal_seeds_equal_forests_and_fitting_again_starts_anew() -> None:
    features, _ = data(5, 1)
    forest = fitted(seed=3)
    first, _ = forest.predict(features)
    forest.fit(*data(40))
    forest.fit(*data(80))
    for other, equal in ((forest, True), (fitted(seed=3), True), (fitted(seed=4), False)):
        assert np.array_equal(first, other.predict(features)[0]) == equal
    assert Forest(seed=2**62 + 3).fit(*data(10)) is None
