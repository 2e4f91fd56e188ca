"""Bayesian optimisation in a whole search, with scores of untrained networks as evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import nas
from nas.cli.main import run
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.proxies import scores
from nas.searchspace.errors import BadInput
from nas.study import screening
from nas.study.folder import runs_root
from nas.training import job as whole_job
from tests.combinations import mostly_slow
from tests.nas.toys import Messy, StopAfter, Toy, graph, graphs, search
from tests.nas.toys import told as all_told

DATA = graph()
SCORES = {"scores": "synflow", "startup": 3, "shortlist": 3}


def found(name: str = "run", **more: Any) -> Any:
    options = SCORES | more.pop("options", {})
    return search(DATA, name, **{"controller": "bo", "controller_options": options, "trials": 6, "epochs": 2, **more})


def told(records: Any) -> list[Any]:
    return [(*row[:4], {k: v for k, v in row[4].items() if "seconds" not in k}, *row[5:]) for row in all_told(records)]


def test_every_trial_keeps_the_score_of_its_network() -> None:
    result = found()
    assert len(result.records) == 6
    task = prepare(result.plan.task)
    for record in result.records:
        metrics = record.trial.metrics
        job = replace(whole_job(result.plan, record.trial.architecture, 0), proxies=("synflow",))
        assert metrics["proxy_synflow"] == scores(job, task)["proxy_synflow"]
        assert metrics["proxy_seconds_synflow"] > 0
        assert metrics["valid_accuracy"] == record.trial.values[0]


OPTIONS: list[dict[str, Any]] = [{"scores": "synflow, params"}, {}, {"predictor": "forest"}, {"scores": ""}]


@pytest.mark.parametrize("options", mostly_slow(OPTIONS, OPTIONS[:1]))
def test_resumed_equals_uninterrupted(options: dict[str, Any]) -> None:
    whole = found("whole", options=options)
    found("less", options=options, trials=4)
    assert told(nas.resume("less", data=DATA, space=Toy, trials=6).records) == told(whole.records)
    with pytest.raises(KeyboardInterrupt):
        found("cut", options=options, watcher=StopAfter(2))
    assert told(nas.resume("cut", data=DATA, space=Toy).records) == told(whole.records)


def test_the_shortlist_and_what_is_known_are_scored_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(job: Any, task: Any) -> Any:
        asked.append(job.source)
        return scores(job, task)

    monkeypatch.setattr(screening, "scores", counted)
    found()
    assert len(asked) == len(set(asked)) <= 6 + 3 * 2  # two new ones on each of three shortlists beside what is tried


def test_two_objectives() -> None:
    result = found(objectives=("accuracy", "-params"), trials=8)
    assert len({r.trial.architecture for r in result.records}) == 8
    assert all(
        r.trial.values == (r.trial.metrics["valid_accuracy"], -r.trial.metrics["params"]) for r in result.records
    )
    assert all("proxy_synflow" in r.trial.metrics for r in result.records)
    assert result.pareto


@pytest.mark.usefixtures("two_at_a_time")
@pytest.mark.parametrize("objectives", [(), ("accuracy", "-params")])
def test_two_workers(objectives: tuple[str, ...]) -> None:
    result = found(workers=2, objectives=objectives)
    assert len({result.plan.space.canonical(r.trial.architecture) for r in result.records}) == 6
    assert all("proxy_synflow" in r.trial.metrics for r in result.records)


def test_a_whole_space_is_searched_and_networks_that_cannot_be_built_end_nothing() -> None:
    result = found(space=Messy, trials=20)
    assert len(result.records) == 10
    failed = [r.trial for r in result.records if r.trial.values is None]
    assert len(failed) == 4
    assert not any("proxy_synflow" in t.metrics for t in failed)


def test_with_a_screen_a_trial_keeps_the_scores_of_both() -> None:
    result = found(screen="params", pool=3)
    assert all({"proxy_synflow", "proxy_params"} <= r.trial.metrics.keys() for r in result.records)
    found("less", screen="params", pool=3, trials=4)
    resumed = nas.resume("less", data=DATA, space=Toy, trials=6)
    assert [r.trial.architecture for r in resumed.records] == [r.trial.architecture for r in result.records]


def test_scores_of_networks_for_graphs() -> None:
    result = search(graphs(), controller="bo", controller_options=SCORES, trials=5, epochs=1)
    assert all("proxy_synflow" in r.trial.metrics for r in result.records)


def test_the_final_trainings_with_shared_weights_know_nothing_of_scores() -> None:
    result = found(evaluator="shared", warm_up=1, keep=2)
    assert [("proxy_synflow" in r.trial.metrics) for r in result.records] == [True] * 6 + [False] * 2


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"scores": "synflo"}, "unknown proxy 'synflo'; did you mean 'synflow'"),
    ({"scores": "synflow,nothing"}, "unknown proxy 'nothing'"),
    ({"scores": "synflow,"}, "unknown proxy ''"),
    ({"scores": "synflow,synflow"}, "scores names a proxy twice: synflow,synflow"),
    ({"scores": 3}, "the option 'scores' of a controller must be text; got 3"),
    ({"scores": True}, "the option 'scores' of a controller must be text; got True"),
    ({"prior": 3}, "the option 'prior' of a controller must be text; got 3"),
    ({"shortlist": 1}, "'shortlist' of a controller must be a whole number, 2 or more; got 1"),
    ({"score": "synflow"}, "the controller bo has no option 'score'; it has"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_bad_options_are_refused_before_any_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        found(options=options)
    assert not runs_root().exists()


def test_a_table_has_no_networks_to_score(tmp_path: Any) -> None:
    from tests.nas.evaluation.tables.toy import write

    file = str(write(tmp_path / "toy.npz"))
    with pytest.raises(BadInput, match="scores synflow are those of networks on a graph, and here is none: a table"):
        nas.search("toy", table=file, controller="bo", controller_options=SCORES, trials=3)


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set that needs no download is a graph of some dozen nodes."""
    real = nas.study.plan.load
    monkeypatch.setattr("nas.study.plan.load", lambda data, **more: real(DATA if data == "digits" else data, **more))


@pytest.mark.usefixtures("digits")
def test_options_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["search", "--space", "tests/nas/toys.py:Toy", "--controller", "bo", "--device", "cpu", "--trials", "4"]
    options = ["--option", "scores=synflow,params", "--option", "startup=2", "--option", "shortlist=2"]
    assert run([*given, *options, "--name", "one", "--json"]) == 0
    top = json.loads(capsys.readouterr().out)["top"]
    assert len(top) == 4
    assert all({"proxy_synflow", "proxy_params"} <= trial["metrics"].keys() for trial in top)
    assert run([*given, "--option", "scores=synflo"]) == 2
    assert "did you mean 'synflow'" in capsys.readouterr().err
