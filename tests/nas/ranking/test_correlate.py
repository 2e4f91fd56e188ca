"""Training a sample and comparing proxies with it: laws, pauses, what is left out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import nas
from nas.ranking import work as works
from nas.ranking.correlation import Correlation, correlation
from nas.ranking.ledger import Scored
from nas.searchspace.errors import BadInput, RunError
from nas.settings import Settings
from nas.study import executing
from nas.study.folder import RunFolder
from nas.study.plan import make_plan
from tests.nas.ranking.test_rank import Stop, told
from tests.nas.toys import Messy, Toy, Wide, graph

PROXIES = ["ntk-krr", "params", "short:1"]


def correlate(n: int = 8, **more: Any) -> Correlation:
    given = {"space": Toy, "proxies": PROXIES, "device": "cpu", "epochs": 4, **more}
    return nas.correlate(graph(), n=n, **given)


def numbers(found: Correlation) -> list[Any]:
    """Everything but the clock."""
    return [found.ceiling, *((a.proxy, a.spearman, a.kendall, a.hit_rate, a.test, a.scored) for a in found.agreements)]


def test_what_comes_back():
    found = correlate()
    assert (found.name, found.metric, found.larger_is_better) == ("data-Toy-correlation-1", "accuracy", True)
    assert [row.number for row in found.rows] == list(range(8))
    assert {a.proxy for a in found.agreements} == set(PROXIES)
    assert all(a.scored == sum(a.proxy in row.scores for row in found.rows) > 3 for a in found.agreements)
    assert all(a.seconds > 0 and a.share > 0 for a in found.agreements)
    values = [a.spearman.value for a in found.agreements if not math.isnan(a.spearman.value)]
    assert values == sorted(values, reverse=True)
    assert found.page.is_file()
    assert found.failures == {}
    assert all(row.metrics["epochs"] == 4 and row.metrics["seconds"] > 0 for row in found.rows)


def test_trainings_and_scores_are_those_of_a_search_and_of_a_ranking():
    found, ranked = correlate(), nas.rank(graph(), space=Toy, proxies=["ntk-krr"], n=8, device="cpu")
    scores = {row.number: row.scores.get("ntk-krr") for row in ranked.rows}
    assert {row.number: row.scores.get("ntk-krr") for row in found.rows} == scores
    searched = nas.search(graph(), space=Toy, controller="grid", trials=24, epochs=4, device="cpu", name="all")
    trained = {r.trial.architecture: r.trial.metrics["valid_accuracy"] for r in searched.records}
    assert all(row.metrics["valid_accuracy"] == trained[row.architecture] for row in found.rows)


@pytest.mark.slow
def test_equal_seeds_equal_numbers():
    assert numbers(correlate(name="a")) == numbers(correlate(name="b"))
    assert numbers(correlate(name="c", seed=1)) != numbers(correlate(name="a"))


def test_a_resumed_sample_equals_an_uninterrupted_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    whole = correlate(name="whole")
    with pytest.raises(KeyboardInterrupt):
        correlate(told=Stop(3))
    done: list[Scored] = []
    resumed = correlate(told=done.append)
    assert [row.number for row in done] == [3, 4, 5, 6, 7]
    assert resumed.name == "data-Toy-correlation-1"  # it is found by its settings
    assert told(resumed.rows) == told(whole.rows)
    assert numbers(resumed) == numbers(whole)
    monkeypatch.setattr(executing, "InProcess", None)  # nothing is left to do
    assert numbers(correlate()) == numbers(whole)
    assert len(correlate(n=4).rows) == 4


def test_other_settings_are_another_run_and_a_name_belongs_to_one():
    assert correlate(n=3).name == "data-Toy-correlation-1"
    assert correlate(n=3, epochs=3).name == "data-Toy-correlation-2"
    assert correlate(n=3).name == "data-Toy-correlation-1"
    with pytest.raises(BadInput, match=r"was made with epochs 4 and this command has 5; .* choose another --name"):
        correlate(name="data-Toy-correlation-1", epochs=5)
    with pytest.raises(BadInput, match="made with space 'Toy' and this command has 'Wide'"):
        correlate(name="data-Toy-correlation-1", space=Wide)


def test_a_proxy_that_comes_later_scores_what_is_trained():
    correlate(n=4, proxies=["params"])
    found = correlate(n=4, proxies=["params", "ntk-krr"])
    lines = [json.loads(line) for line in (found.path / "correlation.jsonl").read_text().splitlines()[1:]]
    assert [(line["trained"], line["tried"]) for line in lines] == 4 * [(True, ["params"])] + 4 * [(False, ["ntk-krr"])]
    whole = correlate(n=4, proxies=["params", "ntk-krr"], name="whole")
    assert told(found.rows) == told(whole.rows)


def test_failed_trainings_are_counted_and_left_out():
    found = correlate(n=10, space=Messy, proxies=["params"])
    assert len(found.rows) == 6
    assert found.failures == {"two is bad": 2, "IndexError: list index out of range": 2}
    assert found.agreements[0].scored == 6
    assert correlate(n=10, space=Messy, proxies=["params"]).failures == found.failures  # they are not tried again


def test_a_network_without_a_score_counts_as_the_worst(tmp_path: Path):
    plan = make_plan(Settings(controller="random"), data=graph(), space=Toy)
    architectures = list(plan.space.enumerate())[:5]
    work = works.Work(plan, architectures, ("params", "depth"), trains=True)
    for number, architecture in enumerate(architectures):
        measured = {"valid_accuracy": number / 10, "test_accuracy": number / 10, "seconds": 2.0}
        scores = {"params": float(number)} if number else {}
        work.done[number] = Scored(
            number, architecture, scores, dict.fromkeys(scores, 0.5), ("params",), True, measured
        )
    found = correlation(work, RunFolder(tmp_path, "x"))
    some, none = found.agreements
    assert (some.proxy, some.scored, some.spearman.value, some.share) == ("params", 4, pytest.approx(1), 0.25)
    assert (none.proxy, none.scored) == ("depth", 0)
    assert all(map(math.isnan, (none.spearman.value, none.hit_rate.value, none.seconds, none.share)))


def test_of_a_loss_less_is_better():
    data = graph()
    data.y = data.x[:, :1] + torch.randn(len(data.x), 1, generator=torch.Generator().manual_seed(0))
    found = nas.correlate(data, space=Toy, proxies=["short:4"], n=8, epochs=4, device="cpu")
    assert (found.metric, found.larger_is_better) == ("rmse", False)
    assert found.agreements[0].spearman.value > 0.5  # the short training is the whole one


def test_too_few_trainings():
    with pytest.raises(BadInput, match="n must be at least 3; got 2"):
        correlate(n=2)
    with pytest.raises(RunError, match=r"only . of 3 trainings succeeded, too few to correlate anything; the "):
        correlate(n=3, space=Messy, seed=next(_bad_seeds()))


def _bad_seeds() -> Any:
    """Seeds whose sample of three has a network that cannot be trained."""
    from nas.ranking.sample import distinct
    from nas.searchspace import Space

    for seed in range(100):
        if any(a.conv == "bad" for a in distinct(Space(Messy), 3, seed)):
            yield seed


def test_two_at_a_time_do_not_work_in_one_run():
    found = correlate(n=3)
    with RunFolder(found.path.parent, found.name).lock(), pytest.raises(RunError, match="worked on by process"):
        correlate(n=4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"proxies": ["nkt-krr"]}, "unknown proxy 'nkt-krr'; did you mean 'ntk-krr'"),
        ({"name": "a/b"}, "a run's name is made of letters, digits"),
        ({"epochs": 0}, "epochs must be at least 1; got 0"),
        ({"space": "none.py:Mine"}, "there is no file 'none.py'"),
    ],
)
def test_what_cannot_be_correlated(given: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(BadInput, match=message):
        correlate(**given)
    assert not (tmp_path / "runs").exists()
