"""Which way a training goes for the memory it is given, and what comes of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.data import load
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Failed, Job
from nas.evaluation.portions.fitting import FARTHEST, _hops, fitted
from nas.evaluation.portions.sampling import can_sample
from nas.searchspace.operators import OPERATORS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load as load_source
from tests.nas.evaluation.test_footprint import large
from tests.nas.evaluation.test_sampling import needs_sampler
from tests.nas.toys import Toy, graphs, job, numbers, task

DATA = Path(os.environ.get("NAS_DATA", "/nowhere"))
ARCHITECTURE = Toy(conv="gcn", hidden=8, dropout=0.3)
REACH = {"fc": 0, "skip": 0, "tag": 2, "sg": 2}
"""Hops of operators that do not see just their neighbours."""

GCN = """
import torch
from torch_geometric.nn import GCNConv

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = GCNConv({i}, {hidden}), GCNConv({hidden}, {o})

    def forward(self, x, edge_index):
        x = torch.nn.functional.dropout(x, 0.5, self.training)
        x = torch.nn.functional.dropout(self.one(x, edge_index).relu(), 0.5, self.training)
        return self.two(x, edge_index)
"""


def gcn(data: Any, hidden: int = 1024, **more: Any) -> Job:
    source = GCN.format(i=data.features, hidden=hidden, o=data.outputs)
    return replace(job("", data, ARCHITECTURE, **more), source=source)


def way(job: Job, data: Any) -> Any:
    return fitted(job, data, load_source(job.source)())


def test_a_small_graph_is_trained_whole():
    data = task()
    outcome = evaluate(job("", data, ARCHITECTURE, memory=1024), data)
    assert outcome.batches == "full"
    assert "parts" not in outcome.metrics
    assert way(job("", data, ARCHITECTURE), data).task is data
    assert way(replace(job("", data, ARCHITECTURE), memory=1, batches="full"), data).task is data


def test_graph_level_tasks_are_not_cut():
    data = load(graphs())
    outcome = evaluate(job("gcn", task(), memory=2), data)
    assert outcome.batches == "full"


def test_less_memory_more_parts():
    data = prepare(large(20_000))
    fits = [way(gcn(data, memory=memory), data) for memory in (2000, 500, 300, 200, 120, 100)]
    assert [fit.batches for fit in fits[:2]] == ["full"] * 2
    assert [fit.tight for fit in fits] == [False, *[True] * 5]
    assert all(fit.batches in ("neighbours", "random") for fit in fits[2:])
    parts = [fit.metrics.get("parts", 1) for fit in fits]
    assert parts == sorted(parts)
    assert parts[-1] > parts[0]
    assert fits[-1].metrics["full_batch_mib"] > 120
    assert [fit.metrics["approximate_evaluation"] for fit in fits[2:]] == [0, 1, 1, 1]


def test_what_runs_out_of_memory_whole_is_trained_in_parts():
    data = prepare(large(10_000))
    whole = evaluate(gcn(data, memory=110, batches="full"), data)
    assert whole.reason is not None
    assert whole.reason.startswith("out of memory (limit 110 MiB)")
    outcome = evaluate(gcn(data, memory=110), data)
    assert outcome.reason is None
    assert outcome.batches in ("neighbours", "random")
    assert outcome.metrics["parts"] > 1
    assert outcome.metrics["full_batch_mib"] > 110


def test_what_fits_in_no_way_says_so():
    data = prepare(large(2000))
    with pytest.raises(
        Failed, match=r"out of memory \(limit 20 MiB\): the whole graph needs about \d+ MiB at once, and no smaller"
    ):
        way(gcn(data, memory=20), data)


@pytest.mark.parametrize("batches", ["random", pytest.param("neighbours", marks=needs_sampler)])
def test_equal_jobs_in_portions_have_equal_outcomes(batches):
    data = prepare(large(1000))
    one = job("", data, ARCHITECTURE, batches=batches)
    outcomes = []
    for seed in range(2):
        torch.manual_seed(seed)
        outcomes.append(evaluate(one, data))
    assert outcomes[0].reason is None
    assert outcomes[0].batches == batches
    assert numbers(outcomes[0]) == numbers(outcomes[1])
    assert numbers(evaluate(replace(one, seed=1), data)) != numbers(outcomes[0])


@pytest.mark.skipif(can_sample(), reason="pyg-lib or torch-sparse is installed")
def test_a_job_that_asks_for_what_is_not_there_says_so():
    data = task()
    outcome = evaluate(job("", data, ARCHITECTURE, batches="neighbours"), data)
    assert outcome.reason is not None
    assert outcome.reason.startswith(
        "BadInput: batches 'neighbours' need the native sampler of pyg-lib or torch-sparse"
    )


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"aggregate"}))
def test_how_far_a_network_sees(name):
    data = task()
    model = load_source(job(name, data).source)()
    assert _hops(model, data, data.train[0]) == REACH.get(name, 1)


def test_who_compares_all_nodes_sees_them_all():
    class Centred(torch.nn.Module):
        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return x - x.mean(0)

    data = task()
    assert _hops(Centred(), data, data.train[0]) == FARTHEST


@pytest.mark.skipif(not DATA.is_dir(), reason="needs NAS_DATA")
@pytest.mark.parametrize("batches", ["random", pytest.param("neighbours", marks=needs_sampler)])
@pytest.mark.parametrize(("name", "tolerance"), [("cora", 0.03), pytest.param("pubmed", 0.02, marks=pytest.mark.slow)])
def test_portions_reach_about_the_accuracy_of_the_whole(name, tolerance, batches):
    data = prepare(load(name))
    recipe = Recipe(epochs=40, patience=40)
    whole, parts = (evaluate(gcn(data, 64, recipe=recipe, batches=way), data) for way in ("full", batches))
    assert parts.batches == batches
    assert parts.metrics["approximate_evaluation"] == 0
    assert parts.metrics["test_accuracy"] > whole.metrics["test_accuracy"] - tolerance


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_trains_in_parts_too():
    data = large(20_000).to("cuda")
    outcome = evaluate(gcn(data, memory=150, device="cuda"), data)
    assert outcome.reason is None
    assert outcome.batches in ("neighbours", "random")
    assert outcome.metrics["parts"] > 1
