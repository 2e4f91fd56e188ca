"""Rank correlation and its interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from nas.predictors.agreement import lower_end, spearman

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
