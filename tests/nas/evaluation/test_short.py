"""A short training: the beginning of the real one, and what it is worth."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from nas.data import load
from nas.evaluation.columns import column
from nas.evaluation.job import Failed, Job
from nas.evaluation.proxies import scores
from nas.evaluation.short import LOOKS, short_training
from nas.evaluation.train import predict, train
from nas.metrics import resolve_metric
from nas.searchspace import Space
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import module, source
from nas.searchspace.task import Task
from tests.nas.evaluation.test_train import float_graph
from tests.nas.toys import Toy, graph, graphs

RECIPE = Recipe(epochs=60, lr=0.05, patience=60, cosine=True)
TASKS = {
    "nodes": lambda: load(graph()),
    "graphs": lambda: load(graphs()),
    "several labels": lambda: load(float_graph("multilabel")),
    "numbers": lambda: load(float_graph("regression")),
}


def network(data: Task) -> torch.nn.Module:
    torch.manual_seed(0)
    space = Space(Toy).for_task(data)
    readout = {"readout": "mean"} if data.level == "graph" else {}
    return module(space.of(conv="gcn", hidden=8, dropout=0.3, **readout), data)


def short(data: Task, epochs: int, recipe: Recipe = RECIPE, **more: Any) -> float:
    metric = resolve_metric(data.metric, data.target)
    settings: dict[str, Any] = {"seed": 3, "class_weights": False, "scores": predict} | more
    return short_training(network(data), data, recipe, metric, epochs, **settings)


def begun(data: Task, split: str, epochs: int, every: int, **more: Any) -> float:
    """The best metric of a split over the looks at the beginning of the real training, which validates on that."""
    there = data if split == "valid" else replace(data, valid=data.train)
    recipe = replace(RECIPE, cosine=False)
    found = train(network(data), there, recipe, [data.metric], seed=3, validate_every=every, **more)
    values = [value for epoch, value in found.curve if epoch <= epochs]
    return max(values) if resolve_metric(data.metric, data.target).larger_is_better else min(values)


@pytest.mark.parametrize("kind", TASKS)
def test_it_is_the_mean_of_the_best_of_both_splits_at_the_looks(kind):
    data = TASKS[kind]()
    epochs, every = 10, 10 // LOOKS
    both = [begun(data, split, epochs, every) for split in ("train", "valid")]
    sign = 1 if resolve_metric(data.metric, data.target).larger_is_better else -1
    assert short(data, epochs, replace(RECIPE, cosine=False)) == pytest.approx(sign * sum(both) / 2)


def test_the_learning_rate_falls_as_in_the_whole_training():
    data = TASKS["numbers"]()
    longer, shorter = (short(data, 10, replace(RECIPE, epochs=epochs)) for epochs in (1000, 12))
    assert longer != shorter
    assert longer == pytest.approx(short(data, 10, replace(RECIPE, cosine=False)), rel=1e-2)


def test_no_longer_than_the_whole_training():
    data = TASKS["nodes"]()
    few = replace(RECIPE, epochs=5)
    assert short(data, 50, few) == short(data, 5, few)


def test_it_ends_with_the_epoch_in_which_its_time_is_over(monkeypatch):
    data, clock = TASKS["nodes"](), count()
    monkeypatch.setattr("nas.evaluation.short.time", SimpleNamespace(monotonic=lambda: next(clock)))
    both = [begun(data, split, 3, 3) for split in ("train", "valid")]
    assert short(data, 50, replace(RECIPE, cosine=False), seconds=2.5) == pytest.approx(sum(both) / 2)


@pytest.mark.parametrize(("name", "limit", "seconds"), [("short", 20, 3), ("short:8", 20, 20), ("short", None, None)])
def test_it_has_a_share_of_the_time_of_a_training(monkeypatch, name, limit, seconds):
    """What the user asks for by its epochs has all of it."""
    heard = []
    monkeypatch.setattr(
        "nas.evaluation.proxies.short_training", lambda *_, **more: heard.append(more["seconds"]) or 0.5
    )
    data = TASKS["nodes"]()
    text = source(Space(Toy).for_task(data).of(conv="gcn", hidden=8, dropout=0.3), data)
    scores(Job(text, RECIPE, 3, (data.metric,), seconds=limit, proxies=(name,)), data)
    assert heard == [seconds]


def test_equal_seeds_and_class_weights():
    data = TASKS["numbers"]()
    assert short(data, 8) == short(data, 8)
    data = TASKS["graphs"]()
    assert math.isfinite(short(data, 8, class_weights=True))


def test_what_is_no_number_fails():
    with pytest.raises(Failed, match=r"not a number: what the network returns after epoch \d"):
        short(TASKS["numbers"](), 10, Recipe(optimiser="sgd", lr=1e30, epochs=10))


@pytest.mark.parametrize(
    ("recipe", "epochs"),
    [
        (Recipe(epochs=400, patience=400, cosine=True), 60),
        (Recipe(epochs=40, patience=40), 15),
        (Recipe(epochs=400, patience=50), 15),
    ],
)
def test_it_is_longer_where_nothing_ends_the_training_early(recipe: Recipe, epochs: int) -> None:
    data = TASKS["numbers"]()
    text = source(Space(Toy).for_task(data).of(conv="gcn", hidden=8, dropout=0.3), data)
    job = Job(text, recipe, 3, (data.metric,), proxies=("short", f"short:{epochs}", f"short:{epochs - 5}"))
    found = scores(job, data)
    assert found[column("short")] == found[column(f"short:{epochs}")]
    assert found[column("short")] != found[column(f"short:{epochs - 5}")]
