"""Rank correlation and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nas.predictors.agreement import APART, lower_end, one_more, pooled, spearman

NUMBERS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), max_size=12)


@given(NUMBERS)
def test_it_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    a, b = (np.array([pair[i] for pair in pairs], float) for i in (0, 1))
    found = spearman(a, b)
    if len(set(a)) < 2 or len(set(b)) < 2:
        assert found == 0
    else:
        assert found == pytest.approx(spearmanr(a, b).statistic)
    assert found == pytest.approx(spearman(b, a))
    assert spearman(-a, b) == pytest.approx(-found)


def test_the_interval_narrows_with_the_items_and_covers_what_it_should() -> None:
    assert lower_end(0.9, 3) == -1
    assert lower_end(0.5, 10) < lower_end(0.5, 20) < lower_end(0.5, 1000) < 0.5
    assert -1 < lower_end(-1.0, 20) < lower_end(0.0, 20) < 0 < lower_end(1.0, 20) <= 1
    assert (lower_end(0.45, 20) > 0, lower_end(0.46, 20) > 0) == (False, True)
    rng = np.random.default_rng(0)
    above = [lower_end(spearman(*rng.standard_normal((2, 25))), 25) > 0 for _ in range(1000)]
    assert 0.01 < np.mean(above) < 0.045  # 2.5 % where there is nothing


ITEMS = st.tuples(st.floats(-0.95, 0.95), st.integers(0, 200))


@given(ITEMS, ITEMS)
def test_two_correlations_pooled_lie_between_them_and_are_surer_than_either(
    first: tuple[float, int], second: tuple[float, int]
) -> None:
    correlation, items = pooled(first, second)
    assert (correlation, items) == pytest.approx(pooled(second, first))
    said = [each for each in (first, second) if each[1] > 3]
    if not said:
        assert lower_end(correlation, items) == -1
        return
    assert min(r for r, _ in said) - 1e-9 <= correlation <= max(r for r, _ in said) + 1e-9
    assert items - 3 == sum(n - 3 for _, n in said)


def test_pooling_by_hand() -> None:
    assert pooled((0.5, 13), (0.0, 3)) == pytest.approx((0.5, 13))
    assert pooled((0.5, 13), (0.0, 13)) == pytest.approx((np.tanh(np.arctanh(0.5) / 2), 23))
    assert pooled((0.3, 2), (0.4, 1)) == (0, 0)


def test_what_agrees_over_data_sets_is_expected_of_one_more() -> None:
    alike, apart = one_more([0.6] * 5, [100] * 5), one_more([0.9, 0.7, 0.6, 0.3, 0.1], [100] * 5)
    assert alike[0] == pytest.approx(0.6)
    assert lower_end(*apart) < 0.2 < lower_end(*alike) < 0.6
    assert one_more([0.6], [10**6])[1] - 3 == pytest.approx(1.06 / (2 * APART**2), abs=1)  # no more than APART allows
    assert one_more([0.6] * 5, [10] * 5)[1] < alike[1]


def test_its_interval_covers_one_more_data_set() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        sets = rng.normal(0.5, 0.3, 6)
        seen = np.tanh(rng.normal(sets[:5], (1.06 / 97) ** 0.5))
        inside.append(lower_end(*one_more(list(seen), [100] * 5)) < np.tanh(sets[5]))
    assert np.mean(inside) > 0.92
