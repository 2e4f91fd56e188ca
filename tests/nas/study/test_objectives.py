"""What is optimised: signs, names, several at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.base import Trial
from nas.controllers.registry import CONTROLLERS
from nas.searchspace.errors import BadInput
from nas.study.objectives import COSTS, Objective, parse
from nas.study.records import Record, front
from tests.nas.toys import search


def test_the_metric_is_the_objective_unless_said_otherwise():
    assert parse([], "roc-auc") == (Objective("roc-auc", True),)
    assert parse([], "rmse") == (Objective("rmse", False),)
    assert parse(["accuracy", "-params"], "roc-auc") == (Objective("accuracy", True), Objective("params", False))


@pytest.mark.parametrize("name", [*COSTS, "rmse", "mae"])
def test_less_of_a_cost_or_an_error_is_better_with_or_without_a_minus(name):
    assert parse([name], "accuracy") == parse([f"-{name}"], "accuracy") == (Objective(name, False),)


@pytest.mark.parametrize("text", ["accuracy", "-params", "-accuracy", "-rmse"])
def test_text_comes_back(text):
    (objective,) = parse([f" {text} "], "accuracy")
    assert str(objective) == text
    assert parse([str(objective)], "accuracy") == (objective,)


def test_larger_is_better_inside():
    assert Objective("accuracy", True).value(0.5) == 0.5
    assert Objective("params", False).value(100) == -100


def test_keys_and_labels():
    accuracy, params = parse(["accuracy", "params"], "accuracy")
    assert (accuracy.key, accuracy.label) == ("valid_accuracy", "validation accuracy")
    assert (params.key, params.label) == ("params", "params")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["acuracy"], "unknown objective 'acuracy'; did you mean 'accuracy'"),
        (["-parms"], "unknown objective 'parms'; did you mean 'params'"),
        (["+params"], "unknown objective '.params'; did you mean 'params'"),
        ([""], "unknown objective ''"),
        (["accuracy", "params", "-params"], "an objective is named twice: accuracy, -params, -params"),
        (["accuracy", "-accuracy"], "an objective is named twice"),
    ],
)
def test_bad_objectives(texts, message):
    with pytest.raises(BadInput, match=message):
        parse(texts, "accuracy")


def test_an_objective_that_does_not_fit_the_target():
    with pytest.raises(BadInput, match="metric 'rmse' does not fit a multiclass target"):
        search(objectives=["rmse"])


def test_two_objectives_give_a_front():
    result = search(trials=8, objectives=["accuracy", "-params"])
    front = result.pareto
    values = [t.values for t in front]
    assert next(t.number for t in front if t.values == max(values)) == result.best.number
    every = [r.trial.values for r in result.succeeded()]
    for value in every:
        beaten = any(o != value and all(x >= y for x, y in zip(o, value, strict=True)) for o in every)
        assert beaten == (value not in values)
    assert all(v[1] == -t.metrics["params"] for v, t in zip(values, front, strict=True))


@given(st.lists(st.none() | st.tuples(*[st.integers(0, 3).map(float)] * 3), max_size=12))
def test_the_front_has_those_that_nobody_beats_best_first(values):
    records = [Record(Trial(i, i, value), 0.0, "random") for i, value in enumerate(values)]
    done = [value for value in values if value is not None]

    def beaten(value):
        return any(o != value and all(x >= y for x, y in zip(o, value, strict=True)) for o in done)

    kept = [(-value[0], i) for i, value in enumerate(values) if value is not None and not beaten(value)]
    assert [r.trial.number for r in front(records)] == [i for _, i in sorted(kept)]


@pytest.mark.parametrize("controller", [n for n in CONTROLLERS.names() if not CONTROLLERS.load(n).multi_objective])
def test_one_objective_controllers_are_refused_before_a_folder_is_made(controller, tmp_path):
    with pytest.raises(BadInput, match="handles one objective and the study has 2"):
        search(controller=controller, objectives=["accuracy", "-params"])
    assert not (tmp_path / "runs").exists()
