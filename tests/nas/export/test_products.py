"""Random networks of every space for every kind of task: built, trained by a step, exported, read back, equal."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from nas.data import load
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.train import predict, train
from nas.export.files import export
from nas.export.predict import load_model, read_task
from nas.searchspace import Task
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load as executed
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import SPACES, find
from tests.nas.export.made import example
from tests.nas.toys import graph, graphs


def answered(data: Data, questions: int, items: int, seed: int = 0) -> Data:
    """The graph with yes-or-no questions, of whose answers a third is missing."""
    generator = torch.Generator().manual_seed(seed)
    y = (torch.rand(items, questions, generator=generator) > 0.5).float()
    data.y = y.masked_fill(torch.rand(items, questions, generator=generator) < 0.3, torch.nan)
    return data


def measured(data: Data, items: int) -> Data:
    data.y = torch.linspace(-3, 5, items)
    return data


def carrying(data: Data) -> Data:
    edges, generator = data.edge_index.size(1), torch.Generator().manual_seed(0)
    data.edge_attr = torch.randn(edges, 2, generator=generator)
    data.edge_weight = torch.rand(edges, generator=generator) + 0.5
    return data


def inductive() -> dict[str, list[Data]]:
    return {split: [graph(12, seed=seed)] for seed, split in enumerate(("train", "valid", "test"))}


MAKE: dict[str, Any] = {
    "node classes": lambda: load(graph(20)),
    "node numbers": lambda: load(measured(graph(20), 20)),
    "node questions": lambda: load(answered(graph(60), 3, 60)),
    "nodes of other graphs": lambda: load(inductive(), task="node"),
    "graph classes": lambda: load(graphs(12)),
    "graph numbers": lambda: load([measured(each, 1) for each in graphs(12)]),
    "graph questions": lambda: load([answered(each, 3, 1, seed) for seed, each in enumerate(graphs(50))]),
    "links": lambda: load(graph(20), task="link"),
    "carrying edges": lambda: load(carrying(graph(20))),
    "graphs carrying edges": lambda: load([carrying(each) for each in graphs(12)]),
    "links carrying edges": lambda: load(carrying(graph(20)), task="link"),
}


@cache
def task_of(kind: str) -> Task:
    found: Task = MAKE[kind]()
    return found


def comes_back_equal(name: str, kind: str, seed: int, folder: Path) -> None:
    """One network, from its description to what its export says."""
    task = task_of(kind)
    space = find(name).for_task(task)
    drawn = space.sample(random.Random(seed))
    text = source(drawn, task)
    torch.manual_seed(seed)
    model = executed(text)()
    with lowered(model, 0):
        trained = train(
            model,
            prepare(task),
            Recipe(lr=1e-2, epochs=1, batch_size=5),
            [task.metric],
            seed=0,
            scores=Scoring(predict),
        )
    model = executed(text)()
    model.load_state_dict(trained.state)
    export(drawn, space, task, trained.state, folder)
    assert space.from_json(space.to_json(drawn)) == drawn
    assert read_task(folder)["inputs"] == list(task.inputs)
    given = example(replace(task, edge_weights=True))
    given["edge_attr"] = torch.randn(given["edge_index"].size(1), task.edge_features or 1)
    arguments = [given[each] for each in task.inputs]
    with torch.no_grad():
        ours, theirs = model.eval()(*arguments), load_model(folder)(*arguments)
    assert torch.equal(ours, theirs) or torch.allclose(ours, theirs, atol=1e-6)
    assert ours.shape[-1] == task.outputs
    assert bool(ours.isfinite().all())


@pytest.mark.parametrize("kind", ["node questions", "graph numbers", "links carrying edges", "nodes of other graphs"])
def test_an_exported_network_says_what_the_trained_one_did(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.export.files._program", lambda *_: "not made here")  # the slow part; of the slow test
    comes_back_equal("design", kind, 1, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("name", SPACES.names())
def test_every_space_and_kind_of_task(name: str, kind: str, tmp_path: Path) -> None:
    for seed in range(2):
        comes_back_equal(name, kind, seed, tmp_path / str(seed))
