"""What can be made of the trials."""

from __future__ import annotations

import errno
from typing import Any

import pandas as pd
import pytest
import torch

import nas
from nas.evaluation import evaluate as evaluating
from nas.searchspace.errors import BadInput, RunError
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
