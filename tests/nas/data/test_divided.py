"""Folds as tasks, and graphs whose nodes are labelled, divided as a whole."""

from __future__ import annotations

import pytest
import torch

import nas
from nas.data import load
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS
from tests.nas.toys import Toy, graph, graphs


def of_nodes(count: int = 12) -> list:
    return [graph(9 + i, seed=i) for i in range(count)]


@pytest.mark.parametrize("data", [graph(60), graphs(40), of_nodes(15)], ids=["nodes", "graphs", "graphs of nodes"])
def test_folds_are_tasks_of_their_own(data):
    task = load(data, split="cv:3", metric="macro-f1")
    first, *others = task.folds
    assert len(others) == 2
    assert task == first
    assert task.fingerprint() == first.fingerprint()
    assert (task.split, task.metric) == ("cv:3", "macro-f1")
    assert all(fold.metric == task.metric and not fold.folds for fold in task.folds)
    assert all(fold.test[0] is task.test[0] for fold in others)
    assert len({fold.identity for fold in task.folds}) == 3
    assert any("trained 3 times" in note for note in task.notes)
    sizes = [sum(len(fold.batches(split)[i].y) for split in SPLITS for i in range(len(fold.batches(split))))
             for fold in task.folds]  # fmt: skip
    assert len(set(sizes)) == 1
    assert load(data, split="cv:3", seed=0).identity == task.identity
    assert load(data, split="cv:3", seed=1).identity != task.identity


def test_an_undivided_task_has_no_folds():
    assert load(graph(60)).folds == ()


def test_a_single_question_is_divided_by_its_answers():
    made = graphs(50)
    for i, data in enumerate(made):
        data.y = torch.tensor([[float(i % 10 == 0)]])
    task = load(made)
    assert task.target == "multilabel"
    assert [int(task.batches(split)[0].y.sum()) for split in SPLITS] == [3, 1, 1]
    made[7].y = torch.tensor([[float("nan")]])
    assert load(made).identity != task.identity  # with unknown answers at random


def test_graphs_of_labelled_nodes_are_divided_as_a_whole():
    data = of_nodes(20)
    task = load(data)
    assert (task.level, task.split) == ("node", "random")
    assert [len(task.batches(split)) for split in SPLITS] == [16, 2, 2]
    assert "labels belong to nodes: whole graphs were divided at random, 16 for train, 2 for valid" in task.notes[-1]
    places = [len(batch.x) for split in SPLITS for batch in task.batches(split)]
    assert sorted(places) == [9 + i for i in range(20)]
    assert all(batch.index is None and len(batch.y) == len(batch.x) for batch in task.train)
    assert load(data) == task
    assert load(data, seed=1) != task
    assert [len(load(data, split="fold:3").batches(split)) for split in SPLITS] == [16, 2, 2]


def test_nodes_without_a_label_are_not_scored():
    data = of_nodes(12)
    for one in data:
        one.labelled = torch.arange(one.num_nodes) % 2 == 0
    batch = load(data).train[0]
    assert batch.index is not None
    assert (batch.index % 2 == 0).all()
    assert len(batch.index) == len(batch.y) == (len(batch.x) + 1) // 2


@pytest.mark.parametrize("split", ["given", "scaffold", "random:2,2"])
def test_what_does_not_divide_graphs_of_nodes_is_refused(split):
    with pytest.raises(
        BadInput, match=f"nodes of 12 graphs, which are divided by random, .* split {split} does not fit"
    ):
        load(of_nodes(), split=split)


def test_an_architecture_is_searched_on_graphs_of_nodes(tmp_path):
    result = nas.search(
        of_nodes(), space=Toy, controller="random", trials=2, epochs=2, runs=tmp_path, metric="balanced-accuracy"
    )
    assert result.best.metrics["valid_balanced-accuracy"] > 0


@pytest.mark.parametrize("metric", ["accuracy", "balanced-accuracy", "macro-f1", "roc-auc", "average-precision"])
@pytest.mark.parametrize("level", ["node", "graph", "link"])
def test_any_metric_of_classes_chooses_at_every_level(level, metric, tmp_path):
    data = {"node": graph(60), "graph": graphs(40), "link": graph(60)}[level]
    result = nas.search(
        data, task=level, space=Toy, controller="random", trials=1, epochs=1, runs=tmp_path, metric=metric
    )
    assert f"valid_{metric}" in result.best.metrics


@pytest.mark.parametrize("metric", ["mae", "rmse"])
@pytest.mark.parametrize("level", ["node", "graph"])
def test_any_metric_of_numbers_chooses(level, metric, tmp_path):
    data = [graph(60)] if level == "node" else graphs(40)
    for one in data:
        one.y = one.x[:, :1] if level == "node" else one.x.mean().view(1, 1)
    result = nas.search(
        data if level == "graph" else data[0],
        space=Toy, controller="random", trials=1, epochs=1, runs=tmp_path, metric=metric,
    )  # fmt: skip
    assert f"valid_{metric}" in result.best.metrics
