"""Networks that are trained with all bits and rounded then."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nas.data import load
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job, Outcome, Rung
from nas.evaluation.packing import file_size, stored
from nas.evaluation.post_training.remembered import Remembered
from nas.evaluation.seeds import refusal
from nas.evaluation.train import outputs, train
from nas.export.predict import load_model
from nas.metrics import resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.formats import quantised
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import module, source
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from nas.settings import Settings
from tests.controllers.supernet.worlds import kinds
from tests.nas.toys import graph, search

evaluate_module = sys.modules[evaluate.__module__]
KINDS = kinds()
NAMES = ["lpgnas", *(f"quantised:{name}" for name in SPACES.names() if name != "lpgnas")]
RECIPE = Recipe(epochs=4)


def job_of(architecture: Any, task: Task, **more: Any) -> Job:
    whole, low = source(architecture, task, whole=True), source(architecture, task)
    return Job(whole, RECIPE, 3, (task.metric,), rounded=low, **more)


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_measured_is_the_network_with_few_bits(name: str, kind: str, tmp_path: Path) -> None:
    """Its metrics, its size, and its weights, which rounding does not change any more."""
    task = KINDS[kind]
    space = find(name).for_task(task)
    a = space.sample(random.Random(5))
    outcome = evaluate(job_of(a, task, weights=str(tmp_path / "weights")), task)
    assert outcome.reason is None
    low = module(a, task)
    low.load_state_dict(load_file(tmp_path / "weights"))
    assert outcome.metrics["bytes"] == file_size(stored(low))
    metric = resolve_metric(task.metric, task.target)
    for split in ("valid", "test"):
        found = metric(*outputs(low, task, split))
        assert outcome.metrics[f"{split}_{metric.name}"] == pytest.approx(found, abs=1e-4, nan_ok=True)


def test_the_curve_is_that_of_the_training() -> None:
    task = KINDS["nodes"] if "nodes" in KINDS else next(t for t in KINDS.values() if t.level == "node")
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    whole = evaluate(Job(source(a, task, whole=True), RECIPE, 3, (task.metric,)), task)
    post = evaluate(job_of(a, task), task)
    assert post.curve == whole.curve
    assert post.metrics["epochs"] == whole.metrics["epochs"]
    assert post.metrics["bytes"] < whole.metrics["bytes"]
    assert without_clock(post) == without_clock(evaluate(job_of(a, task), task))


def test_with_many_bits_it_is_what_was_trained() -> None:
    task = next(t for t in KINDS.values() if t.level == "node")
    weights, others = dict.fromkeys(("weights", "messages"), ("int16",)), ("affine16",)
    many: dict[str, Any] = {**weights, "activations": others, "attention": others}
    space = Space(quantised(find("agnn").of, **many)).for_task(task)
    a = space.sample(random.Random(2))
    whole, post = (
        evaluate(Job(source(a, task, whole=True), RECIPE, 3, ("accuracy",)), task),
        evaluate(job_of(a, task), task),
    )
    assert post.metrics["valid_loss"] == pytest.approx(whole.metrics["valid_loss"], rel=1e-2)


def test_passing_over_formats() -> None:
    """It is the source of the space without them."""
    task = next(t for t in KINDS.values() if t.level == "node")
    plain = find("agnn").for_task(task)
    a = plain.sample(random.Random(0))
    low = find("quantised:agnn").for_task(task)
    formats = {path: domain.sample(random.Random(1)) for path, domain in low.every_knob().items() if "formats" in path}
    made = low.from_knobs(plain.knobs(a) | formats)
    assert source(made, task, whole=True) == source(a, task) != source(made, task)


def test_seeds_are_rounded_each() -> None:
    task = next(t for t in KINDS.values() if t.level == "node")
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    assert refusal(job_of(a, task), 3, task) == "each is rounded when it is trained"


@pytest.mark.parametrize("batches", ["random", "full"])
def test_a_search_and_what_is_exported(batches: str, tmp_path: Path) -> None:
    result = search(space="lpgnas", trials=3, epochs=3, quantisation="post", batches=batches)
    best, task = result.best, result.plan.task
    result.export(tmp_path / "out")
    assert (tmp_path / "out" / "weights.safetensors").stat().st_size == best.metrics["bytes"]
    (batch,) = task.batches("valid")
    with torch.no_grad():
        right = load_model(tmp_path / "out")(batch.x, batch.edge_index)[batch.index].argmax(-1) == batch.y
    if batches == "full":
        assert right.float().mean().item() == pytest.approx(best.metrics["valid_accuracy"])


def test_a_proxy_scores_the_network_with_few_bits() -> None:
    result = search(space="lpgnas", trials=2, quantisation="post", evaluator="proxy:synflow", keep=0)
    aware = search(name="aware", space="lpgnas", trials=2, evaluator="proxy:synflow", keep=0)
    assert [r.trial.values for r in result.records] == [r.trial.values for r in aware.records]


def test_nothing_to_be_rounded_to() -> None:
    with pytest.raises(BadInput, match="the space agnn has none; search quantised:agnn, or leave it out and round"):
        search(space="agnn", trials=1, quantisation="post")


def test_shared_weights_are_handed_on() -> None:
    with pytest.raises(BadInput, match="quantisation post rounds networks that were trained to their end"):
        Settings(quantisation="post", evaluator="shared")


# formats alone need no other training


def node_task() -> Task:
    return next(t for t in KINDS.values() if t.level == "node")


def with_weights(a: Any, space: Space[Any], weights: str) -> Any:
    return space.from_knobs(space.knobs(a) | {f"blocks.{k}.formats.weights": weights for k in range(2)})


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a network is trained."""
    times: list[int] = []

    def counted(*given: Any, **named: Any) -> Any:
        times.append(1)
        return train(*given, **named)

    monkeypatch.setattr(evaluate_module, "train", counted)
    monkeypatch.setattr(evaluate_module, "trainings", Remembered())
    return times


def without_clock(outcome: Outcome) -> dict[str, float]:
    return {k: v for k, v in outcome.metrics.items() if k not in ("seconds", "latency")}


def test_other_formats_are_those_of_the_same_training(monkeypatch: pytest.MonkeyPatch) -> None:
    task, times = node_task(), counting(monkeypatch)
    space = find("lpgnas").for_task(task)
    a = space.sample(random.Random(1))
    each = [job_of(with_weights(a, space, w), task) for w in ("binary", "int4", "int8", "binary")]
    found = [evaluate(job, task) for job in each]
    assert len(times) == 1
    assert without_clock(found[0]) == without_clock(found[3])
    assert found[0].metrics["bytes"] < found[1].metrics["bytes"] < found[2].metrics["bytes"]
    for job, outcome in zip(each, found, strict=True):
        monkeypatch.setattr(evaluate_module, "trainings", Remembered())
        fresh = evaluate(job, task)
        assert without_clock(fresh) == without_clock(outcome)
        assert fresh.curve == outcome.curve


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"recipe": Recipe(epochs=3)}, {"class_weights": True}, {"validate_every": 2}], ids=str
)
def test_another_training_is_another(other: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    task, times = node_task(), counting(monkeypatch)
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    evaluate(job_of(a, task), task)
    evaluate(replace(job_of(a, task), **other), task)
    assert len(times) == 2
    evaluate(job_of(a, task), load(graph(20)))
    assert len(times) == 3


def test_rungs_stop_what_is_remembered_as_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would have gone on is not trained again; what would have been stopped is, and is stopped."""
    task, times = node_task(), counting(monkeypatch)
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    job = job_of(a, task, rungs=(Rung(2, -1.0),))
    assert not evaluate(job, task).stopped
    assert not evaluate(replace(job, rungs=(Rung(2, 0.0),)), task).stopped
    assert len(times) == 1
    stopped = evaluate(replace(job, rungs=(Rung(2, 1.1),)), task)
    assert (stopped.stopped, len(times)) == (True, 2)
    assert stopped.curve[-1][0] == 2
    assert not evaluate(job, task).stopped  # nothing was put in its place
    assert len(times) == 2


def test_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    task, times = node_task(), counting(monkeypatch)
    monkeypatch.setattr(evaluate_module, "trainings", Remembered(most=0))
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    assert without_clock(evaluate(job_of(a, task), task)) == without_clock(evaluate(job_of(a, task), task))
    assert len(times) == 2


def test_what_was_not_rounded_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    task, times = node_task(), counting(monkeypatch)
    a = find("lpgnas").for_task(task).sample(random.Random(1))
    job = Job(source(a, task), RECIPE, 3, (task.metric,))
    evaluate(job, task)
    evaluate(job, task)
    assert len(times) == 2
