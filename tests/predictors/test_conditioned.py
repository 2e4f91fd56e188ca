"""Two kinds of data sets on which opposite architectures are good: a new one is told from its description."""

from __future__ import annotations

import numpy as np
import pytest

from nas.predictors.conditioned import Conditioned
from nas.predictors.dataset import CLASSES, KNOWN, NODES, STATISTICS, Description
from nas.predictors.descriptors import NODE
from nas.predictors.meta_training import meta_train
from nas.searchspace.errors import BadInput

NAMES = ("a", "b", "c", "d", "e", "f")
ROWS, WIDTH, STEPS = 3, 4, 200


def description(kind: int, seed: int, graph: bool = True) -> Description:
    """Of either kind, which shows in its size and, much clearer, in its nodes."""
    rng = np.random.default_rng(seed)
    statistics = np.full(len(STATISTICS), np.nan, np.float32)
    statistics[: len(KNOWN)] = kind + 0.3 * rng.standard_normal(len(KNOWN))
    nodes, there = np.zeros((CLASSES, NODES, len(NODE)), np.float32), np.zeros((CLASSES, NODES), bool)
    if graph:
        statistics[len(KNOWN) :] = rng.standard_normal(len(STATISTICS) - len(KNOWN))
        there[:3, :8] = True
        nodes[there] = 3 * kind + rng.standard_normal((24, len(NODE)))
    return Description(statistics, nodes, there)


def world() -> tuple[list[Description], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    categories = rng.integers(WIDTH, size=(400, ROWS)).astype(np.int32)
    worth = (categories - categories.mean(0)).sum(1) / 2
    scores = np.stack([(1 - 2 * (i % 2)) * worth + 0.2 * rng.standard_normal(400) for i in range(len(NAMES))], 1)
    return [description(i % 2, i) for i in range(len(NAMES))], categories, scores


def learned(seed: int = 0) -> Conditioned:
    descriptions, categories, scores = world()
    return meta_train(NAMES, descriptions, categories, WIDTH, scores, seed=seed, steps=STEPS)


@pytest.fixture(scope="module")
def made() -> Conditioned:
    return learned()


def hot(count: int = 50) -> np.ndarray:
    return np.eye(WIDTH, dtype=np.float32)[np.random.default_rng(7).integers(WIDTH, size=(count, ROWS))]


@pytest.mark.parametrize("graph", [True, False], ids=["with its graph", "by its size"])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_new_data_set_is_expected_to_be_like_those_of_its_kind(made: Conditioned, kind: int, graph: bool) -> None:
    new = description(kind, 99, graph)
    shares = made.shares(new)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (shares > 0).all()
    assert shares[kind::2].sum() > 0.8
    worth = (hot().argmax(-1) - 1.5).sum(1)
    assert np.corrcoef(made.predict(hot(), new), (1 - 2 * kind) * worth)[0, 1] > 0.95


def test_the_order_of_described_nodes_and_classes_does_not_matter(made: Conditioned) -> None:
    plain = description(1, 99)
    nodes, there = plain.nodes[::-1, ::-1], plain.there[::-1, ::-1]
    moved = Description(plain.statistics, nodes, there)
    assert made.shares(moved) == pytest.approx(made.shares(plain), abs=1e-5)


def test_equal_seeds_learn_the_same(made: Conditioned) -> None:
    again, other = learned(), learned(seed=1)
    assert all((again.arrays[name] == array).all() for name, array in made.arrays.items())
    assert (other.predict(hot(), description(0, 99)) != made.predict(hot(), description(0, 99))).any()


def test_the_deviation_is_that_of_the_predictions(made: Conditioned) -> None:
    _, categories, _ = world()
    new = description(0, 99)
    said = made.predict(np.eye(WIDTH, dtype=np.float32)[categories], new)
    assert made.deviation(made.shares(new)) == pytest.approx(said.std(), rel=0.02)


def test_architectures_that_were_not_tried_everywhere_are_learned_from() -> None:
    descriptions, categories, scores = world()
    scores[np.random.default_rng(3).random(scores.shape) < 0.5] = np.nan
    found = meta_train(NAMES, descriptions, categories, WIDTH, scores, steps=STEPS)
    worth = (hot().argmax(-1) - 1.5).sum(1)
    assert np.corrcoef(found.predict(hot(), description(0, 99)), worth)[0, 1] > 0.9


def test_what_cannot_be_learned_from_is_refused() -> None:
    descriptions, categories, scores = world()
    with pytest.raises(BadInput, match="another data set is learned from two or more; got 1"):
        meta_train(NAMES[:1], descriptions[:1], categories, WIDTH, scores[:, :1])
    with pytest.raises(BadInput, match=r"6 data sets need as many descriptions, and scores of \[400, 6\]; got 6 and"):
        meta_train(NAMES, descriptions, categories, WIDTH, scores[:, :5])
    scores[:, 2] = np.nan
    with pytest.raises(BadInput, match="nothing was tried on c; leave it out"):
        meta_train(NAMES, descriptions, categories, WIDTH, scores)
