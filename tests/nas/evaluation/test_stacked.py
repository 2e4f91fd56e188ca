"""Several seeds trained as one: each as it would be alone."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from nas.data import load as load_data
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Failed, Job
from nas.evaluation.seeds import LARGEST, evaluate_stacked, refusal, size
from nas.evaluation.stacked import CannotStack, train_stacked
from nas.evaluation.train import Trained, train
from nas.searchspace.network import Network
from nas.searchspace.operators import OPERATORS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load, source
from nas.searchspace.task import Task
from tests.nas.evaluation.test_train import float_graph
from tests.nas.toys import MISBEHAVING, graph, graphs, job, numbers, task

SEEDS = (3, 0, 11)
OPERATORS_TRIED = {
    **{name: (name, {}) for name in OPERATORS},
    **{f"{name} 2 heads": (name, {"heads": 2}) for name in ("gat", "gatv2", "transformer")},
    **{f"{name} max": (name, {"aggr": "max"}) for name in ("sage", "graph", "aggregate")},
    **{
        f"attention {attention} {aggregate}": (
            "attention",
            {"attention": attention, "aggregate": aggregate, "heads": 2, "combine": "mlp"},
        )
        for attention, aggregate in (("gcn", "mean"), ("cos", "max"), ("generalised-linear", "mlp"))
    },
}


def text(name: str, data: Task, norm: str = "batch", dropout: float = 0.0, **settings: Any) -> str:
    """Source of a network of two layers with everything that has weights or statistics in between."""

    class Two:
        def network(self, net: Network) -> Any:
            x = net.linear(net.x, 8) if not OPERATORS[name].construct else net.x
            x = net.dropout(dropout, net.norm(norm, net.operator(name, x, 8, **settings)))
            return net.activation("prelu", net.operator(name, x, 8, **settings))

    return source(Two(), data)


def alone(program: str, data: Task, recipe: Recipe, seed: int, **more: Any) -> Trained | Failed:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = load(program)()
        try:
            return train(model, data, recipe, [data.metric], seed=seed, **more)
        except Failed as failure:
            return failure


def assert_equal(stacked: Trained | Failed, single: Trained | Failed) -> None:
    assert isinstance(stacked, Trained)
    assert isinstance(single, Trained)
    assert stacked.metrics == pytest.approx(single.metrics, rel=1e-5)
    assert [epoch for epoch, _ in stacked.curve] == [epoch for epoch, _ in single.curve]
    assert [value for _, value in stacked.curve] == pytest.approx([value for _, value in single.curve], rel=1e-5)
    assert stacked.state.keys() == single.state.keys()
    for name, tensor in single.state.items():
        assert torch.allclose(stacked.state[name], tensor, rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize("tried", OPERATORS_TRIED)
def test_each_seed_is_trained_as_it_would_be_alone(tried):
    """Batch statistics, slopes of activations and best epochs included; rounding is not turned into steps by Adam."""
    (name, settings), data = OPERATORS_TRIED[tried], task()
    program, recipe = text(name, data, **settings), Recipe("sgd", lr=0.05, epochs=12, patience=100, cosine=True)
    together = train_stacked(program, data, recipe, [data.metric], SEEDS, validate_every=1)
    for seed, stacked in zip(SEEDS, together, strict=True):
        assert_equal(stacked, alone(program, data, recipe, seed, validate_every=1))
    assert len({stacked.metrics["valid_loss"] for stacked in together}) == len(SEEDS)


@pytest.mark.parametrize("tried", ["gcn", "gat", "transformer", "gin", "aggregate", "attention cos max"])
def test_each_seed_hears_of_what_edges_carry(tried):
    (name, settings), made = OPERATORS_TRIED[tried], graph()
    edges = made.edge_index.size(1)
    made.edge_weight, made.edge_attr = torch.arange(edges) % 3 + 0.5, torch.arange(2.0 * edges).view(-1, 2).sin()
    data = load_data(made)
    program, recipe = text(name, data, **settings), Recipe("sgd", lr=0.05, epochs=6)
    together = train_stacked(program, data, recipe, [data.metric], SEEDS, validate_every=1)
    for seed, stacked in zip(SEEDS, together, strict=True):
        assert_equal(stacked, alone(program, data, recipe, seed, validate_every=1))


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("target", ["multiclass", "multilabel", "regression"])
def test_optimisers_and_targets(optimiser, target):
    data = task() if target == "multiclass" else load_data(float_graph(target))
    program, recipe = text("sage", data, norm="layer"), Recipe(optimiser, epochs=6, weight_decay=0.01)
    weighted = {"class_weights": target != "regression"}
    together = train_stacked(program, data, recipe, [data.metric], SEEDS, **weighted)
    for seed, stacked in zip(SEEDS, together, strict=True):
        assert_equal(stacked, alone(program, data, recipe, seed, **weighted))


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_each_seed_stops_when_its_patience_is_over(optimiser):
    """Those that are done leave the stack, and the rest go on as if nothing had happened."""
    data, seeds = task(), range(8)
    norm = "batch" if optimiser == "sgd" else "layer"  # before batch norm a bias has no gradient but Adam's rounding
    program, recipe = text("gcn", data, norm), Recipe(optimiser, lr=0.02, epochs=60, patience=6)
    together = train_stacked(program, data, recipe, [data.metric], seeds, validate_every=2)
    ends = [stacked.metrics["epochs"] for stacked in together]
    assert sorted(ends)[4] < max(ends)  # half of them leave early
    for seed, stacked in zip(seeds, together, strict=True):
        assert_equal(stacked, alone(program, data, recipe, seed, validate_every=2))


def test_dropout_is_drawn_for_each_seed_and_again_alike():
    data = task()
    program, recipe = text("gat", data, dropout=0.5, heads=2), Recipe(epochs=10)
    first, again = (train_stacked(program, data, recipe, [data.metric], SEEDS) for _ in range(2))
    assert [t.metrics for t in first] == [t.metrics for t in again]
    twins = train_stacked(program, data, recipe, [data.metric], [5, 5])
    assert twins[0].metrics["valid_loss"] != twins[1].metrics["valid_loss"]


def test_the_random_numbers_of_the_caller_are_left_alone():
    data, before = task(), torch.get_rng_state()
    train_stacked(text("gcn", data, dropout=0.5), data, Recipe(epochs=2), [data.metric], SEEDS)
    assert torch.equal(torch.get_rng_state(), before)


class Unlucky(torch.nn.Module):
    """Starts with weights that are not numbers if the first of them would be negative."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)
        if self.linear.weight[0, 0] < 0:
            torch.nn.init.constant_(self.linear.weight, float("nan"))

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Asks(torch.nn.Module):
    """Asks for a number."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        return x / max(1.0, x.abs().max().item())


class Hidden(torch.nn.Module):
    """Keeps a number of its own that no state holds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.scale = torch.nn.Linear(inputs, outputs), torch.rand(())

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * self.scale


class Tied(torch.nn.Module):
    """Uses the same weights twice, beside some that never change and a buffer that no file holds."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = torch.nn.Linear(inputs, inputs)
        self.second, self.last = self.first, torch.nn.Linear(inputs, outputs)
        self.last.bias.requires_grad_(False)
        self.register_buffer("shift", torch.rand(outputs), persistent=False)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.last(self.second(torch.relu(self.first(x)))) + self.shift


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A job with a layer of this file."""

    def made(name: str, data: Task, **more: Any) -> Job:
        for layer in (Unlucky, Asks, Hidden, Tied):
            monkeypatch.setitem(MISBEHAVING, layer.__name__.lower(), layer)
        return job(name, data, **more)

    return made


def test_a_seed_that_fails_leaves_the_others_alone(own):
    data, seeds, recipe = task(), range(6), Recipe("sgd", lr=0.05, epochs=5)
    program = own("unlucky", data).source
    together = train_stacked(program, data, recipe, [data.metric], seeds)
    singles = [alone(program, data, recipe, seed) for seed in seeds]
    assert {type(single) for single in singles} == {Trained, Failed}
    for stacked, single in zip(together, singles, strict=True):
        if isinstance(single, Failed):
            assert str(stacked) == str(single) == "not a number: the validation loss of epoch 1 is nan"
        else:
            assert_equal(stacked, single)


def test_weights_that_are_shared_frozen_or_not_stored(own):
    data, recipe = task(), Recipe("sgd", lr=0.05, epochs=5, weight_decay=0.1)
    program = own("tied", data).source
    for seed, stacked in zip(SEEDS, train_stacked(program, data, recipe, [data.metric], SEEDS), strict=True):
        assert_equal(stacked, alone(program, data, recipe, seed))


def test_outcomes_are_those_of_separate_jobs():
    data = task()
    of = Job(text("sage", data), Recipe("sgd", epochs=8), 0, (data.metric, "macro-f1"), validate_every=2, memory=10_000)
    for seed, stacked in zip(SEEDS, evaluate_stacked(of, SEEDS, data), strict=True):
        single = evaluate(replace(of, seed=seed), data)
        assert numbers(stacked) == pytest.approx(numbers(single), rel=1e-5)
        assert stacked.metrics.keys() == single.metrics.keys()
        assert dict(stacked.curve) == pytest.approx(dict(single.curve))
        assert stacked.metrics["latency"] > 0
        assert stacked.seconds == stacked.metrics["seconds"] > 0


def test_the_time_limit_counts_once_for_each_seed():
    data = task()
    of = Job(text("gcn", data), Recipe(epochs=100_000, patience=100_000), 0, (data.metric,), seconds=0.05)
    begin = time.monotonic()
    outcomes = evaluate_stacked(of, SEEDS, data)
    assert 0.15 < time.monotonic() - begin < 30
    assert [outcome.reason for outcome in outcomes] == [None] * 3
    assert len({outcome.metrics["epochs"] for outcome in outcomes}) == 1
    for outcome in outcomes:
        assert outcome.curve[-1][0] == outcome.metrics["epochs"] < 100_000
        assert outcome.metrics["valid_accuracy"] == max(value for _, value in outcome.curve)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("asks", r"RuntimeError: vmap: It looks like you're calling \.item\(\)"),
        ("hidden", "the networks keep numbers that are neither parameters nor buffers"),
        ("weightless", "the network has no parameters to train"),
        ("shapeless", r"the network returned \[48, 4\] where the task needs \[48, 3\]"),
        ("raises", "LookupError: no such thing"),
        ("huge", "out of memory"),
    ],
)
def test_what_cannot_be_stacked_is_said(own, name, message):
    data = task()
    with pytest.raises(CannotStack, match=message):
        evaluate_stacked(own(name, data), SEEDS, data)


def test_graphs_are_not_stacked():
    data = load_data(graphs())
    with pytest.raises(CannotStack, match="each seed shuffles the batches of a graph-level task in its own way"):
        train_stacked(text("gcn", data), data, Recipe(epochs=1), [data.metric], SEEDS)


def test_the_rule():
    small, large = task(), load_data(graph(nodes=600))
    of = job("gcn", small)
    assert size(small) == small.train[0].x.numel() + 64 * small.train[0].edge_index.size(1) <= LARGEST["cpu"]
    assert LARGEST["cpu"] < size(large) <= LARGEST["cuda"]
    assert refusal(of, 10, small) is None
    assert refusal(of, 10, large) == "faster on this device for a graph of this size"
    assert refusal(replace(of, device="cuda:1"), 2, large) is None
    huge = load_data(graph(nodes=30, features=700_000))
    assert refusal(replace(of, device="cuda"), 10, huge) == "together they take much memory"
    assert refusal(of, 1, small) == "there is one seed"
    assert refusal(replace(of, batches="clusters"), 10, small) == "each seed draws its own batches of clusters"
    assert "graph-level" in str(refusal(replace(of, device="cuda"), 10, load_data(graphs())))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu():
    data = task().to("cuda")
    of = Job(text("gat", data, heads=2), Recipe("sgd", lr=0.05, epochs=8), 0, (data.metric,), device="cuda")
    for seed, stacked in zip(SEEDS, evaluate_stacked(of, SEEDS, data), strict=True):
        assert numbers(stacked) == pytest.approx(numbers(evaluate(replace(of, seed=seed), data)), rel=1e-3)
