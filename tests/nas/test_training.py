"""Training one architecture over seeds, with pauses."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from typing import Any

import pytest

from nas import training
from nas.evaluation import seeds as way_of
from nas.evaluation.job import Outcome
from nas.searchspace.errors import BadInput, RunError
from nas.study.summary import Summary
from nas.training import job, prepared, retrain, train_seeds
from tests.nas.toys import MEASURED, Toy, graph, graphs, numbers, search


@pytest.fixture
def result() -> Any:
    return search(trials=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sub" / "seeds.json"


def test_mean_and_deviation(result, file):
    heard: list[tuple[int, Outcome]] = []
    summary = train_seeds(result.plan, result.best.architecture, [0, 1, 2], file, lambda *it: heard.append(it)).summary
    assert [seed for seed, _ in heard] == [0, 1, 2]
    for name, made in summary.items():
        values = [outcome.metrics[name] for _, outcome in heard]
        assert made.values == tuple(values)
        assert made.mean == pytest.approx(sum(values) / 3)
        assert made.deviation == pytest.approx(statistics.stdev(values))
    assert len(set(summary["valid_loss"].values)) == 3


def test_the_seed_of_the_search_gives_its_trial(result, file):
    summary = train_seeds(result.plan, result.best.architecture, [0], file).summary
    assert {n: s.mean for n, s in summary.items() if n not in MEASURED} == {
        n: v for n, v in result.best.metrics.items() if n not in MEASURED
    }
    assert math.isnan(summary["valid_loss"].deviation)


def test_finished_seeds_are_not_trained_again(file, monkeypatch):
    result = search(graph(nodes=600), trials=1)  # too large to be trained as one
    trained: list[int] = []
    real = way_of.evaluate

    def spy(job: Any, task: Any) -> Outcome:
        trained.append(job.seed)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(job, task)

    monkeypatch.setattr(way_of, "evaluate", spy)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(result.plan, result.best.architecture, range(4), file)
    first = train_seeds(result.plan, result.best.architecture, range(4), file)
    assert trained == [0, 1, 2, 2, 3]
    assert train_seeds(result.plan, result.best.architecture, range(4), file) == first
    assert trained == [0, 1, 2, 2, 3]
    assert list(json.loads(file.read_text())) == ["0", "1", "2", "3"]
    assert [f.name for f in file.parent.iterdir()] == [file.name]


def test_small_graphs_are_trained_as_one_and_added_to(result, file, monkeypatch):
    asked: list[list[int]] = []
    real = way_of.train_stacked

    def spy(source: str, task: Any, recipe: Any, metrics: Any, seeds: Any, **more: Any) -> Any:
        asked.append(list(seeds))
        return real(source, task, recipe, metrics, seeds, **more)

    monkeypatch.setattr(way_of, "train_stacked", spy)
    first = train_seeds(result.plan, result.best.architecture, range(3), file)
    assert first.way == "3 seeds in one batched training"
    assert json.loads(file.read_text())["2"]["way"] == first.way
    again = train_seeds(result.plan, result.best.architecture, range(3), file)
    assert again == first
    more = train_seeds(result.plan, result.best.architecture, range(5), file)
    assert more.way == "3 seeds in one batched training, 2 seeds in one batched training"
    assert more.summary["valid_loss"].values[:3] == first.summary["valid_loss"].values
    last = train_seeds(result.plan, result.best.architecture, range(6), file)
    assert last.way == f"{more.way}, one after the other (there is one seed)"
    assert asked == [[0, 1, 2], [3, 4]]


def test_each_way_gives_the_same_without_dropout(result, tmp_path, monkeypatch):
    architecture = Toy(conv="sage", hidden=4, dropout=0.0)
    stacked = train_seeds(result.plan, architecture, range(3), tmp_path / "stacked.json")
    monkeypatch.setitem(way_of.LARGEST, "cpu", 0)
    alone = train_seeds(result.plan, architecture, range(3), tmp_path / "alone.json")
    assert alone.way == "one after the other (faster on this device for a graph of this size)"
    assert stacked.summary.keys() == alone.summary.keys()
    for name in alone.summary.keys() - set(MEASURED):
        assert stacked.summary[name].values == pytest.approx(alone.summary[name].values, rel=1e-5)


def test_graph_level_seeds_are_trained_one_after_the_other(file):
    result = search(graphs(), trials=1)
    trained = train_seeds(result.plan, result.best.architecture, range(2), file)
    assert trained.way == ("one after the other (each seed shuffles the batches of a graph-level task in its own way)")


def test_what_cannot_be_trained_as_one_is_trained_one_after_the_other(result, file, monkeypatch):
    def cannot(*given: Any, **more: Any) -> Any:
        raise RuntimeError("vmap: It looks like you're calling .item()")

    monkeypatch.setattr(way_of, "train_stacked", cannot)
    trained = train_seeds(result.plan, result.best.architecture, range(2), file)
    why = "together they failed: RuntimeError: vmap: It looks like you're calling .item()"
    assert trained.way == f"one after the other ({why})"
    assert [numbers(Outcome(row)) for row in _rows(file)] == [
        numbers(way_of.evaluate(job(result.plan, result.best.architecture, seed), prepared(result.plan)))
        for seed in range(2)
    ]


def test_seeds_that_did_not_fail_are_kept(result, file, monkeypatch):
    real = way_of.evaluate_stacked

    def one_fails(job: Any, seeds: Any, task: Any) -> Any:
        outcomes = real(job, seeds, task)
        return [Outcome(reason="not a number"), *outcomes[1:]]

    monkeypatch.setattr(way_of, "evaluate_stacked", one_fails)
    with pytest.raises(RunError, match="the training with seed 0 failed: not a number"):
        train_seeds(result.plan, result.best.architecture, range(3), file)
    assert list(json.loads(file.read_text())) == ["1", "2"]


def test_a_file_without_ways_was_written_one_after_the_other(result, file):
    file.parent.mkdir()
    file.write_text('{"0": {"valid_loss": 1.0}, "1": {"valid_loss": 2.0}}')
    trained = train_seeds(result.plan, result.best.architecture, range(2), file)
    assert (trained.way, trained.summary["valid_loss"].mean) == ("one after the other", 1.5)


def _rows(file: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "way"} for row in json.loads(file.read_text()).values()]


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
    for module in (way_of, training):
        monkeypatch.setattr(module, "evaluate", lambda job, task: Outcome(reason="out of memory"))
    with pytest.raises(RunError, match="the training with seed 7 failed: out of memory"):
        train_seeds(result.plan, result.best.architecture, [7], file)
    with pytest.raises(RunError, match="the training failed: out of memory"):
        retrain(result.plan, result.best.architecture, 7, file, None)


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
