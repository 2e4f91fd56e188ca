"""Networks of every space are trained on every kind of task, and equal seeds give equal numbers."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.train import Trained, predict, train
from nas.searchspace.elements import DECODERS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load, source
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from tests.controllers.supernet.worlds import kinds

KINDS = kinds()


def trained(text: str, task: Task, seed: int = 0) -> Trained:
    torch.manual_seed(0)
    model, ready = load(text)(), prepare(task)
    recipe = Recipe(lr=1e-3, epochs=2, batch_size=5)
    with lowered(model, 0):
        return train(model, ready, recipe, [task.metric], seed=seed, scores=Scoring(predict))


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPACES.names())
def test_a_training_of_every_space(name: str, kind: str) -> None:
    task = KINDS[kind]
    text = source(find(name).for_task(task).sample(random.Random(1)), task)
    torch.manual_seed(0)
    before = load(text)().state_dict()
    first, again = trained(text, task), trained(text, task)
    assert first.metrics == again.metrics
    assert all(math.isfinite(first.metrics[f"{split}_loss"]) for split in ("valid", "test"))
    assert any(not torch.equal(tensor, before[key]) for key, tensor in first.state.items())


@pytest.mark.parametrize("decoder", DECODERS)
def test_other_seeds_draw_other_pairs(decoder: str) -> None:
    task = KINDS["links"]
    text = source(replace(find("nasbench-graph").for_task(task).sample(random.Random(0)), decoder=decoder), task)
    assert trained(text, task).metrics != trained(text, task, seed=1).metrics
