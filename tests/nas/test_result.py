"""What can be made of the trials."""

from __future__ import annotations

import errno
from typing import Any

import pandas as pd
import pytest
import torch

import nas
from nas.controllers.base import Trial
from nas.evaluation import evaluate as evaluating
from nas.searchspace.errors import BadInput, RunError
from nas.study.choosing import cheapest
from tests.nas.toys import Messy, Toy, graph, search


@pytest.fixture
def result() -> Any:
    return search(trials=6, keep=2)


def kept(result: Any, number: int) -> bool:
    return bool(result._folder.weights(number).is_file())


def test_the_best(result):
    values = [r.trial.values[0] for r in result.records]
    assert result.best.values == (max(values),)
    assert result.best.number == values.index(max(values))
    assert result.trial() == result.best
    assert result.trial(3) == result.records[3].trial
    assert result.pareto[0] == result.best
    assert {t.values for t in result.pareto} == {result.best.values}


@pytest.mark.parametrize("number", [-1, 6])
def test_a_trial_there_is_not(result, number):
    with pytest.raises(BadInput, match=f"'run' has no trial {number}; it has 0 to 5"):
        result.trial(number)


def test_nothing_yet():
    empty = search(trials=None, seconds=1e-6)
    with pytest.raises(RunError, match="no trial of 'run' succeeded yet"):
        _ = empty.best
    with pytest.raises(BadInput, match="it has none yet"):
        empty.trial(0)
    assert len(empty.trials) == 0


def test_a_table_of_trials():
    result = search(space=Messy, controller="grid", trials=12)
    table = result.trials
    assert isinstance(table, pd.DataFrame)
    assert list(table["number"]) == list(range(10))
    assert list(table["state"]) == ["failed" if r.trial.values is None else "complete" for r in result.records]
    assert list(table["reason"].notna()) == list(table["state"] == "failed")
    for row, record in zip(table.to_dict("records"), result.records, strict=True):
        assert {k[5:]: v for k, v in row.items() if k.startswith("knob.")} == result.plan.space.knobs(
            record.trial.architecture
        )
        for name, value in record.trial.metrics.items():
            assert row[name] == value


def test_the_module_predicts_what_was_recorded(result):
    task = result.plan.task
    for record in result.records:
        model = result.module(record.trial.number)
        assert not model.training
        for split in ("valid", "test"):
            (batch,) = task.batches(split)
            with torch.no_grad():
                right = model(batch.x, batch.edge_index)[batch.index].argmax(-1) == batch.y
            assert right.float().mean().item() == pytest.approx(record.trial.metrics[f"{split}_accuracy"])


def test_weights_that_are_gone_are_trained_again_and_equal(result):
    before = result.weights(result.best)
    file = result._folder.weights(result.best.number)
    content = file.read_bytes()
    file.unlink()
    again = result.weights(result.best)
    assert all(torch.equal(again[name], before[name]) for name in before)
    assert file.read_bytes() == content
    reopened = nas.open_run("run", data=graph(), space=Toy)
    dropped = next(r.trial for r in result.records if not kept(result, r.trial.number))
    assert set(reopened.weights(dropped)) == set(result.module(dropped.number).state_dict())


def test_damaged_weights(result):
    file = result._folder.weights(result.best.number)
    file.write_bytes(b"nonsense")
    with pytest.raises(RunError, match=r"the weights .* are damaged .*; delete the file to train them again"):
        result.module()


def test_no_room_for_weights_that_are_trained_again(result, monkeypatch):
    def refuse(state: dict) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    result._folder.weights(result.best.number).unlink()
    monkeypatch.setattr(evaluating, "save", refuse)
    with pytest.raises(RunError, match=r"the weights .* cannot be written: No space left on device"):
        result.module()


def test_failed_trials_have_no_weights():
    result = search(space=Messy, controller="grid", trials=12)
    failed = next(r.trial for r in result.records if r.trial.values is None)
    with pytest.raises(BadInput, match=rf"trial {failed.number} failed \(two is bad\) and has no weights"):
        result.module(failed.number)


def test_how_it_prints(result):
    assert repr(result) == f"Result('run', 6 trials, best {result.best.values})"


def test_a_report_and_an_export(result, tmp_path):
    assert result.report().is_file()
    assert result.report(tmp_path / "r.html").read_text().startswith("<!")
    assert "model.py" in [file.name for file in result.export(tmp_path / "out")]


@pytest.mark.parametrize("cost", [None, "bytes", "params"])
@pytest.mark.parametrize("within", [0.0, 0.02, 0.1, 1.0])
def test_the_smallest_that_still_works(result, within, cost):
    found, name = result.smallest(within, cost), cost or "bytes"
    good = [r.trial for r in result.records if r.trial.values[0] >= result.best.values[0] - within - 1e-6]
    assert found in good
    assert found.metrics[name] == min(trial.metrics[name] for trial in good)
    assert found.values[0] == max(t.values[0] for t in good if t.metrics[name] == found.metrics[name])


def test_the_smallest_by_the_objective_that_is_a_cost():
    result = search(trials=6, objectives=("accuracy", "-params"))
    assert result.smallest(0.1) == result.smallest(0.1, "params")


def test_the_smallest_by_the_means_of_trainings_where_there_are_any():
    result = search(trials=4, confirm=3)
    means = {c.representative.trial.number: c.mean for c in result.confirmed}
    assert len(means) == 3
    found = result.smallest(1.0)
    assert found.metrics["bytes"] == min(result.trial(number).metrics["bytes"] for number in means)
    gap = max(means.values()) - means[found.number]
    if gap > 1e-3:
        assert means[result.smallest(gap / 2).number] >= max(means.values()) - gap / 2 - 1e-6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((-0.1,), "within is a number from 0 on, in units of the objective .*; got -0.1"),
        ((float("nan"),), "within is a number from 0 on.*; got nan"),
        ((0.1, "bits"), "unknown cost 'bits'"),
    ],
)
def test_the_smallest_of_nothing(result, given, message):
    with pytest.raises(BadInput, match=message):
        result.smallest(*given)


def test_a_cost_that_was_not_measured():
    with pytest.raises(BadInput, match="the trials of this run have no bytes; name another cost, such as params"):
        cheapest([(Trial(0, None, (0.5,), {"params": 4.0}), 0.5)], 0.1, "bytes")
