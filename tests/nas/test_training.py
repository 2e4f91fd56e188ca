"""Training one architecture over seeds, with pauses."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from nas import training
from nas.evaluation.job import Outcome
from nas.searchspace.errors import BadInput, RunError
from nas.training import Summary, retrain, train_seeds
from tests.nas.toys import MEASURED, search


@pytest.fixture
def result() -> Any:
    return search(trials=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "seeds.json"


def test_mean_and_deviation(result, file):
    heard: list[tuple[int, Outcome]] = []
    summary = train_seeds(result.plan, result.best.architecture, [0, 1, 2], file, lambda *it: heard.append(it))
    assert [seed for seed, _ in heard] == [0, 1, 2]
    for name, made in summary.items():
        values = [outcome.metrics[name] for _, outcome in heard]
        assert made.values == tuple(values)
        assert made.mean == pytest.approx(sum(values) / 3)
        assert made.deviation == pytest.approx(statistics.stdev(values))
    assert len(set(summary["valid_loss"].values)) == 3


def test_the_seed_of_the_search_gives_its_trial(result, file):
    summary = train_seeds(result.plan, result.best.architecture, [0], file)
    assert {n: s.mean for n, s in summary.items() if n not in MEASURED} == {
        n: v for n, v in result.best.metrics.items() if n not in MEASURED
    }
    assert math.isnan(summary["valid_loss"].deviation)


def test_finished_seeds_are_not_trained_again(result, file, monkeypatch):
    trained: list[int] = []
    real = training.evaluate

    def spy(job: Any, task: Any) -> Outcome:
        trained.append(job.seed)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(job, task)

    monkeypatch.setattr(training, "evaluate", spy)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(result.plan, result.best.architecture, range(4), file)
    first = train_seeds(result.plan, result.best.architecture, range(4), file)
    assert trained == [0, 1, 2, 2, 3]
    assert train_seeds(result.plan, result.best.architecture, range(4), file) == first
    assert trained == [0, 1, 2, 2, 3]
    assert list(json.loads(file.read_text())) == ["0", "1", "2", "3"]
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"0": 5}', "\x00"])
def test_a_damaged_file(result, file, text):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(RunError, match=r"seeds\.json is damaged .*; delete it to train again"):
        train_seeds(result.plan, result.best.architecture, [0], file)


def test_a_file_that_cannot_be_written(result, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot be written: (Not a directory|File exists)"):
        train_seeds(result.plan, result.best.architecture, [0], tmp_path / "file" / "seeds.json")


def test_a_seed_that_fails(result, file, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda job, task: Outcome(reason="out of memory"))
    with pytest.raises(RunError, match="the training with seed 7 failed: out of memory"):
        train_seeds(result.plan, result.best.architecture, [7], file)
    with pytest.raises(RunError, match="the training failed: out of memory"):
        retrain(result.plan, result.best.architecture, 7, file)


def test_no_seed(result, file):
    with pytest.raises(BadInput, match="give at least one seed"):
        train_seeds(result.plan, result.best.architecture, [], file)


def test_summary():
    made = Summary.of([1.0, 2.0, 6.0])
    assert (made.mean, made.values) == (3.0, (1.0, 2.0, 6.0))
    assert made.deviation == pytest.approx(math.sqrt(7))
    undefined = Summary.of([math.nan, 1.0])
    assert math.isnan(undefined.mean)
    assert math.isnan(undefined.deviation)
