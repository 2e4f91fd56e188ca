"""One suite for every registered controller: a new one is in it by being registered."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nas.controllers import CONTROLLERS, Controller, Trial, create
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from tests.controllers.spaces import (
    LISTED,
    QUICK,
    SPACES,
    SUPERNETS,
    Bit,
    Single,
    Tiny,
    Twelve,
    judge,
    problem,
    solved,
    space_for,
    with_formats,
)

NAMES = CONTROLLERS.names()
SEARCHING = [name for name in NAMES if name not in ("random", "grid", *SUPERNETS)]
SEEDED = [name for name in NAMES if name != "grid"]
MODELLED = ("gp", "bo", "diffusion")
"""A Gaussian process needs few trials, and takes its time for each."""
several = {name: bool(CONTROLLERS.load(name).multi_objective) for name in NAMES}


def make(name: str, space: Space[Any], seed: int = 0, objectives: int = 1) -> Controller:
    return create(name, problem(name, space, seed, objectives), **QUICK.get(name, {}))


Batch = list[Trial]


def search(controller: Controller, past: list[Batch], batches: int, size: int = 1, objectives: int = 1) -> list[Batch]:
    """``past`` and ``batches`` more; every fifth batch is one of an architecture from elsewhere."""
    past = list(past)
    space: Space[Any] = controller.space  # type: ignore[attr-defined]
    for _ in range(batches):
        number = sum(map(len, past))
        elsewhere = len(past) % 5 == 4
        proposed = [space.sample(random.Random(f"elsewhere {number}"))] if elsewhere else controller.ask(size)
        past.append(judge(number, proposed, objectives))
        controller.tell(past[-1])
    return past


def _pair(name: str, which: str) -> Any:
    """A generator takes seconds to learn a space: the other searches learn from their own trials alone."""
    slow = name == "diffusion" and which not in ("Conditional", "Tiny")
    return pytest.param(name, which, marks=pytest.mark.slow if slow else ())


@pytest.mark.each_once
@pytest.mark.parametrize(
    ("name", "which"), [_pair(n, which) for n in NAMES for which in (LISTED if n in SUPERNETS else SPACES)]
)
def test_proposals_are_architectures_of_the_space(name: str, which: str) -> None:
    space = space_for(name, which)
    past = search(make(name, space), [], 12)
    assert sum(map(len, past)) >= 6
    for batch in past:
        for trial in batch:
            assert type(trial.architecture) is space.of
            assert space.from_knobs(space.knobs(trial.architecture)) == trial.architecture


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_make_equal_searches(name: str) -> None:
    space = space_for(name)
    assert search(make(name, space, 5), [], 12) == search(make(name, space, 5), [], 12)


@pytest.mark.parametrize("name", SEEDED)
def test_different_seeds_differ(name: str) -> None:
    space = space_for(name)
    assert make(name, space, 5).ask(4) != make(name, space, 6).ask(4)


@pytest.mark.each_once
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("which", ["Conditional", "Tiny", "Cell"])
@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_uninterrupted(name: str, which: str, size: int) -> None:
    space = space_for(name, which)
    batches = 8 if name in MODELLED else 16
    whole = search(make(name, space, 1), [], batches, size)
    for split in (1, 5, 7, 15)[: batches // 4]:
        resumed = make(name, space, 1)
        for batch in whole[:split]:
            resumed.tell(batch)
        assert search(resumed, whole[:split], batches - split, size) == whole


@pytest.mark.parametrize("name", [name for name in NAMES if several[name]])
def test_resumed_equals_uninterrupted_with_two_objectives(name: str) -> None:
    space = space_for(name)
    whole = search(make(name, space, 1, 2), [], 9, objectives=2)
    resumed = make(name, space, 1, 2)
    for batch in whole[:6]:
        resumed.tell(batch)
    assert search(resumed, whole[:6], 3, objectives=2) == whole


@pytest.mark.parametrize("name", NAMES)
def test_proposals_may_be_told_in_another_order(name: str) -> None:
    space = space_for(name)
    controller = make(name, space)
    for number in range(0, 12, 4):
        first, second, third, fourth = controller.ask(4)
        late = controller.ask(1)
        controller.tell(judge(number, [third, first]))
        controller.tell(judge(number + 2, [fourth, *late, second]))
    assert all(type(a) is space.of for a in controller.ask(2))


@pytest.mark.parametrize("name", [name for name in NAMES if not several[name]])
def test_one_objective_only_is_said(name: str) -> None:
    with pytest.raises(BadInput, match=r"handles one objective and the study has 2.*nsga2"):
        make(name, SPACES["Flat"], objectives=2)


@pytest.mark.parametrize("of", [Tiny, Single], ids=["tiny", "single"])
@pytest.mark.parametrize("name", NAMES)
def test_an_exhausted_space_ends_or_goes_on(name: str, of: Any) -> None:
    space: Space[Any] = Space(with_formats(name, of))
    controller = make(name, space)
    asked = []
    for number in range(14):
        proposed = controller.ask(1)
        controller.tell([Trial(number, a, (float(number % 3),)) for a in proposed])
        asked += proposed
    assert set(asked) <= set(space.enumerate())
    if name == "grid":
        assert asked == list(space.enumerate())
    else:
        assert len(asked) == 14


@pytest.mark.parametrize("name", SEARCHING)
def test_solves_a_small_problem(name: str) -> None:
    """Clearly better than random search on 12 independent knobs; one that degrades to random sampling is not."""
    trials = 30 if name in MODELLED else 250
    assert _best(name, trials) >= _best("random", trials) + 0.07


def _best(name: str, trials: int, seed: int = 0) -> float:
    controller = create(name, problem(name, Space(Twelve), seed))
    best = 0.0
    for number in range(trials):
        (proposal,) = controller.ask(1)
        best = max(best, solved(proposal))
        controller.tell([Trial(number, proposal, (solved(proposal),))])
    return best


@pytest.mark.parametrize("name", NAMES)
def test_all_trials_failing_ends_nothing(name: str) -> None:
    space = space_for(name)
    controller = make(name, space)
    for number in range(12):
        (proposal,) = controller.ask(1)
        controller.tell([Trial(number, proposal, None, reason="not a number")])
    assert type(controller.ask(1)[0]) is space.of


@pytest.mark.parametrize("name", SUPERNETS)
def test_what_cannot_be_a_supernet_is_refused(name: str) -> None:
    """The message says why, and what else there is."""
    whys = {"Conditional": "the knob rate is a real number", "Nested": "the length of layers is searched"}
    for which, why in whys.items():
        with pytest.raises(BadInput, match=rf"^the controller {name}: the space {which} cannot be one supernet: {why}"):
            make(name, Space(with_formats(name, SPACES[which].of)))
    with pytest.raises(BadInput, match=r"Bit cannot be one supernet: .*'Bit' object has no attribute 'network'"):
        make(name, Space(with_formats(name, Bit)))
