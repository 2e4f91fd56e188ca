"""Metrics of links against a count, and in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.metrics import METRICS


@given(
    scores=st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=40),
    k=st.sampled_from([1, 3, 10, 20]),
)
def test_ranks_of_links_by_counting(scores, k):
    """Scores with many ties."""
    logits = torch.tensor([[float(score)] for score, _ in scores])
    y = torch.tensor([[float(label)] for _, label in scores])
    positive, negative = ([s for s, label in scores if label is wanted] for wanted in (True, False))
    if not positive or not negative:
        assert math.isnan(METRICS["mrr"](logits, y))
        assert math.isnan(METRICS[f"hits@{k}"](logits, y))
        return
    ranks = [1 + sum(n > p for n in negative) + sum(n == p for n in negative) / 2 for p in positive]
    assert METRICS["mrr"](logits, y) == pytest.approx(sum(1 / rank for rank in ranks) / len(ranks))
    hits = [sum(n >= p for n in negative) < k for p in positive]  # fewer than k negatives are as high
    assert METRICS[f"hits@{k}"](logits, y) == pytest.approx(sum(hits) / len(hits))


def test_ranks_of_links_in_closed_form():
    """The n positives stand at the places 1, 3, 5, ... among as many negatives."""
    n = 60
    logits = -torch.arange(2.0 * n)[:, None]
    y = (torch.arange(2 * n) % 2 == 0).float()[:, None]
    assert METRICS["mrr"](logits, y) == pytest.approx(sum(1 / (k + 1) for k in range(n)) / n)
    for k in (1, 3, 10, 20, 50):
        assert METRICS[f"hits@{k}"](logits, y) == pytest.approx(k / n)
