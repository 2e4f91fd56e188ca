"""A learner for several sources: what holds in all is found, and a source is not disturbed by what holds in others."""

from __future__ import annotations

import numpy as np

from nas.predictors.agreement import spearman
from nas.predictors.several_sources import SeveralSources

INPUTS = np.random.default_rng(0).integers(0, 2, (300, 8)).astype(float)
OTHERS = np.random.default_rng(1).integers(0, 2, (200, 8)).astype(float)


def worth(inputs: np.ndarray, own: float) -> np.ndarray:
    """The first two columns everywhere, and the third as a source has it."""
    return inputs @ np.array([1.0, 0.5, own, 0, 0, 0, 0, 0])


def learned(sources: np.ndarray, values: np.ndarray, weights: np.ndarray | None = None) -> SeveralSources:
    learner = SeveralSources()
    learner.fit(INPUTS, values, sources, np.ones(len(values)) if weights is None else weights)
    return learner


def test_what_holds_in_all_sources_is_found_and_what_they_differ_in_has_no_weight() -> None:
    sources = np.repeat([0, 1, 2], 100)
    values = np.concatenate([worth(INPUTS[sources == n], own) for n, own in enumerate((2.0, -2.0, 0.0))])
    found = learned(sources, values).predict(OTHERS)
    assert spearman(found, worth(OTHERS, 0)) > 0.8
    assert abs(spearman(found, OTHERS[:, 2])) < 0.3


def test_it_does_not_matter_how_sources_are_numbered_and_in_which_order_they_lie() -> None:
    sources = np.repeat([0, 1, 2], 100)
    values = worth(INPUTS, 1.0)
    first = learned(sources, values).predict(OTHERS)
    assert np.allclose(learned(sources * 7 - 3, values).predict(OTHERS), first)
    assert np.allclose(learned(2 - sources, values).predict(OTHERS), first)


def test_a_source_has_as_much_to_say_as_its_items_weigh() -> None:
    values = np.concatenate([worth(INPUTS[:270], 2.0), worth(INPUTS[270:], -2.0)])
    sources = np.repeat([0, 1], [270, 30])
    assert spearman(learned(sources, values).predict(OTHERS), worth(OTHERS, 2.0)) > 0.8
    heavy = np.where(sources, 100.0, 1.0)
    assert spearman(learned(sources, values, heavy).predict(OTHERS), worth(OTHERS, -2.0)) > 0.8


def test_of_one_source_both_say_the_same() -> None:
    learner = learned(np.zeros(300), worth(INPUTS, 1.0))
    assert spearman(learner.predict(OTHERS), learner.voted(OTHERS)) > 0.95
    assert spearman(learner.predict(OTHERS), worth(OTHERS, 1.0)) > 0.95
