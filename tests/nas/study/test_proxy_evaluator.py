"""A search that trains nothing: trials are scores of untrained networks, and the best are trained in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import nas
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.proxies import scores
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study.finals import finalists
from nas.study.objectives import Objective
from nas.study.plan import make_plan, open_store
from nas.study.records import front, ranked, searched
from nas.training import job as whole_job
from nas.zerocost.base import NotScored
from nas.zerocost.registry import find
from tests.nas.study.deep import Notes
from tests.nas.toys import StopAfter, Toy, graph, numbers, search
from tests.nas.toys import told as all_told

DATA = graph()
PROXY = {"evaluator": "proxy:smooth", "keep": 2}


def scored(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Toy, "trials": 6, **PROXY, **more})


def told(records: Any) -> list[Any]:
    return [(*row[:4], {k: v for k, v in row[4].items() if "seconds" not in k}, *row[5:]) for row in all_told(records)]


def test_a_trial_is_the_score_of_an_untrained_network() -> None:
    result = scored()
    trials = [r.trial for r in searched(result.records)]
    assert [r.evaluator for r in result.records] == ["proxy:smooth"] * 6 + ["train"] * 2
    prepared = prepare(result.plan.task)
    for trial in trials:
        again = scores(replace(whole_job(result.plan, trial.architecture, 0), proxies=("smooth",)), prepared)
        assert trial.values == (again["proxy_smooth"],) == (trial.metrics["proxy_smooth"],)
        assert {"params", "bytes"} <= trial.metrics.keys()
        assert not [name for name in trial.metrics if name.startswith(("valid_", "test_"))]
        assert trial.curve == ()
        assert trial.metrics["proxy_seconds_smooth"] < trial.seconds
    assert len({trial.values for trial in trials}) > 3


def test_the_best_are_trained_as_the_evaluator_train_does_and_stand_first() -> None:
    notes = Notes()
    result = scored(watcher=notes)
    assert notes.totals == [(2, 0)]
    best = sorted(searched(result.records), key=lambda r: (-r.trial.values[0], r.trial.number))[:2]
    finals = [r for r in result.records if r.from_scratch]
    assert [r.trial.architecture for r in finals] == [r.trial.architecture for r in best]
    prepared = prepare(result.plan.task)
    for record in finals:
        outcome = evaluate(whole_job(result.plan, record.trial.architecture, 0), prepared)
        made = {k: v for k, v in record.trial.metrics.items() if k in numbers(outcome)}
        assert made == pytest.approx(numbers(outcome), rel=1e-4)
    assert ranked(result.records)[:2] == sorted(finals, key=lambda r: -r.trial.values[0])
    assert result.best in [r.trial for r in finals]
    assert result.complete
    assert {file.name for file in (result.path / "weights").iterdir()} == {"6.safetensors", "7.safetensors"}
    assert list(result.trials["evaluator"]) == ["proxy:smooth"] * 6 + ["train"] * 2


def test_a_search_may_train_nothing_at_all() -> None:
    result = scored(keep=0)
    assert len(result.records) == 6
    assert result.complete
    assert finalists(result.records, 0) == []
    assert not (result.path / "weights").exists()
    best = max(r.trial.values[0] for r in result.records)
    assert result.best.values == (best,)
    model = result.module()  # trained when it is asked for
    whole = evaluate(whole_job(result.plan, result.best.architecture, 0), result.plan.task)
    assert whole.reason is None
    assert sum(p.numel() for p in model.parameters()) == result.best.metrics["params"]
    both = scored("both", keep=0, objectives=("accuracy", "-params"))
    assert all(not r.from_scratch for r in both.records)
    assert both.pareto


@pytest.mark.each_once
@pytest.mark.parametrize("stop", [1, 4, 6, 7])
@pytest.mark.parametrize("more", [{}, {"screen": "params", "pool": 2, "controller": "evolution"}], ids=["", "screened"])
def test_resumed_equals_uninterrupted(stop: int, more: dict[str, Any]) -> None:
    whole = scored("whole", **more)
    with pytest.raises(KeyboardInterrupt):
        scored("part", watcher=StopAfter(stop), **more)
    assert told(nas.resume("part", data=DATA, space=Toy).records) == told(whole.records)


def test_costs_are_measured_and_may_be_objectives() -> None:
    result = scored(objectives=("accuracy", "-params", "latency"), keep=1)
    for record in searched(result.records):
        measured = record.trial.metrics
        assert record.trial.values == (measured["proxy_smooth"], -measured["params"], -measured["latency"])
    trained = {r.trial.architecture for r in result.records if r.from_scratch}
    assert {r.trial.architecture for r in front(searched(result.records))} <= trained
    assert not any("latency" in r.trial.metrics for r in scored("quick", keep=0).records)


def test_a_larger_score_is_better_where_a_smaller_metric_is() -> None:
    data = graph()
    data.y = data.x.sum(1, keepdim=True)
    result = search(data, space=Toy, trials=6, evaluator="proxy:params", keep=1)
    assert result.plan.task.metric == "rmse"
    sizes = [r.trial.metrics["params"] for r in searched(result.records)]
    assert [r.trial.values for r in searched(result.records)] == [(size,) for size in sizes]
    final = result.records[-1].trial
    assert final.metrics["params"] == max(sizes)
    assert final.values == (-final.metrics["valid_rmse"],)
    reread = nas.open_run("run", data=data, space=Toy)
    assert [r.trial.values for r in reread.records] == [r.trial.values for r in result.records]


def test_a_network_without_a_score_is_a_failed_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find("params")

    def picky(module: Any, task: Any, seed: int) -> float:
        if sum(p.numel() for p in module.parameters()) < 40:
            raise NotScored("too small")
        return found.score(module, task, seed)

    monkeypatch.setattr("nas.evaluation.proxies.find", lambda name: replace(found, score=picky))
    result = scored(evaluator="proxy:params", trials=24, keep=1)
    failed = [r.trial for r in searched(result.records) if r.trial.values is None]
    assert {t.reason for t in failed} == {"proxy params has no score for this network"}
    assert 0 < len(failed) < 24
    assert all(t.metrics["params"] < 40 for t in failed)
    assert result.records[-1].from_scratch


def test_the_store_calls_scores_what_they_are() -> None:
    names = []
    for name, more in (("a", {}), ("b", {"evaluator": "train"}), ("c", {"objectives": ("accuracy", "-params")})):
        result = scored(name, **more)
        names.append(open_store(result.plan, result._folder).study.metric_names)
    assert names == [
        ["smooth score (of those trained: validation accuracy)"],
        ["validation accuracy"],
        ["smooth score (of those trained: validation accuracy)", "params"],
    ]
    kept = json.dumps([t.user_attrs for t in open_store(result.plan, result._folder).study.trials])
    assert '"evaluator": "proxy:smooth"' in kept


def test_two_workers_share_what_the_proxy_needs() -> None:
    result = scored(workers=2, evaluator="proxy:gradsign")
    assert [r.trial.reason for r in result.records] == [None] * 8
    alone = scored("alone", evaluator="proxy:gradsign")
    by = {r.trial.architecture: r.trial.values for r in searched(alone.records)}
    assert all(r.trial.values == pytest.approx(by[r.trial.architecture], rel=1e-3) for r in searched(result.records))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"objectives": ("accuracy", "seconds")}, "trains nothing, so no trial has seconds of training; name another cost"),
    ({"objectives": ("accuracy", "macro-f1")}, "has one score and 2 metrics are named: accuracy, macro-f1; name one"),
    ({"objectives": ("-accuracy",)}, "ranks by what it expects to be good, and -accuracy asks for bad ones"),
    ({"fidelity": "halving"}, "fidelity halving compares trainings from scratch, and with evaluator .* the search has"),
    ({"warm_up": 3}, "warm_up is a setting of shared weights and the evaluator is proxy:smooth"),
    ({"evaluator": "proxy:ntk-allignment"}, "unknown proxy 'ntk-allignment'; did you mean 'ntk-alignment'"),
    ({"evaluator": "proxy"}, "unknown evaluator 'proxy'; did you mean 'proxy:NAME'"),
    ({"evaluator": "train", "keep": 0}, "keep must be at least 1; got 0"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "why"), REFUSED)
def test_what_cannot_be_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        scored(**given)


ACCURACY, RMSE, PARAMS = Objective("accuracy", True), Objective("rmse", False), Objective("params", False)


def test_what_stands_for_an_objective() -> None:
    score = Objective("gradsign", True, scored=True)
    for evaluator in ("train", "shared"):
        assert [o.by(evaluator) for o in (ACCURACY, RMSE, PARAMS)] == [ACCURACY, RMSE, PARAMS]
    assert [o.by("proxy:gradsign") for o in (ACCURACY, RMSE, PARAMS)] == [score, score, PARAMS]
    assert (score.key, score.label, score.value(3.0)) == ("proxy_gradsign", "gradsign score", 3.0)
    assert Objective("params", True, scored=True).key == "proxy_params"  # a proxy may be called like a cost


def test_the_plan_is_that_of_any_search(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(device="cpu", evaluator="proxy:gradsign", workers=2)
    plan = make_plan(settings, data=DATA, space=Toy)
    asked: list[Any] = []
    ready: Callable[..., None] = lambda task, sources, proxies: asked.append((len(sources), proxies))  # noqa: E731
    monkeypatch.setattr("nas.study.executing.ready", ready)
    plan.executor()
    assert asked == [(2, ["gradsign"])]
    make_plan(Settings(device="cpu", workers=2), data=DATA, space=Toy).executor()
    assert len(asked) == 1
