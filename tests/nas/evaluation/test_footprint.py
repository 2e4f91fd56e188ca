"""The estimate of a step's memory against the memory of that step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from nas.data import load
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.memory import give_back_freed_memory
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.portions.fitting import _hops
from nas.evaluation.portions.footprint import _allocated, crude, footprint
from nas.evaluation.train import predict
from nas.metrics import loss
from nas.searchspace.source import load as load_source
from nas.searchspace.task import Task
from tests.nas.toys import Toy, job

OPERATORS = ("gcn", "gat", "sage", "cheb", "transformer", "fc")


def large(nodes: int = 4000, degree: int = 8, features: int = 60, seed: int = 0) -> Task:
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(nodes, features, generator=generator)
    edge_index = torch.randint(nodes, (2, nodes * degree), generator=generator)
    return load(Data(x=x * (x > 0.95), edge_index=edge_index, y=torch.arange(nodes) % 3))


def network(task: Task, conv: str = "gcn", hidden: int = 8) -> Any:
    if conv in ("gcn", "sage", "fc"):
        return load_source(job("", task, replace(Toy(conv=conv, hidden=8, dropout=0.3))).source)()
    return load_source(job(conv, task).source)()


def step(model: Any, task: Task) -> int:
    """Peak bytes of a training step, as torch counts them."""
    batch, made = task.train[0], []
    model.train()

    def run() -> None:
        made.append(loss(predict(model, task, batch), batch.y, task.target))
        made[0].backward()

    return _allocated(run, batch)[0]


@pytest.mark.parametrize("conv", ["gat", "cheb"])
def test_edges_that_carry_something_are_estimated_too(conv):
    task = large(600)
    edges = task.train[0].edge_index.size(1)
    task = replace(
        task.map(lambda batch: replace(batch, edge_weight=torch.ones(edges), edge_attr=torch.ones(edges, 30))),
        edge_weights=True,
        edge_features=30,
    )
    model = network(task, conv)
    assert footprint(model, task, task.train[0]).step(600, edges) > 4 * edges
    assert _hops(model, task, task.train[0]) == 1


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("conv", OPERATORS)
def test_the_estimate_is_near_what_a_step_takes(conv, prepared):
    task = large()
    task = prepare(task) if prepared else task
    model = network(task, conv)
    with lowered(model, 0):
        of = (
            footprint(network(task, conv), task, task.train[0])
            if not prepared
            else footprint(model, task, task.train[0])
        )
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        measured = step(model, task)
    estimate = of.step(4000, task.train[0].edge_index.size(1)) - of.weights
    assert 0.8 < estimate / measured < 1.4


def test_it_grows_with_the_graph():
    task = large(500)
    of = footprint(network(task), task, task.train[0])
    assert of.weights < of.step(1000, 4000) < of.step(2000, 4000) < of.step(2000, 8000)
    assert of.step(1000, 4000) >= of.inference(1000, 4000) > of.weights
    assert of.step(20_000, 80_000) - of.weights == pytest.approx(20 * (of.step(1000, 4000) - of.weights), rel=0.1)


@pytest.mark.parametrize("conv", OPERATORS)
def test_the_crude_bound_lies_above(conv):
    task = large()
    model = network(task, conv)
    batch = task.train[0]
    assert crude(model, batch) > footprint(model, task, batch).step(batch.x.size(0), batch.edge_index.size(1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_first_estimate_on_a_gpu_is_as_the_next():
    task = large().to("cuda")
    batch = task.train[0]
    give_back_freed_memory()  # what the libraries took before
    first, second = (footprint(network(task).cuda(), task, batch) for _ in range(2))
    assert torch.equal(first.lines, second.lines)
    assert first.weights >= second.weights
    model = network(task).cuda()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    measured = step(model, task)
    assert 0.7 < (second.step(*batch.x.shape[:1], batch.edge_index.size(1)) - second.weights) / measured < 1.6
