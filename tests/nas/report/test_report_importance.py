import random
from typing import Any

import pytest

from nas.controllers.base import Trial
from nas.report.importance import NoImportanceError, importance
from nas.searchspace.language import architecture, choice, integer, real
from nas.searchspace.space import Space
from nas.study.records import Record


@architecture
class Toy:
    matters: str = choice("good", "bad", "worse")
    ignored: int = choice(1, 2, 3)
    rate: float = real(0.001, 1.0, log=True)
    depth: int = integer(1, 4)
    heads: int | None = choice(1, 2, when=lambda toy: toy.matters == "good")


SPACE = Space(Toy)


def _records(value: Any, count: int = 60) -> list[Record]:
    rng = random.Random(0)
    made = [SPACE.sample(rng) for _ in range(count)]
    return [Record(Trial(i, a, value(a)), float(i), "random") for i, a in enumerate(made)]


def _good(a: Toy) -> tuple[float, float]:
    return {"good": 1.0, "bad": 0.5, "worse": 0.0}[a.matters], -float(a.depth)


@pytest.mark.parametrize(("objective", "knob"), [(0, "matters"), (1, "depth")])
def test_the_knob_that_decides_comes_first(objective, knob):
    found = importance(SPACE, _records(_good), objective)
    assert next(iter(found)) == knob
    assert sum(found.values()) == pytest.approx(1.0)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert set(found) <= set(SPACE.every_knob())


def test_failed_trials_do_not_count():
    records = _records(_good)
    failed = [
        Record(Trial(100 + i, r.trial.architecture, None, reason="NaN"), 1.0, "random") for i, r in enumerate(records)
    ]
    assert importance(SPACE, records + failed) == importance(SPACE, records)


def test_too_few_trials_are_said_so():
    with pytest.raises(NoImportanceError, match=r"at least 8 finished trials .* there are 7"):
        importance(SPACE, _records(_good, 7))


def test_equal_values_are_said_so():
    with pytest.raises(NoImportanceError, match="All 60 finished trials have the same value"):
        importance(SPACE, _records(lambda a: (0.5,)))


def test_knobs_of_equal_importance_stand_in_the_order_of_the_space(monkeypatch):
    """Optuna collects them in a set, whose order differs from one process to the next."""
    shares = {"heads": 0.2, "depth": 0.2, "rate": 0.4, "matters": 0.2, "ignored": 0.0}
    monkeypatch.setattr("optuna.importance.get_param_importances", lambda *_, **__: shares)
    assert list(importance(SPACE, _records(_good))) == ["rate", "matters", "depth", "heads"]
