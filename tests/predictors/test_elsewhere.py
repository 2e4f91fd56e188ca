"""What is known of a space from other data sets: it can be read, leaves one data set out, and ranks."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nas.predictors.agreement import lower_end, spearman
from nas.predictors.elsewhere import HOME, elsewhere, prior, spaces
from nas.searchspace.encodings import one_hot
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Batch
from tests.nas.toys import Toy
from tests.searchspace.declared import TASKS

OWN = replace(TASKS["node"], name="a graph of the user's own")
KNOWN = pytest.mark.parametrize("name", spaces())


def known(name: str, but: str = OWN.name) -> Any:
    found = elsewhere(find(name).of, replace(OWN, name=but))
    assert found is not None
    return found


def test_the_default_space_is_known() -> None:
    assert {"design", "agnn"} <= set(spaces()) <= set(SPACES.names())


@KNOWN
def test_every_training_is_one_of_the_space(name: str) -> None:
    found, space = known(name), find(name)
    assert len(found.architectures) == len(found.values) >= 200
    assert all(space.from_json(space.to_json(a)) == a for a in found.architectures)
    assert np.isfinite(found.values).all()
    assert abs(float(found.values.mean())) < 0.1


@KNOWN
def test_the_data_set_at_hand_is_left_out(name: str) -> None:
    everything = known(name)
    for data in everything.sources:
        rest = known(name, data.upper())
        assert set(rest.sources) == set(everything.sources) - {data}
        counted = len(json.loads((HOME / f"{name}.json").read_text())["trainings"][data])
        assert len(rest.values) == len(everything.values) - counted
        assert not set(rest.architectures) & set(everything.architectures) - set(rest.architectures)


def test_of_the_default_space_there_is_evidence_that_it_ranks_on_one_data_set_more() -> None:
    for but in (OWN.name, *known("design").sources):
        assert lower_end(*known("design", but).evidence) > 0


@KNOWN
def test_a_data_set_left_out_is_ranked_as_the_file_says(name: str) -> None:
    data = known(name).sources[0]
    held = json.loads((HOME / f"{name}.json").read_text())
    expected = prior(find(name).of, replace(OWN, name=data))
    assert expected is not None
    rest = set(known(name, data).architectures)
    there = [(a, v) for a, v in zip(known(name).architectures, known(name).values, strict=True) if a not in rest]
    found = spearman([expected(a) for a, _ in there], [v for _, v in there])
    assert found == pytest.approx(held["agreement"][data], abs=0.05)


@KNOWN
def test_networks_that_were_not_trained_are_told_apart(name: str) -> None:
    space, expected = find(name), prior(find(name).of, OWN)
    assert expected is not None
    found = [expected(space.sample(random.Random(seed))) for seed in range(50)]
    assert len(set(found)) > 40
    assert np.std(found) > 0.1
    assert len(one_hot(space, known(name).architectures[0])) == len(one_hot(space, space.sample(random.Random(0))))


@KNOWN
def test_data_sets_of_like_size_say_more(name: str) -> None:
    held = json.loads((HOME / f"{name}.json").read_text())
    graph = Batch(torch.zeros(1000, OWN.features), torch.zeros(2, 0, dtype=torch.long), torch.zeros(1000).long())
    found = elsewhere(find(name).of, replace(OWN, train=(graph,)))
    assert found is not None
    for number, data in enumerate(found.sources):
        smaller, larger = sorted((1000, held["nodes"][data]))
        assert found.weights[found.owners == number] == pytest.approx((smaller / larger) ** 0.5)


@KNOWN
def test_where_a_task_comes_without_its_graph_all_weigh_the_same(name: str) -> None:
    assert not OWN.train
    assert (known(name).weights == 1).all()


def test_of_a_space_of_the_users_own_nothing_is_known() -> None:
    assert elsewhere(Toy, OWN) is None
    assert prior(Toy, OWN) is None
