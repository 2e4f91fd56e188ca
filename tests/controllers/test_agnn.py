"""Reinforced conservative search and the policy that writes whole architectures."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest

from nas.controllers import Problem, Trial
from nas.controllers.agnn import AGNN, GUIDES, entropy, guided
from nas.controllers.decisions import class_of
from nas.controllers.reinforce import Reinforce
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES as BUILT_IN
from tests.controllers.spaces import SPACES, Cell, Conditional, Twelve, score, solved

EVERY = {**SPACES, **{name: Space(BUILT_IN.load(name)) for name in BUILT_IN.names()}}


def worth(architecture: Any) -> float:
    """Any number that follows from the architecture."""
    return random.Random(str(architecture)).random()


def differing(space: Space[Any], a: Any, b: Any) -> set[str]:
    """The classes of the knobs that both have and hold different values of."""
    one, other = space.knobs(a), space.knobs(b)
    return {class_of(path) for path in one.keys() & other.keys() if one[path] != other[path]}


@pytest.mark.each_once
@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("name", ["Conditional", *BUILT_IN.names()])
def test_a_step_changes_one_class_of_the_best(name: str, classes: int) -> None:
    space = EVERY[name]
    controller = AGNN(Problem(space, 3), initial=2, classes=classes)
    best, value = None, -1.0
    for number in range(20):
        (proposed,) = controller.ask(1)
        if number >= 2:
            assert 1 <= len(differing(space, proposed, best)) <= classes
        controller.tell([Trial(number, proposed, (worth(proposed),))])
        if worth(proposed) > value:
            best, value = proposed, worth(proposed)


def test_more_is_changed_when_every_small_step_is_known() -> None:
    space = SPACES["Flat"]
    controller = AGNN(Problem(space), initial=1)
    widths = []
    (best,) = controller.ask(1)
    controller.tell([Trial(0, best, (1.0,))])
    for number in range(1, 40):
        (proposed,) = controller.ask(1)
        widths.append(len(differing(space, proposed, best)))
        controller.tell([Trial(number, proposed, (0.0,))])
    assert widths[0] == 1
    assert max(widths) > 1


def test_no_network_is_proposed_twice_while_there_are_others() -> None:
    for make in (lambda p: AGNN(p, initial=3), Reinforce):
        space = SPACES["Flat"]  # of 126 architectures
        controller = make(Problem(space, 1))
        seen = []
        for number in range(60):
            (proposed,) = controller.ask(1)
            seen.append(proposed)
            controller.tell([Trial(number, proposed, (score(proposed),))])
        assert len(set(seen)) == 60


def test_failures_are_never_the_best() -> None:
    space = SPACES["Flat"]
    controller = AGNN(Problem(space), initial=1)
    (first,) = controller.ask(1)
    controller.tell([Trial(0, first, (0.0,))])
    for number in range(1, 10):
        (proposed,) = controller.ask(1)
        assert len(differing(space, proposed, first)) == 1
        controller.tell([Trial(number, proposed, None, reason="out of memory")])


@pytest.mark.parametrize("make", [AGNN, Reinforce])
def test_the_unit_of_the_objective_does_not_matter(make: Any) -> None:
    """Up to rounding: powers of two leave every advantage as it is."""
    searches = []
    for scale in (1.0, 2.0**-20, 2.0**20):
        controller = make(Problem(Space(Twelve), 2))
        proposals = []
        for number in range(40):
            (proposed,) = controller.ask(1)
            controller.tell([Trial(number, proposed, (scale * solved(proposed),))])
            proposals.append(proposed)
        searches.append(proposals)
    assert searches[0] == searches[1] == searches[2]


def test_learning_helps() -> None:
    """Twelve independent knobs, each best at its last option: an encoder that has learned that proposes it more."""

    def late(lr: float) -> float:
        controller, values = Reinforce(Problem(Space(Twelve)), lr=lr), []
        for number in range(100):
            (proposed,) = controller.ask(1)
            values.append(solved(proposed))
            controller.tell([Trial(number, proposed, (values[-1],))])
        return sum(values[70:]) / 30

    assert late(0.005) > late(1e-9) + 0.2


def test_entropies_by_hand() -> None:
    assert entropy({"a": [0.5, 0.5], "b": [1.0, 0.0]}) == pytest.approx(math.log(2))
    assert entropy({"a": [0.25] * 4}) == pytest.approx(math.log(4))


def test_guides_by_hand() -> None:
    entropies = {"wide": math.log(12), "narrow": math.log(3), "decided": 0.0}
    rng = random.Random(0)

    def shares(guide: str) -> dict[str, float]:
        drawn = Counter(guided(entropies, guide, 1, rng)[0] for _ in range(4000))
        return {name: drawn[name] / 4000 for name in entropies}

    assert shares("largest")["wide"] == 1
    assert shares("softmax")["wide"] == pytest.approx(12 / 16, abs=0.03)
    assert shares("softmax")["decided"] == pytest.approx(1 / 16, abs=0.03)
    found = shares("proportional")
    assert found["wide"] == pytest.approx(math.log(12) / math.log(36), abs=0.03)
    assert found["decided"] == 0
    for guide in GUIDES:
        assert sorted(guided(entropies, guide, 9, rng)) == sorted(entropies)


def test_a_knob_that_is_off_is_not_decided() -> None:
    space = Space(Conditional)
    controller = Reinforce(Problem(space, 0))
    proposals = []
    for number in range(30):
        (proposed,) = controller.ask(1)
        proposals.append(proposed)
        controller.tell([Trial(number, proposed, (score(proposed),))])
    (trace,) = controller.traces()
    had = {number for number, a in enumerate(proposals) if a.heads is not None}
    assert {number for number, _ in trace.lines["heads"]} == had != set(range(30))
    assert len(trace.lines["conv"]) == 30


def test_traces_say_what_was_changed_and_what_became_the_best() -> None:
    space = EVERY["agnn"]
    controller = AGNN(Problem(space, 1), initial=4)
    best, value, changed = None, -1.0, []
    for number in range(25):
        (proposed,) = controller.ask(1)
        if number >= 4:
            (name,) = differing(space, proposed, best)
            changed.append((name, number, worth(proposed) > value))
        controller.tell([Trial(number, proposed, (worth(proposed),))])
        if worth(proposed) > value:
            best, value = proposed, worth(proposed)
    (trace,) = controller.traces()
    assert sorted((n, at, better) for n, steps in trace.steps.items() for at, better in steps) == sorted(changed)
    for name, line in trace.lines.items():
        assert [at for at, _ in line] == [at for at, _ in trace.steps[name]]
        assert all(value >= 0 for _, value in line)


def test_the_offspring_of_a_former_best_is_learned_from_as_such() -> None:
    """Two workers: the second offspring comes back after the first one has become the best."""
    space = EVERY["agnn"]
    controller = AGNN(Problem(space, 5), initial=1)
    (first,) = controller.ask(1)
    controller.tell([Trial(0, first, (0.5,))])
    one, other = controller.ask(2)
    controller.tell([Trial(1, one, (0.6,))])
    controller.tell([Trial(2, other, (0.55,))])
    (trace,) = controller.traces()
    assert {(at, better) for steps in trace.steps.values() for at, better in steps} == {(1, True), (2, False)}
    assert {name for name, steps in trace.steps.items() if (2, False) in steps} == differing(space, first, other)


def test_forbidden_architectures_are_drawn_again() -> None:
    space = Space(Cell)
    for make in (lambda p: AGNN(p, initial=1), Reinforce):
        controller = make(Problem(space, 0))
        for number in range(40):
            (proposed,) = controller.ask(1)
            assert proposed.forbidden() is None
            controller.tell([Trial(number, proposed, (worth(proposed),))])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (AGNN, {"guide": "entropy"}, r"guide.*'entropy'.*proportional"),
        (AGNN, {"initial": 0}, "'initial' of a controller must be a whole number, 1 or more; got 0"),
        (AGNN, {"classes": 1.5}, "'classes' of a controller must be a whole number, 1 or more; got 1.5"),
        (AGNN, {"changes": 0}, "'changes' of a controller must be a number above 0; got 0"),
        (AGNN, {"lr": "big"}, "'lr' of a controller must be a number above 0; got 'big'"),
        (Reinforce, {"lr": math.inf}, "'lr' of a controller must be a number above 0; got inf"),
        (Reinforce, {"entropy": -1}, "'entropy' of a controller must be a number 0 or more; got -1"),
    ],
)
def test_bad_options_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        make(Problem(SPACES["Flat"]), **options)
