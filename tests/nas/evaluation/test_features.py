"""Sparse features: the same numbers through unmodified modules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from nas.data import load
from nas.evaluation.engine.features import DENSEST, SparseFeatures
from nas.evaluation.engine.prepare import prepare, without_preparation
from nas.evaluation.evaluate import evaluate
from nas.evaluation.train import train
from nas.searchspace import Task
from nas.searchspace.operators import OPERATORS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load as load_source
from tests.nas.toys import Toy, graph, graphs, job

BUILT_IN = [name for name in OPERATORS if name != "aggregate"]  # which keeps the width


def bag_of_words(nodes: int = 60, words: int = 40, seed: int = 0) -> Task:
    data = graph(nodes, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    data.x = torch.rand(nodes, words, generator=generator) * (torch.rand(nodes, words, generator=generator) < 0.06)
    data.x[3] = 0  # a node without words
    data.x[:, 7] = 0  # a word that nobody uses
    return load(data)


def pair(nodes: int = 30, words: int = 20) -> tuple[torch.Tensor, SparseFeatures]:
    x = bag_of_words(nodes, words).train[0].x
    return x, SparseFeatures.of(x)


def trained(source: str, task: Task) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    result = train(load_source(source)(), task, Recipe(epochs=4, weight_decay=1e-3), ["accuracy"], seed=0)
    return result.metrics, result.state


@pytest.mark.parametrize("name", BUILT_IN)
def test_training_is_the_same_with_every_operator(name):
    task = bag_of_words()
    sparse = prepare(task)
    assert isinstance(sparse.train[0].x, SparseFeatures)
    source = job(name, task).source
    (dense_metrics, dense_state), (metrics, state) = trained(source, task), trained(source, sparse)
    for key in ("valid_loss", "test_loss"):
        assert metrics[key] == pytest.approx(dense_metrics[key], rel=1e-5)
    for key, tensor in dense_state.items():
        assert torch.allclose(state[key], tensor, rtol=1e-3, atol=1e-4), key


def test_the_graph_is_shared_by_the_splits():
    sparse = prepare(bag_of_words())
    assert sparse.train[0].x is sparse.valid[0].x is sparse.test[0].x


@pytest.mark.parametrize("bias", [True, False])
def test_linear_forward_and_backward(bias):
    x, sparse = pair()
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(6, 20, generator=generator, dtype=x.dtype)
    offset = torch.randn(6, generator=generator) if bias else None
    grads = []
    for features in (x, sparse):
        w = weight.clone().requires_grad_()
        out = F.linear(features, w, offset)
        assert type(out) is torch.Tensor
        (out.square().sum()).backward()
        grads.append((out.detach(), w.grad))
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)
    assert torch.allclose(F.linear(input=sparse, weight=weight, bias=offset), grads[0][0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_the_pattern(p):
    x, sparse = pair(60, 40)
    torch.manual_seed(0)
    draws = [F.dropout(sparse, p, True) for _ in range(400)]
    assert all(type(d) is SparseFeatures for d in draws)
    dense = torch.stack([d.dense() for d in draws])
    assert (dense[:, x == 0] == 0).all()
    kept = dense != 0
    assert torch.allclose(dense[kept], (x / (1 - p)).expand_as(dense)[kept])
    assert kept[:, x != 0].float().mean().item() == pytest.approx(1 - p, abs=0.01)
    assert dense.mean(0).sum().item() == pytest.approx(x.sum().item(), rel=0.03)


def test_dropout_outside_of_training_does_nothing():
    _, sparse = pair()
    assert F.dropout(sparse, 0.5, False) is sparse
    assert torch.nn.Dropout(0.5).eval()(sparse) is sparse
    assert F.dropout(sparse, 0.0, True) is sparse
    assert F.dropout(sparse, 1.0, True).dense().count_nonzero() == 0


CALLS: dict[str, Any] = {
    "relu": torch.relu,
    "method": lambda x: x.mean(0),
    "times": lambda x: x * 2,
    "rtimes": lambda x: 2 * x,
    "plus itself": lambda x: x + x,
    "matmul": lambda x: x.t() @ x,
    "cat": lambda x: torch.cat([x, x], 1),
    "stack": lambda x: torch.stack((x, x)),
    "row": lambda x: x[2:5],
    "index": lambda x: x[torch.tensor([0, 3, 3])],
    "select": lambda x: x.index_select(0, torch.tensor([1, 2])),
    "softmax": lambda x: F.softmax(x, dim=1),
    "norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "weight": lambda x: F.linear(torch.ones(2, x.size(1)), x),
    "einsum": lambda x: torch.einsum("ij,ik->jk", x, x),
    "where": lambda x: torch.where(x > 0, x, -1.0),
    "keyword": lambda x: torch.mul(input=x, other=x),
    "detach": lambda x: x.detach(),
    "clone": lambda x: x.clone(),
    "numpy": lambda x: torch.from_numpy(x.numpy()),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_other_call_sees_the_dense_tensor(name):
    x, sparse = pair()
    assert torch.equal(CALLS[name](sparse), CALLS[name](x))


@pytest.mark.parametrize("name", CALLS)
def test_after_dropout_too(name):
    _, sparse = pair()
    dropped = F.dropout(sparse, 0.5, True)
    assert torch.equal(CALLS[name](dropped), CALLS[name](dropped.dense()))


def test_some_rows():
    x, sparse = pair()
    nodes = torch.tensor([7, 3, 12])
    some = sparse.rows(nodes)
    assert torch.equal(some.dense(), x[nodes])
    assert torch.allclose(F.linear(some, torch.ones(2, 20)), F.linear(x[nodes], torch.ones(2, 20)))


def test_questions_are_answered():
    x, sparse = pair()
    assert sparse.shape == x.shape
    assert (sparse.size(0), sparse.size(-1), sparse.dim(), sparse.ndim, len(sparse), sparse.numel()) == (
        30, 20, 2, 2, 30, 600,
    )  # fmt: skip
    assert (sparse.dtype, sparse.device, sparse.requires_grad) == (x.dtype, x.device, False)


def test_plain_features_come_back():
    task = bag_of_words()
    plain = without_preparation(prepare(task))
    for split in ("train", "valid", "test"):
        (batch,), (before,) = plain.batches(split), task.batches(split)
        assert type(batch.x) is type(batch.edge_index) is torch.Tensor
        assert torch.equal(batch.x, before.x)
        assert torch.equal(batch.edge_index, before.edge_index)


def test_what_is_left_alone():
    dense = load(graph())
    assert prepare(dense).train[0].x is dense.train[0].x
    graph_level = load(graphs())
    assert prepare(graph_level).train[0].x is graph_level.train[0].x
    task = bag_of_words()
    x = task.train[0].x.clone()
    x.flatten()[: int(x.numel() * DENSEST) + 1] = 1
    filled = replace(task, train=(replace(task.train[0], x=x),))
    assert prepare(filled).train[0].x is x


def test_a_whole_job_is_the_same():
    """With early stopping, latency and the test split; dropout off."""
    task = bag_of_words()
    text = job("", task, Toy(conv="gcn", hidden=8, dropout=0.0), recipe=Recipe(epochs=10))
    dense, sparse = evaluate(text, task), evaluate(text, prepare(task))
    assert sparse.reason is dense.reason is None
    for key in ("valid_loss", "test_loss"):
        assert sparse.metrics[key] == pytest.approx(dense.metrics[key], rel=1e-4)
