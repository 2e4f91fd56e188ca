"""Training: what chooses the epoch, what is never looked at, and every kind of target."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.data import load
from nas.evaluation import batches
from nas.evaluation import train as training
from nas.evaluation.job import Failed, Rung
from nas.evaluation.train import Trained, train
from nas.metrics import METRICS
from nas.searchspace import Space
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import module
from nas.searchspace.task import Task
from tests.nas.toys import Toy, graph, graphs, search, task, told

ARCHITECTURE = Toy(conv="gcn", hidden=8, dropout=0.3)


def fit(data: Task, recipe: Recipe | None = None, metrics: Any = None, **more: Any) -> tuple[torch.nn.Module, Trained]:
    torch.manual_seed(0)
    of = Space(Toy).for_task(data).of
    architecture = of(**{f: getattr(ARCHITECTURE, f) for f in ("conv", "hidden", "dropout")} | (
        {"readout": "mean"} if data.level == "graph" else {}))  # fmt: skip
    model = module(architecture, data)
    recipe = recipe or Recipe(epochs=15)
    return model, train(model, data, recipe, metrics or [data.metric], seed=0, **more)


def predicted(model: torch.nn.Module, data: Task, split: Any) -> tuple[Tensor, Tensor]:
    """An independent forward pass over a split."""
    model.eval()
    with torch.no_grad():
        parts = [(model(*b.arguments(data.inputs)), b) for b in data.batches(split)]
    return torch.cat([out if b.index is None else out[b.index] for out, b in parts]), torch.cat([b.y for _, b in parts])


def float_graph(target: str) -> Any:
    data = graph()
    if target == "multilabel":
        data.y = torch.stack([(data.y == 0), (data.y < 2), data.x[:, 0] > 0], 1).float()
        data.y[::5, 0] = math.nan
        data.y[1::7] = math.nan
    else:
        data.y = data.x[:, :2] @ torch.tensor([[1.0, 0.5], [-1.0, 2.0]]) + data.y[:, None]
        data.y[::6, 1] = math.nan
    return data


def test_the_best_epoch_is_restored():
    data = task()
    model, trained = fit(data, Recipe(epochs=40, patience=40, lr=0.5))
    assert 0 < trained.metrics["best_epoch"] < trained.metrics["epochs"] == 40
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, trained.state[name])
    for split in ("valid", "test"):
        logits, y = predicted(model, data, split)
        assert METRICS["accuracy"](logits, y) == trained.metrics[f"{split}_accuracy"]
        assert torch.nn.functional.cross_entropy(logits, y).item() == pytest.approx(trained.metrics[f"{split}_loss"])
    short, again = fit(data, Recipe(epochs=int(trained.metrics["best_epoch"]), patience=40, lr=0.5))
    assert again.metrics["valid_accuracy"] == trained.metrics["valid_accuracy"]
    assert all(torch.equal(a, b) for a, b in zip(short.parameters(), model.parameters(), strict=True))


def test_patience_ends_the_training():
    data = task()
    _, trained = fit(data, Recipe(epochs=500, patience=3, lr=0.5), validate_every=1)
    assert trained.metrics["epochs"] == trained.metrics["best_epoch"] + 3
    assert not trained.stopped


def test_the_validation_split_is_looked_at_every_k_epochs_and_last():
    """The weights of an epoch do not depend on the looks, so a rarer look sees the same values."""
    data, recipe = task(), Recipe(epochs=23, patience=100)
    _, often = fit(data, recipe, validate_every=1)
    _, rarely = fit(data, recipe, validate_every=5)
    assert [epoch for epoch, _ in often.curve] == list(range(1, 24))
    assert [epoch for epoch, _ in rarely.curve] == [5, 10, 15, 20, 23]
    assert set(rarely.curve) <= set(often.curve)
    assert rarely.metrics["valid_accuracy"] == max(value for _, value in rarely.curve)
    assert [training.pace(epochs) for epochs in (1, 40, 100, 200, 1000)] == [1, 1, 2, 5, 5]


def test_a_rung_stops_those_behind_and_no_others():
    data, recipe = task(), Recipe(epochs=40, patience=100)
    _, whole = fit(data, recipe, validate_every=5)
    reached = max(value for epoch, value in whole.curve if epoch <= 12)
    _, kept = fit(data, recipe, validate_every=5, rungs=[Rung(12, reached)])
    assert not kept.stopped
    assert kept.metrics["epochs"] == 40
    assert [epoch for epoch, _ in kept.curve] == [5, 10, 12, 15, 20, 25, 30, 35, 40]
    _, stopped = fit(data, recipe, validate_every=5, rungs=[Rung(7, 0.0), Rung(12, 1.5)])
    assert stopped.stopped
    assert stopped.metrics["epochs"] == 12
    assert stopped.metrics["best_epoch"] <= 12


def test_of_equal_metrics_the_smaller_loss_wins(monkeypatch):
    """With a metric that never moves the choice is the loss's alone."""
    data = task()
    monkeypatch.setattr(
        training, "resolve_metric", lambda name, target: replace(METRICS["accuracy"], function=lambda a, b: 0.5)
    )
    losses = []
    real = training.loss

    def spy(logits: Tensor, y: Tensor, *rest: Any) -> Tensor:
        value = real(logits, y, *rest)
        if not value.requires_grad:
            losses.append(value.item())
        return value

    monkeypatch.setattr(training, "loss", spy)
    _, trained = fit(data, Recipe(epochs=30, patience=30, lr=0.5))
    every = losses[:30]
    assert trained.metrics["best_epoch"] == every.index(min(every)) + 1 < 30


def test_the_test_split_changes_nothing():
    """Other test labels: other test numbers, the same choice, the same weights."""
    data = task()
    (batch,) = data.test
    permuted = replace(data, test=(replace(batch, y=(batch.y + 1) % 3),))
    (model, one), (other, two) = fit(data), fit(permuted)
    assert one.metrics["best_epoch"] == two.metrics["best_epoch"]
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert one.metrics["valid_accuracy"] == two.metrics["valid_accuracy"]
    assert one.metrics["test_accuracy"] != two.metrics["test_accuracy"]


@pytest.mark.parametrize("controller", ["evolution", "tpe", "local-search"])
def test_a_search_does_not_see_the_test_labels(controller):
    data, other = graph(), graph()
    masks = torch.arange(48) % 4
    for d in (data, other):
        d.train_mask, d.val_mask, d.test_mask = masks < 2, masks == 2, masks == 3
    other.y = torch.where(other.test_mask, (other.y + 1) % 3, other.y)
    options = {"evolution": {"population": 4, "sample": 2}, "tpe": {"startup": 4}, "local-search": {"starts": 3}}
    given = {"controller": controller, "controller_options": options[controller], "trials": 10}
    first, second = search(data, "first", **given), search(other, "second", **given)

    def chosen(result: Any) -> list[Any]:
        return [row[:4] for row in told(result.records)]

    assert chosen(first) == chosen(second)
    tests = [[r.trial.metrics["test_accuracy"] for r in result.records] for result in (first, second)]
    assert tests[0] != tests[1]
    for record in first.records:
        files = [result._folder.weights(record.trial.number) for result in (first, second)]
        assert files[0].exists() == files[1].exists()
        assert not files[0].exists() or files[0].read_bytes() == files[1].read_bytes()


def test_class_weights():
    """A class of which there is one item in eight counts as much as the other."""
    data = graph(nodes=64, classes=2)
    data.y = (torch.arange(64) % 8 == 0).long()
    unbalanced = load(data, split="random")
    _, plain = fit(unbalanced, Recipe(epochs=30), ["macro-f1", "accuracy"])
    _, weighted = fit(unbalanced, Recipe(epochs=30), ["macro-f1", "accuracy"], class_weights=True)
    assert weighted.metrics != plain.metrics
    (batch,) = unbalanced.train
    weights = training.class_weights_of(unbalanced)
    counts = torch.bincount(batch.y)
    assert torch.allclose(weights * counts, (weights * counts)[0].expand(2))  # every class weighs the same in sum
    assert (weights * counts).sum() == pytest.approx(len(batch.y))


def test_class_weights_of_questions_and_of_none():
    data = load(float_graph("multilabel"), split="random")
    y = data.train[0].y
    weights = training.class_weights_of(data)
    for column, weight in enumerate(weights.tolist()):
        assert weight == pytest.approx((y[:, column] == 0).sum().item() / (y[:, column] == 1).sum().item())
    assert training.class_weights_of(load(float_graph("regression"), split="random")) is None
    assert fit(load(float_graph("regression"), split="random"), class_weights=True)[1].metrics["epochs"] == 15


@pytest.mark.parametrize(("target", "metric"), [("multilabel", "roc-auc"), ("regression", "rmse")])
def test_float_targets_with_missing_labels(target, metric):
    data = load(float_graph(target), split="random")
    assert (data.target, data.metric) == (target, metric)
    model, trained = fit(data, Recipe(epochs=60, lr=0.05))
    untrained = module(ARCHITECTURE, data)
    for split in ("train", "valid", "test"):
        logits, y = predicted(model, data, split)
        assert y.isnan().any() or split != "train"
        if split != "train":
            assert METRICS[metric](logits, y) == pytest.approx(trained.metrics[f"{split}_{metric}"], abs=1e-6)
    better = METRICS[metric]
    assert better.better(better(*predicted(model, data, "train")), better(*predicted(untrained, data, "train")))


def test_graphs_in_batches():
    data = load(graphs())
    assert data.level == "graph"
    model, trained = fit(data, Recipe(epochs=30, batch_size=5, lr=0.05))
    logits, y = predicted(model, data, "valid")
    assert METRICS["accuracy"](logits, y) == trained.metrics["valid_accuracy"]
    assert METRICS["accuracy"](*predicted(model, data, "train")) > 0.9
    _, again = fit(data, Recipe(epochs=30, batch_size=5, lr=0.05))
    assert again.metrics == trained.metrics
    _, other = fit(data, Recipe(epochs=30, batch_size=20, lr=0.05))
    assert other.metrics != trained.metrics


def test_every_graph_is_used_once_an_epoch():
    data = load(graphs())
    (batch,) = data.train
    for size in (4, 5, len(batch.y)):
        steps = list(batches.steps(data, Recipe(batch_size=size), torch.Generator().manual_seed(1)))
        used = sum(len(step.y) for step in steps)
        assert len(batch.y) - used == (len(batch.y) % size == 1)  # a single one left over is left out
        assert sorted(torch.cat([step.x.sum(1) for step in steps]).tolist())[-1] == batch.x.sum(1).max().item()
    chunked = list(batches.chunks(data, "train"))
    assert len(chunked) == 1


def test_large_splits_are_predicted_in_parts(monkeypatch):
    data = load(graphs())
    model, _ = fit(data)
    whole = training.outputs(model, data, "train")
    monkeypatch.setattr(batches, "GRAPHS_AT_ONCE", 3)
    parts = training.outputs(model, data, "train")
    assert torch.allclose(whole[0], parts[0], atol=1e-6)
    assert torch.equal(whole[1], parts[1])


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("cosine", [False, True])
def test_recipes(optimiser, cosine):
    data = task()
    model, _ = fit(data, Recipe(optimiser=optimiser, cosine=cosine, epochs=30, lr=0.05))
    before = module(ARCHITECTURE, data)
    losses = [torch.nn.functional.cross_entropy(*predicted(m, data, "train")).item() for m in (before, model)]
    assert losses[1] < losses[0]


def test_a_cosine_ends_at_zero():
    data = task()
    model = module(ARCHITECTURE, data)
    optimiser, schedule = training.optimiser_of(model, Recipe(cosine=True, epochs=4, lr=0.1))
    rates = []
    for _ in range(4):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    expected = [0.1 * (1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]
    assert rates == pytest.approx(expected)


def test_a_validation_metric_that_is_not_defined():
    """All validation labels are of one class: no ranking."""
    data = task(classes=2)
    (valid,) = data.valid
    one_class = replace(data, valid=(replace(valid, y=torch.zeros_like(valid.y)),))
    with pytest.raises(Failed, match="not a number: roc-auc is not defined on the validation split"):
        fit(one_class, metrics=["roc-auc"])


def test_a_test_metric_that_is_not_defined_is_no_failure():
    data = task(classes=2)
    (test,) = data.test
    _, trained = fit(replace(data, test=(replace(test, y=torch.zeros_like(test.y)),)), metrics=["roc-auc"])
    assert math.isnan(trained.metrics["test_roc-auc"])
    assert trained.metrics["valid_roc-auc"] >= 0


def test_weights_of_the_state_are_on_the_cpu_and_apart():
    model, trained = fit(task())
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert not torch.equal(next(iter(trained.state.values())), next(iter(model.state_dict().values())))


def test_a_training_at_its_time_limit_ends_with_its_best_epoch():
    """It is looked at once more, so there is a best epoch even if its time was over at once."""
    model, at_once = fit(task(), seconds=1e-9, validate_every=4)
    assert at_once.stopped
    assert [epoch for epoch, _ in at_once.curve] == [1]
    assert at_once.metrics["epochs"] == at_once.metrics["best_epoch"] == 1
    assert all(torch.equal(tensor, at_once.state[name]) for name, tensor in model.state_dict().items())
    _, in_time = fit(task(), seconds=1e9)
    assert not in_time.stopped
    assert in_time.metrics == fit(task())[1].metrics
