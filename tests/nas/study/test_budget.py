"""When a search ends, and what happens when the controller has nothing new to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import nas
from nas.controllers.base import Counted, Trial
from nas.controllers.random_search import RandomSearch
from nas.controllers.registry import CONTROLLERS
from nas.searchspace.errors import RunError
from nas.study import search as searching
from tests.combinations import mostly_slow
from tests.controllers.spaces import QUICK, with_formats
from tests.nas.toys import Messy, Wide, architecture, choice, graph, search, told


class Stuck(Counted):
    """Proposes the first architecture it thought of for ever."""

    def ask(self, n: int) -> list[Any]:
        return [self.space.sample(self.problem.rng(0)) for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.heard(trials)


def test_trials_are_distinct_networks_and_failures_count():
    result = search(space=Messy, controller="evolution", trials=6)
    assert [r.trial.number for r in result.records] == list(range(6))
    assert len({result.plan.space.canonical(r.trial.architecture) for r in result.records}) == 6
    assert result.complete


def test_seconds(monkeypatch):
    """A clock that ticks once for each look: no trial starts after the time, and interruptions do not count."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(searching.time, "monotonic", lambda: float(next(ticks)))
    result = search(space=Wide, trials=None, seconds=200)
    elapsed = [r.elapsed for r in result.records]
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] >= 200
    assert all(e < 200 for e in elapsed[:-1])
    assert result.complete
    for _ in range(1000):
        next(ticks)
    more = nas.resume("run", data=graph(), space=Wide, seconds=400)
    assert len(more.records) > len(result.records)
    assert told(more.records)[: len(result.records)] == told(result.records)
    assert 400 <= more.records[-1].elapsed < 600


def test_whichever_budget_is_spent_first(monkeypatch):
    assert len(search(trials=2, seconds=1000).records) == 2
    ticks = iter(range(10**6))
    monkeypatch.setattr(searching.time, "monotonic", lambda: 10.0 * next(ticks))
    assert 1 <= len(search(name="time", trials=20, seconds=50).records) < 20


@pytest.mark.parametrize("controller", mostly_slow(CONTROLLERS.names(), ["random", "evolution", "tpe", "agnn"]))
def test_the_end_of_a_space(controller, monkeypatch):
    monkeypatch.setattr(searching, "IN_A_ROW", 4)
    space = with_formats(controller, Messy)
    result = search(space=space, controller=controller, controller_options=QUICK.get(controller, {}), trials=50)
    assert len(result.records) == 10
    assert not result.complete
    again = nas.resume("run", data=graph(), space=space)
    assert told(again.records) == told(result.records)


def test_a_stuck_controller_is_helped_out():
    result = search(controller=Stuck, trials=5)
    assert [r.origin for r in result.records] == ["Stuck", *["random"] * 4]
    assert len({r.trial.architecture for r in result.records}) == 5
    assert [len(r.repeats) for r in result.records] == [0, *[searching.IN_A_ROW] * 4]
    assert {repeat.of for r in result.records for repeat in r.repeats} == {0}


def test_repeats_are_told_and_take_no_place():
    heard: list[Trial] = []

    class Hears(RandomSearch):
        def tell(self, trials: Sequence[Trial]) -> None:
            heard.extend(trials)
            super().tell(trials)

    result = search(space=Messy, controller=Hears, trials=10)
    repeats = [repeat for r in result.records for repeat in r.repeats]
    assert len(result.records) == 10
    assert repeats
    assert len(heard) == 10 + len(repeats)
    canonical = result.plan.space.canonical
    for trial in heard:
        known = result.records[trial.number].trial
        assert canonical(trial.architecture) == canonical(known.architecture)
        assert (trial.values, trial.reason) == (known.values, known.reason)


def test_all_failed():
    @architecture
    class Half:
        conv: str = choice("good", "bad", "worse")

        def network(self, net: Any) -> Any:
            if self.conv != "good":
                raise ValueError(self.conv)
            return net.x

    class Unlucky(RandomSearch):
        def ask(self, n: int) -> list[Any]:
            self.asked += n
            return [self.space.of(conv="bad" if self.asked == 1 else "worse")]

    result = search(space=Half, controller=Unlucky, trials=2)
    with pytest.raises(RunError, match=r"no trial of 'run' succeeded; the 2 failed because: .*: bad") as raised:
        _ = result.best
    assert "ValueError: worse" in str(raised.value)
    assert result.pareto == []
    assert result.succeeded() == []
    assert list(result.trials["state"]) == ["failed", "failed"]


def test_a_recipe_or_network_that_stumbles_ends_nothing():
    result = search(space=Messy, controller="grid", trials=20)
    reasons = {r.trial.reason for r in result.records if r.trial.reason}
    assert reasons == {"two is bad", "IndexError: list index out of range"}
