"""A screen around the controller of a whole search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from scipy.stats import rankdata

import nas
from nas.controllers import learned_ranking
from nas.controllers.base import Problem
from nas.controllers.random_search import RandomSearch
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.proxies import scores
from nas.predictors.elsewhere import prior
from nas.report.page import render
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study import screening
from nas.study.folder import runs_root
from nas.study.plan import make_plan
from nas.study.records import searched
from nas.training import job as whole_job
from nas.zerocost.registry import PROXIES
from tests.combinations import mostly_slow
from tests.nas.toys import Messy, StopAfter, Toy, Wide, graph, graphs, numbers, search

DATA = graph()
SCREEN = {"screen": "ntk-alignment,params", "pool": 3}


def screened(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Wide, "trials": 7, **SCREEN, **more})


def resumed(name: str, **more: Any) -> Any:
    return nas.resume(name, data=DATA, **{"space": Wide, **more})


def told(records: Sequence[Any]) -> list[Any]:
    """Everything of the trials that must not depend on the clock."""
    rows = []
    for record in records:
        trial = record.trial
        measured = {k: v for k, v in trial.metrics.items() if "seconds" not in k and k != "latency"}
        rows.append((trial.number, trial.architecture, trial.values, trial.reason, measured, record.repeats))
    return rows


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned ranking concludes after a few trials, and something can be learned from them."""
    monkeypatch.setattr(learned_ranking, "LEAST", 6)
    monkeypatch.setattr("nas.predictors.forest.Forest.__init__.__defaults__", (20, 0, 1))
    monkeypatch.setattr("nas.predictors.agreement.lower_end", lambda correlation, _: correlation)
    monkeypatch.setattr(screening, "CHEAP", ("params", "ntk-alignment"))


QUICK = {"evolution": {"population": 3, "sample": 2}, "local-search": {"starts": 2}, "tpe": {"startup": 3}}


CONTROLLERS = ["random", "evolution", "tpe", "local-search", "nsga2", "agnn"]


@pytest.mark.parametrize("controller", mostly_slow(CONTROLLERS, CONTROLLERS[:3]))
def test_resumed_equals_uninterrupted(controller: str) -> None:
    more = {"controller": controller, "controller_options": QUICK.get(controller, {})}
    whole = screened("whole", **more)
    for stop in (1, 5):
        with pytest.raises(KeyboardInterrupt):
            screened(f"part-{stop}", watcher=StopAfter(stop), **more)
        assert told(resumed(f"part-{stop}").records) == told(whole.records)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("controller", mostly_slow(CONTROLLERS[:3], ["evolution"]))
def test_a_learned_screen_goes_on_as_it_would_have(controller: str) -> None:
    more = {"controller": controller, "controller_options": QUICK.get(controller, {}), "screen": "auto", "trials": 11}
    more |= {"objectives": ("-params",)}  # which can be learned
    whole = screened("whole", **more)
    chosen = [r.trial.number for r in whole.records if "screened" in r.trial.metrics]
    assert chosen == list(range(6, 11))
    assert all("proxy_params" in r.trial.metrics for r in whole.records)
    for stop in (3, 6, 8):
        with pytest.raises(KeyboardInterrupt):
            screened(f"part-{stop}", watcher=StopAfter(stop), **more)
        assert told(resumed(f"part-{stop}").records) == told(whole.records)


@pytest.mark.usefixtures("soon")
def test_until_it_has_evidence_a_learned_screen_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.predictors.agreement.lower_end", lambda correlation, _: -1.0)
    with_screen, plain = screened("auto", screen="auto", trials=8), screened("plain", screen=None, pool=None, trials=8)
    for a, b in zip(with_screen.records, plain.records, strict=True):
        assert (a.trial.architecture, a.trial.values, a.repeats) == (b.trial.architecture, b.trial.values, b.repeats)
        assert "screened" not in a.trial.metrics


def test_each_trial_is_the_best_of_its_pool_and_says_so() -> None:
    result = screened(screen="params", pool=4)
    plain = RandomSearch(Problem(result.plan.space, 0))
    known = set()
    for record in result.records:
        pool = list(dict.fromkeys(plain.ask(4)))
        fresh = [a for a in pool if result.plan.space.canonical(a) not in known]
        trial = record.trial
        assert trial.metrics["screened"] == len(fresh)
        assert trial.metrics["screening_seconds"] >= trial.metrics["proxy_seconds_params"] > 0
        assert trial.metrics["proxy_params"] == trial.metrics["params"] == max(map(params_of, fresh))
        known.add(result.plan.space.canonical(trial.architecture))


def params_of(architecture: Any) -> float:
    from nas.searchspace.source import module
    from nas.searchspace.task import Task

    task: Task = make_plan(Settings(device="cpu"), data=DATA, space=Wide).task
    return float(sum(p.numel() for p in module(architecture, task).parameters()))


def test_scores_are_those_of_the_proxies_and_leave_the_trainings_alone() -> None:
    result = screened(trials=3, screen="ntk-krr,short:1")
    task = prepare(result.plan.task)
    for record in result.records:
        job = whole_job(result.plan, record.trial.architecture, 0)
        trained = numbers(evaluate(job, result.plan.task))
        made = record.trial.metrics
        assert {k: made[k] for k in trained} == pytest.approx(trained, rel=1e-4)
        again = scores(replace(job, proxies=("ntk-krr", "short:1")), task)
        assert again
        assert all(made[k] == value for k, value in again.items() if "seconds" not in k)
        assert record.trial.seconds == made["seconds"]  # of the training


def test_the_task_is_prepared_once_and_each_network_is_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, asked = [], []

    def prepare_once(task: Any) -> Any:
        prepared.append(task)
        return prepare(task)

    def scores_once(job: Any, task: Any) -> Any:
        asked.append(job.source)
        return scores(job, task)

    monkeypatch.setattr(screening, "prepare", prepare_once)
    monkeypatch.setattr(screening, "scores", scores_once)
    screened(space=Toy, controller="evolution", controller_options=QUICK["evolution"], trials=20)
    assert len(prepared) == 1
    assert len(set(asked)) == len(asked)


def test_networks_that_cannot_be_built_come_last_and_end_nothing() -> None:
    result = search(DATA, space=Messy, trials=20, screen="params", pool=3)
    assert len(result.records) == 10
    failed = [r.trial for r in result.records if r.trial.values is None]
    assert len(failed) == 4
    assert not any("proxy_params" in t.metrics for t in failed)
    assert min(t.number for t in failed) > 0
    assert all(t.metrics["screened"] >= 1 for t in failed if "screened" in t.metrics)


def test_a_score_that_raises_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Any, task: Any) -> Any:
        raise SystemExit("good bye")

    monkeypatch.setattr(screening, "scores", broken)
    result = screened(trials=3)
    assert [r.trial.reason for r in result.records] == [None] * 3
    assert all(r.trial.metrics["screened"] == 3 for r in result.records)
    assert not any("proxy_params" in r.trial.metrics for r in result.records)


def test_a_whole_space_is_searched() -> None:
    result = screened(space=Toy, trials=100, screen="params", pool=8)
    assert len(result.records) == 24
    assert not result.complete


@pytest.mark.usefixtures("two_at_a_time")
def test_two_workers() -> None:
    result = screened(workers=2, controller="tpe", trials=6)
    assert len({result.plan.space.canonical(r.trial.architecture) for r in result.records}) == 6
    assert all({"screened", "proxy_params"} <= r.trial.metrics.keys() for r in result.records)


def test_with_shared_weights_the_last_trainings_know_nothing_of_the_screen() -> None:
    result = screened(evaluator="shared", warm_up=1, keep=2)
    assert [("screened" in r.trial.metrics) for r in result.records] == [True] * 7 + [False] * 2
    assert len(searched(result.records)) == 7


def test_what_cannot_be_screened_is_refused_before_any_work() -> None:
    with pytest.raises(BadInput, match="grid proposes every architecture once"):
        search(DATA, space=Toy, controller="grid", screen="params")
    with pytest.raises(BadInput, match="screen auto learns one objective and the study has 2; name one of them, or"):
        search(DATA, space=Toy, screen="auto", objectives=("accuracy", "-params"))
    assert not runs_root().exists()
    both = search(DATA, space=Toy, screen="params", objectives=("accuracy", "-params"), trials=2)
    assert both.records[0].trial.metrics["screened"] > 1


def test_what_auto_learns_from_exists() -> None:
    assert set(screening.CHEAP) <= set(PROXIES.names())


def test_a_source_for_each_distance_that_networks_hear() -> None:
    plan = make_plan(Settings(device="cpu"), data=DATA, space=Toy)
    assert len(screening.some_sources(plan.space, plan.task)) == 2  # fc hears nothing
    assert screening.some_sources(plan.space, plan.task) == screening.some_sources(plan.space, plan.task)


def test_auto_leaves_the_kernel_out_where_it_would_take_longer_than_it_can_save(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan(Settings(device="cpu"), data=DATA, space=Wide)
    assert screening.cheap(plan.space, plan.task, pool=8) == screening.CHEAP
    monkeypatch.setattr(screening, "SMALL", 1)
    assert screening.cheap(plan.space, plan.task, pool=10**4) == tuple(
        name for name in screening.CHEAP if name != screening.KERNEL
    )


def test_of_a_space_that_is_known_from_other_data_sets_the_first_trial_is_chosen_too() -> None:
    result = screened(space="design", screen="auto", pool=4, trials=3, epochs=2)
    assert [r.trial.metrics["screened"] for r in result.records] == [4, 4, 4]
    assert not [name for r in result.records for name in r.trial.metrics if name.startswith("proxy_")]
    by_prior = screened("prior", space="design", screen="prior", pool=4, trials=1, epochs=2)
    plain = RandomSearch(Problem(result.plan.space, 0))
    expected = prior(result.plan.space.of, result.plan.task)
    assert expected is not None
    best = max(plain.ask(4), key=expected)
    assert by_prior.records[0].trial.architecture == best
    assert by_prior.records[0].trial.metrics["proxy_prior"] == pytest.approx(expected(best))


def test_prior_counts_twice_where_ranks_are_added() -> None:
    result = screened(space="design", screen="prior,params", pool=6, trials=1, epochs=1)
    expected = prior(result.plan.space.of, result.plan.task)
    assert expected is not None
    pool = RandomSearch(Problem(result.plan.space, 0)).ask(6)
    ranked = nas.rank(DATA, space="design", proxies=["prior", "params"], architectures=pool)
    assert [row.score("prior") for row in ranked.rows] == pytest.approx([expected(a) for a in ranked.architectures])
    ranks = {name: rankdata([-row.score(name) for row in ranked.rows]) for name in ("prior", "params")}
    assert ranked.rank_sums() == pytest.approx([2 * a + b for a, b in zip(*ranks.values(), strict=True)])
    assert result.records[0].trial.architecture == ranked.architectures[0]
    assert ranked.rank_sums() == sorted(ranked.rank_sums())
    assert "ranks by prior and params, of which those by prior count 2 times as much, of 6" in render(result.view())


def test_of_what_is_not_quality_other_data_sets_say_nothing() -> None:
    result = screened(space="design", screen="auto", pool=4, trials=2, epochs=1, objectives=("-params",))
    assert not [r for r in result.records if "screened" in r.trial.metrics]


def test_a_prior_of_a_space_of_which_nothing_is_known_is_refused() -> None:
    message = "prior is what trainings on other data sets make one expect, and there are none of Toy; it knows agnn"
    for asked in ({"screen": "prior"}, {"evaluator": "proxy:prior"}):
        with pytest.raises(BadInput, match=message):
            search(DATA, space=Toy, **asked)
    with pytest.raises(BadInput, match=message):
        nas.rank(DATA, space=Toy, proxies=["prior"], n=3)
    with pytest.raises(BadInput, match=message):
        nas.correlate(DATA, space=Toy, proxies=["prior"], n=3)
    with pytest.raises(BadInput, match="there are none with a task at graph level; it knows agnn, design at node"):
        nas.rank(graphs(), space="design", proxies=["prior"], n=3)


def test_of_other_tasks_than_those_of_nodes_nothing_is_known() -> None:
    result = search(graphs(), space="design", screen="auto", trials=1, epochs=1)
    assert "screened" not in result.records[0].trial.metrics


def test_a_search_by_the_prior_alone() -> None:
    result = search(DATA, space="design", evaluator="proxy:prior", trials=5, keep=1, epochs=2)
    expected = prior(result.plan.space.of, result.plan.task)
    assert expected is not None
    for record in searched(result.records):
        assert record.trial.values == (pytest.approx(expected(record.trial.architecture)),)
    ranking = nas.rank(DATA, space="design", proxies=["prior", "params"], n=6, device="cpu")
    for row in ranking.rows:
        assert row.score("prior") == pytest.approx(expected(row.architecture))
