"""Known good architectures first: any controller goes on after them as it would alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

import nas
from nas.controllers import CONTROLLERS, Trial, create
from nas.controllers.starting import Starting
from nas.searchspace import Space, Task
from nas.searchspace.errors import BadInput
from nas.searchspace.source import module, source
from nas.searchspace.spaces.registry import SPACES, find
from nas.settings import Settings
from nas.study.jobs import recipe_of
from nas.study.plan import make_plan
from tests.controllers.spaces import QUICK, judge, problem, space_for
from tests.controllers.test_every import MODELLED, search
from tests.nas.toys import StopAfter, graph, graphs, told

NAMES = CONTROLLERS.names()


def given(space: Space[Any]) -> list[Any]:
    return [space.sample(random.Random(f"given {number}")) for number in range(3)]


def make(name: str, space: Space[Any], seed: int = 0) -> Starting:
    return Starting(create(name, problem(name, space, seed), **QUICK.get(name, {})), given(space))


@pytest.mark.parametrize("name", NAMES)
def test_the_given_ones_come_first_and_once(name: str) -> None:
    space = space_for(name)
    batches = search(make(name, space), [], 4)
    assert [t.architecture for batch in batches[:3] for t in batch] == given(space)
    assert make(name, space).ask(2) == given(space)[:2]
    several = make(name, space).ask(5)
    assert several[:3] == given(space)
    assert 4 <= len(several) <= 5  # a grid may be at its end
    assert all(type(a) is space.of for a in several)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_make_equal_searches(name: str) -> None:
    space = space_for(name)
    assert search(make(name, space, 5), [], 8) == search(make(name, space, 5), [], 8)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_uninterrupted(name: str, size: int) -> None:
    space = space_for(name, "Tiny")
    batches = 6 if name in MODELLED else 10
    whole = search(make(name, space, 1), [], batches, size)
    for split in (1, 2, 5):
        resumed = make(name, space, 1)
        for batch in whole[:split]:
            resumed.tell(batch)
        assert search(resumed, whole[:split], batches - split, size) == whole


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_in_another_order_is_not_asked_again(name: str) -> None:
    """Two workers were at the first two, and the second was finished when the search was stopped."""
    space = space_for(name)
    controller = make(name, space)
    first, second, third = given(space)
    controller.tell(judge(0, [second]))
    assert controller.ask(2) == [first, third]


def test_the_controller_in_it_hears_of_them_and_shows_what_else_it_has() -> None:
    space = space_for("random")

    class Listens:
        multi_objective = True
        traces = "its traces"

        def __init__(self) -> None:
            self.heard: list[Trial] = []

        def ask(self, n: int) -> list[Any]:
            return []

        def tell(self, trials: Any) -> None:
            self.heard += trials

        def about(self, architecture: Any) -> dict[str, float]:
            return {"known": 1.0}

    inner = Listens()
    controller = Starting(inner, given(space))
    assert controller.ask(9) == given(space)
    assert controller.ask(1) == []
    trials = judge(0, given(space))
    controller.tell(trials)
    assert inner.heard == trials
    assert controller.multi_objective
    assert controller.traces == "its traces"
    assert controller.about(given(space)[0]) == {"known": 1.0}
    assert getattr(Starting(create("random", problem("random", space)), []), "about", None) is None


# the space classic

LEVELS: dict[str, Any] = {"node": graph(), "graph": graphs(), "link": graph(nodes=60)}


def task_of(level: str) -> Task:
    return nas.load(LEVELS[level], task=level)


@pytest.mark.parametrize("level", LEVELS)
def test_known_good_networks_of_classic_are_valid_and_differ(level: str) -> None:
    task = task_of(level)
    space = find("classic").for_task(task)
    known = space.known_good()
    assert len(known) >= 4
    assert len({space.canonical(a) for a in known}) == len(known)
    for a in known:
        assert type(a) is space.of
        assert space.from_json(space.to_json(a)) == a
        assert source(a, task)
        assert recipe_of(a, task, Settings()).lr == a.lr
    (batch, *_) = task.train
    model = module(known[0], task)
    assert model(*batch.arguments(task.inputs)).size(-1) == task.outputs
    assert {"readout", "decoder"} & set(space.knobs(known[0])) == {"graph": {"readout"}, "link": {"decoder"}}.get(
        level, set()
    )


@pytest.mark.parametrize("level", ["node", "graph"])
def test_they_are_trained_first(level: str) -> None:
    more = {"space": "classic", "controller": "random", "known_first": True, "epochs": 1, "device": "cpu"}
    whole = nas.search(LEVELS[level], name="whole", trials=3, **more)
    known = whole.plan.space.known_good()
    assert [r.trial.architecture for r in whole.records] == known[:3]
    assert all(r.trial.values is not None for r in whole.records)
    with pytest.raises(KeyboardInterrupt):
        nas.search(LEVELS[level], name="part", trials=3, watcher=StopAfter(1), **more)
    assert told(nas.resume("part", data=LEVELS[level]).records) == told(whole.records)


@pytest.mark.parametrize("name", ["agnn", "quantised:classic"])
def test_a_space_without_known_good_networks_is_refused(name: str) -> None:
    message = "names no known good networks to begin with; leave known_first out, or use the space classic"
    with pytest.raises(BadInput, match=message):
        make_plan(Settings(space=name, known_first=True, device="cpu"), data=graph())


def test_spaces_name_known_good_networks_that_are_theirs() -> None:
    found = {name for name in SPACES.names() if find(name).for_task(task_of("node")).known_good()}
    assert "classic" in found
