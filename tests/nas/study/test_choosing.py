"""Which trial is taken, and what a predictor says that learned from all of them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.cli.main import run
from nas.controllers.base import Trial
from nas.predictors.agreement import spearman
from nas.searchspace.errors import BadInput, RunError
from nas.settings import Settings
from nas.study.choosing import LEAST, by_posterior, in_order, learned
from nas.study.plan import Plan, make_plan
from nas.study.records import Record, ranked
from tests.nas.evaluation.tables.toy import write
from tests.nas.toys import Toy, Wide, graph, search

DATA = graph()
SAID = "was then chosen by what a predictor, which learned from all of them, expects of their"


def plan(choose: str = "posterior", **more: Any) -> Plan:
    return make_plan(Settings(device="cpu", choose=choose, trials=50, **more), data=DATA, space=Wide)


def record(number: int, conv: str, hidden: int, value: float | None, **more: Any) -> Record:
    stopped = more.pop("stopped", None)
    architecture = Wide(conv=conv, hidden=hidden)
    values = None if value is None else (value,)
    return Record(Trial(number, architecture, values, stopped=stopped), 1.0, "random", **more)


def good(conv: str, hidden: int) -> float:
    return 0.85 + 0.001 * hidden if conv == "sage" else 0.5 + 0.001 * hidden


def families(lucky: float = 0.99) -> list[Record]:
    """Networks of ``sage`` are good and those of ``gcn`` are not, but one of those was lucky."""
    widths = range(4, 60, 4)
    rows = [(conv, hidden, good(conv, hidden)) for conv in ("gcn", "sage") for hidden in widths]
    random.Random(0).shuffle(rows)
    made = [record(number, *row) for number, row in enumerate(rows)]
    return [*made, record(len(made), "gcn", 30, lucky)]


def architectures(records: Sequence[Record]) -> list[Any]:
    return [r.trial.architecture for r in records]


def test_the_best_as_measured_is_the_order_of_before() -> None:
    assert in_order(plan("best"), families()) == ranked(families())
    assert in_order(plan("best"), families())[0].trial.values == (0.99,)


def test_a_network_that_was_lucky_is_not_taken() -> None:
    order = in_order(plan(), families())
    assert sorted(architectures(order), key=repr) == sorted(architectures(families()), key=repr)
    assert order[0].trial.architecture.conv == "sage"
    assert [a.conv for a in architectures(order[:10])].count("sage") == 10


def test_where_nothing_was_lucky_both_orders_agree() -> None:
    records = families(lucky=good("gcn", 30))
    expected = {r.trial.number: place for place, r in enumerate(in_order(plan(), records))}
    places = [expected[r.trial.number] for r in ranked(records)]
    assert spearman(places, list(range(len(places)))) > 0.9


def test_the_order_of_the_records_makes_no_difference() -> None:
    records = families()
    mixed = random.Random(1).sample(records, len(records))
    assert in_order(plan(), mixed) == in_order(plan(), records)


def test_of_what_is_minimised_the_least_expected_is_taken() -> None:
    def minimised(each: Record) -> Record:
        architecture = each.trial.architecture
        value = -10.0 if each.trial.values == (0.99,) else -1000 * good(architecture.conv, architecture.hidden)
        return record(each.trial.number, architecture.conv, architecture.hidden, value)

    records = [minimised(r) for r in families()]
    chosen, less = in_order(plan(objectives=("-params",)), records), plan(objectives=("-params",))
    assert chosen[0].trial.architecture.conv == "gcn"
    assert chosen[-1].trial.architecture.conv == "sage"
    mean, _ = learned(less, records).predict([Wide(conv="sage", hidden=20), Wide(conv="gcn", hidden=20)])
    assert mean[0] > mean[1] > 0, "a predictor speaks of parameters, not of their negative"


def test_few_trials_say_too_little() -> None:
    few = families()[-LEAST + 1 :]
    assert len(few) == LEAST - 1
    assert in_order(plan(), few) == ranked(few)
    assert not by_posterior(plan().settings, few)
    enough = families()[-LEAST:]
    assert in_order(plan(), enough) != ranked(enough)
    failed = [record(100 + i, "gcn", 1, None) for i in range(9)]
    assert in_order(plan(), few + failed) == ranked(few)


def test_trials_without_a_whole_training_stay_last() -> None:
    """Those that were stopped early, and those with shared weights, however good they look."""
    whole = families()
    early = [record(100 + i, "sage", 61 + i, 0.999, stopped=3) for i in range(3)]
    shared = [record(200 + i, "sage", i + 1, 0.999, evaluator="shared") for i in range(3)]
    order = in_order(plan(), [*shared, *whole, *early])
    assert order[: len(whole)] == in_order(plan(), whole)
    assert [r.trial.number for r in order[len(whole) :]] == [100, 101, 102, 200, 201, 202]
    assert in_order(plan(), [*shared, *whole[:5]])[:5] == ranked(whole[:5])


def test_the_predictor_of_a_result_answers_in_the_units_of_the_objective() -> None:
    result = search(DATA, space=Toy, trials=12, objectives=("-params",))
    some = [r.trial for r in result.records]
    mean, deviation = result.predictor.predict([t.architecture for t in some])
    params = np.array([t.metrics["params"] for t in some])
    assert mean.shape == deviation.shape == (12,)
    assert bool((deviation > 0).all())
    assert spearman(mean, params) > 0.8
    assert params.min() / 2 < mean.min() < mean.max() < 2 * params.max()


def test_the_predictor_is_that_of_the_search() -> None:
    def kind(**more: Any) -> str:
        return type(learned(plan(**more), families()).predictor.regressor).__name__  # type: ignore[attr-defined]

    assert kind() == kind(controller="bo") == "GaussianProcess"
    assert kind(controller="bo", controller_options={"predictor": "forest"}) == "Forest"


def test_nothing_is_learned_from_one_trial() -> None:
    result = search(DATA, trials=1)
    with pytest.raises(RunError, match="learns from two finished trials or more, and there are 1"):
        result.predictor  # noqa: B018
    with pytest.raises(RunError, match="and there are 0"):
        learned(plan(), [record(0, "gcn", 1, None)])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write(tmp_path_factory.mktemp("choosing") / "toy.npz"))


def test_the_report_says_how_it_was_chosen(table: str) -> None:
    def page(trials: int, **more: Any) -> str:
        result = nas.search("toy", table=table, controller="random", trials=trials, **more)
        return Path(result.report()).read_text(encoding="utf-8")

    assert f"{SAID} validation accuracy" in page(LEAST, choose="posterior")
    assert SAID not in page(LEAST)
    assert SAID not in page(LEAST - 1, choose="posterior")


def test_the_chosen_one_stands_first_everywhere(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--table", table, "--data", "toy", "--controller", "random", "--trials", "30", "--choose", "posterior"]
    assert run(["search", *given, "--name", "one", "--json"]) == 0
    searched = json.loads(capsys.readouterr().out)["top"]
    result = nas.open_run("one")
    order = [r.trial.number for r in result.ranking]
    assert order != [r.trial.number for r in ranked(result.records)]
    assert [trial["number"] for trial in searched] == order[:10]
    assert run(["show", "one", "--top", "3", "--json"]) == 0
    assert [trial["number"] for trial in json.loads(capsys.readouterr().out)["top"]] == order[:3]
    assert run(["show", "one", "--top", "3"]) == 0
    assert "best 3 (as a predictor expects) of 30 trials" in capsys.readouterr().out
    assert run(["search", *given, "--name", "two"]) == 0
    assert "those of which a predictor expects most first" in capsys.readouterr().out
    assert result.best.number == result.trial().number == order[0]
    assert result.view().best[0].trial == result.best


def test_a_choice_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadInput, match=r"'posterio'; did you mean 'posterior'\? known: best, posterior"):
        search(DATA, choose="posterio")
    assert run(["search", "--choose", "worst"]) == 2
    assert "unknown choose 'worst'; known: best, posterior" in capsys.readouterr().err
