"""Regressions are trained on numbers around 0 and 1, and everything that is returned is in the task's own units."""

from __future__ import annotations

import math

import pytest
import torch

from nas.data import load
from nas.evaluation.evaluate import evaluate
from nas.evaluation.seeds import evaluate_stacked
from nas.metrics import loss
from nas.searchspace.source import load as made
from nas.searchspace.source import source
from tests.nas.toys import Toy, graph, job, numbers

ARCHITECTURE = Toy(conv="gcn", hidden=4, dropout=0.0)


def far_away(columns: int, scale: float = 1000.0):
    """Nodes with numbers far from 0 that their features tell, with some unknown."""
    data = graph(60)
    y = torch.stack([data.x[:, i] * scale * 10**i + 5 * scale for i in range(columns)], 1)
    y[3] = math.nan
    data.y = y
    return data


@pytest.mark.parametrize("columns", [1, 2])
def test_the_network_ends_in_the_units_of_the_task(columns):
    task = load(far_away(columns))
    y = task.train[0].y.double()
    assert torch.allclose(torch.tensor(task.centre, dtype=torch.float64), y.nanmean(0), rtol=1e-5)
    known = y[~y.isnan().any(1)]
    assert torch.allclose(torch.tensor(task.spread, dtype=torch.float64), known.std(0), rtol=1e-5)
    text = source(ARCHITECTURE, task)
    assert "torch_geometric" in text
    torch.manual_seed(0)
    model = made(text)()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        out = model(*task.train[0].arguments(task.inputs))
    assert torch.allclose(out, torch.tensor(task.centre).expand_as(out))


def test_other_tasks_have_no_units():
    task = load(graph(60))
    assert task.centre == task.spread == ()
    assert "units" not in source(ARCHITECTURE, task)


def test_errors_are_counted_in_deviations_in_training_alone():
    logits, y = torch.tensor([[2.0, 300.0], [4.0, 100.0]]), torch.tensor([[0.0, 100.0], [0.0, math.nan]])
    assert loss(logits, y, "regression", spread=(2.0, 100.0)).item() == pytest.approx((1 + 4 + 4) / 3)
    assert loss(logits[:, :1], y[:, :1], "regression", spread=(2.0,)).item() == pytest.approx(2.5)
    task = load(far_away(1))
    outcome = evaluate(job("", task, ARCHITECTURE, metrics=("rmse",)), task)
    assert outcome.metrics["valid_rmse"] ** 2 == pytest.approx(outcome.metrics["valid_loss"], rel=1e-4)
    assert outcome.metrics["valid_rmse"] > 10


def test_the_unit_of_the_numbers_makes_no_difference():
    small, large = load(far_away(1, 0.01)), load(far_away(1, 1000.0))
    found = [evaluate(job("", task, ARCHITECTURE, metrics=("rmse",)), task).metrics for task in (small, large)]
    assert found[0]["valid_rmse"] * 1e5 == pytest.approx(found[1]["valid_rmse"], rel=1e-2)


def test_seeds_trained_as_one_are_in_the_same_units():
    task = load(far_away(2))
    asked = job("", task, ARCHITECTURE, metrics=("rmse",))
    (stacked,) = evaluate_stacked(asked, [asked.seed], task)
    alone = evaluate(asked, task)
    assert numbers(stacked)["valid_rmse"] == pytest.approx(numbers(alone)["valid_rmse"], rel=1e-3)


def test_a_number_that_never_changes_has_the_deviation_one():
    data = graph(60)
    data.y = torch.full((60, 1), 7.5)
    data.y[::20] = math.nan
    task = load(data)
    assert (task.centre, task.spread) == ((7.5,), (1.0,))
