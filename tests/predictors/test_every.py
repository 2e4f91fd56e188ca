"""One suite for every registered predictor: a new one is in it by being registered."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

from nas.predictors import PREDICTORS, Predictor, create, rows
from nas.predictors.agreement import spearman
from nas.predictors.encoder import Encoder
from nas.searchspace.errors import BadInput
from tests.predictors.networks import SPACE, TABLE, cell, sampled, values
from tests.predictors.networks import rows as table

NAMES = PREDICTORS.names()
KNOWN, NEW = sampled(60), sampled(100, 1)


@cache
def encoder() -> Encoder:
    return Encoder(SPACE)


def make(name: str, seed: int = 0, **options: Any) -> Predictor:
    return create(name, SPACE, seed=seed, encoder=encoder(), **options)


@cache
def fitted(name: str, warp: bool = False) -> Predictor:
    made = make(name, warp=warp)
    made.fit(KNOWN, values(KNOWN))
    return made


def close(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    return all(np.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(one, other, strict=True))


@pytest.mark.each_once
@pytest.mark.parametrize("warp", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_what_there_is_to_learn(name: str, warp: bool) -> None:
    mean, deviation = fitted(name, warp).predict(NEW)
    assert mean.shape == deviation.shape == (len(NEW),)
    assert bool((deviation >= 0).all())
    assert spearman(mean, values(NEW)) > 0.6
    assert np.abs(mean - values(NEW)).mean() < values(NEW).std()


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_equal_predictions_and_fitting_again_starts_anew(name: str) -> None:
    first = fitted(name).predict(NEW)
    again = make(name)
    again.fit(NEW[:40], -values(NEW[:40]))
    again.fit(KNOWN, values(KNOWN))
    assert all(np.array_equal(a, b) for a, b in zip(first, again.predict(NEW), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_items_makes_no_difference(name: str) -> None:
    order = np.random.default_rng(0).permutation(len(KNOWN))
    made = make(name)
    made.fit([KNOWN[i] for i in order], values(KNOWN)[order])
    mean, deviation = fitted(name).predict(NEW)
    assert close((mean, deviation), made.predict(NEW))
    order = order[order < len(NEW)]
    assert close((mean[order], deviation[order]), made.predict([NEW[i] for i in order]))


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_of_one_network_are_one(name: str) -> None:
    rng = random.Random(0)
    raw = [a for a in (SPACE.sample(rng) for _ in range(60)) if SPACE.canonical(a) != a]
    assert len(raw) > 20
    described = fitted(name).predict(raw)
    assert close(described, fitted(name).predict([SPACE.canonical(a) for a in raw]))


@pytest.mark.each_once
@pytest.mark.parametrize("warp", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_little_and_constant_data_give_finite_numbers(name: str, warp: bool) -> None:
    for some, known in ((KNOWN[:1], [0.7]), (KNOWN[:2], [0.7, 0.9]), (KNOWN[:12], [0.5] * 12)):
        made = make(name, warp=warp)
        made.fit(some, np.array(known))
        mean, deviation = made.predict(NEW[:5])
        assert np.isfinite(mean).all()
        assert np.isfinite(deviation).all()
        assert min(known) - 1 < mean.min() <= mean.max() < max(known) + 1
    assert [len(found) for found in made.predict([])] == [0, 0]


@pytest.mark.parametrize("warp", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_learned_is_refused(name: str, warp: bool) -> None:
    made = make(name, warp=warp)
    with pytest.raises(BadInput, match="learns finite values; number 1 is nan"):
        made.fit(KNOWN[:2], np.array([1.0, np.nan]))
    with pytest.raises(BadInput, match=r"got 2 architectures and values of shape \[3\]"):
        made.fit(KNOWN[:2], np.ones(3))
    with pytest.raises(BadInput, match="got none"):
        made.fit([], np.zeros(0))


@pytest.mark.each_once
@pytest.mark.skipif(not TABLE.is_file(), reason="needs the table of NAS-Bench-Graph in NAS_DATA")
@pytest.mark.parametrize("warp", [False, True])
@pytest.mark.parametrize("data", ["cora", "citeseer", "arxiv"])
@pytest.mark.parametrize("name", NAMES)
def test_nine_of_ten_networks_of_the_table_lie_within_its_interval(name: str, data: str, warp: bool) -> None:
    architectures, quality = table(data, 1060)
    made = make(name, warp=warp)
    made.fit(architectures[:60], quality[:60])
    mean, deviation = made.predict(architectures[60:])
    assert 0.8 < (np.abs(quality[60:] - mean) <= 1.645 * deviation).mean() < 0.98
    assert spearman(mean, quality[60:]) > 0.35


def test_rows_name_options_and_import_nothing_heavy() -> None:
    assert [row.name for row in rows()] == NAMES
    assert all(row.summary.endswith(".") for row in rows())
    assert {row.name: row.options for row in rows()}["forest"] == {"trees": 100, "leaf": 1}
    heavy = "{'jax', 'sklearn', 'torch', 'optuna'}"
    code = f"import sys; from nas.predictors import rows; rows(); print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_bad_names_and_options_are_said() -> None:
    with pytest.raises(BadInput, match="unknown predictor 'forrest'; did you mean 'forest'"):
        make("forrest")
    with pytest.raises(BadInput, match="the predictor forest has no option 'tree'; it has trees"):
        make("forest", tree=3)
    with pytest.raises(BadInput, match="an encoder has extras of its own"):
        make("forest", extras=[len])
    with pytest.raises(BadInput, match="the encoder is of the space"):
        create("forest", type(SPACE)(SPACE.of), encoder=encoder())
    with pytest.raises(BadInput, match="has no graphs"):
        create("gnn", type(SPACE)(SPACE.of)).fit([cell((0, "gcn"), (0, "gcn"), (0, "gcn"), (0, "gcn"))], np.ones(1))
