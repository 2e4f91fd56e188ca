"""The controller diffusion beyond what every controller must do, and its candidates in bo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from nas.controllers import Problem, Trial, create
from nas.controllers.generating import Generating, _of
from nas.diffusion.learned_guide import guide
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from tests.controllers.spaces import Twelve, solved

SPACE = Space(Twelve)
QUICK: dict[str, Any] = {"startup": 3, "every": 4, "steps": 5, "predictor": "forest"}
"""All draws of this file are of few steps, so that few programs are compiled."""


class Limits:
    """Few of the knobs of Twelve are at their last option."""

    def __init__(self) -> None:
        self.limits = {"lasts": 3.5}

    def __call__(self, architecture: Any) -> Mapping[str, float] | None:
        return {"lasts": 0.5 + sum(bit.on == "high" for bit in architecture.bits)}

    def within(self, architecture: Any) -> bool:
        return 0.5 + sum(bit.on == "high" for bit in architecture.bits) <= 3.5


class Twice:
    """A prior that thinks well of what is told, and knows some such architectures."""

    def __init__(self, space: Space[Any]) -> None:
        rng = Problem(space).rng(5)
        self.some = sorted((space.canonical(space.sample(rng)) for _ in range(300)), key=lambda a: -solved(a))

    def features(self, architectures: Sequence[Any]) -> Any:
        return np.array([[solved(a)] for a in architectures], np.float32)

    def first(self, n: int) -> Sequence[Any]:
        return self.some[:n]


def values(architecture: Any, objectives: int) -> tuple[float, ...]:
    """Of as many groups of knobs as there are objectives, their last options being best in turn and worst."""
    on = [("off", "low", "mid", "high").index(bit.on) for bit in architecture.bits]
    return tuple((-1.0) ** i * sum(on[i::objectives]) for i in range(objectives))


def told(controller: Any, past: list[list[Trial]], batches: int, size: int, objectives: int) -> list[list[Trial]]:
    """The past and more batches. Every fifth trial fails."""
    past = list(past)
    for _ in range(batches):
        begin = sum(map(len, past))
        batch = []
        for number, proposal in enumerate(controller.ask(size), begin):
            of = None if number % 5 == 4 else values(proposal, objectives)
            batch.append(Trial(number, proposal, of, reason="failed" if of is None else None))
        past.append(batch)
        controller.tell(batch)
    return past


BO = {"candidates": "diffusion", "predictor": "forest", "startup": 3}


@pytest.mark.parametrize(
    ("name", "options", "size", "objectives"),
    [
        ("diffusion", QUICK, 1, 1),
        pytest.param("diffusion", QUICK, 2, 3, marks=pytest.mark.slow),
        pytest.param("bo", BO, 3, 2, marks=pytest.mark.slow),
    ],
)
def test_a_round_follows_from_what_was_told_before_it(name: str, options: Any, size: int, objectives: int) -> None:
    """Also where the search is left in the middle of a round, which then is drawn again from fewer trials than are
    known."""
    batches = {1: 10, 2: 5, 3: 5}[size]

    def make() -> Any:
        return create(name, Problem(SPACE, 2, objectives), **options)

    whole = told(make(), [], batches, size, objectives)
    for split in (batches // 2, batches - 1):
        resumed = make()
        for batch in whole[:split]:
            resumed.tell(batch)
        assert told(resumed, whole[:split], batches - split, size, objectives) == whole


def test_rounds_are_drawn_towards_what_is_good() -> None:
    problem = Problem(SPACE)
    generating, rng = Generating(problem, steps=5), problem.rng(0)
    known = {SPACE.canonical(a): (solved(a),) for a in (SPACE.sample(rng) for _ in range(40))}
    guided = [solved(a) for a in generating.draw(generating.learned(known), 1)]
    unguided = [solved(a) for a in generating.draw([], 1)]
    assert np.mean(unguided) == pytest.approx(0.5, abs=0.03)
    assert np.mean(guided) > np.quantile(unguided, 0.9)


@pytest.mark.slow
def test_three_objectives_guide_all_three() -> None:
    """Each draw by its own weighting, so that together they are better in each."""
    problem = Problem(SPACE, objectives=3)
    generating, rng = Generating(problem, steps=5), problem.rng(0)
    known = {SPACE.canonical(a): values(a, 3) for a in (SPACE.sample(rng) for _ in range(40))}
    learned = generating.learned(known)
    assert len(learned) == 3
    guided = np.mean([values(a, 3) for a in generating.draw(learned, 1)], axis=0)
    unguided = np.mean([values(a, 3) for a in generating.draw([], 1)], axis=0)
    assert (guided > unguided).all()


def test_failures_alone_guide_nowhere_and_hurt_nobody() -> None:
    controller = create("diffusion", Problem(SPACE), **QUICK)
    for number in range(4):
        (proposal,) = controller.ask(1)
        controller.tell([Trial(number, proposal, None, reason="failed")])
    assert len(controller.ask(2)) == 2


@pytest.mark.parametrize(("name", "options"), [("diffusion", QUICK), ("bo", {"startup": 3, "predictor": "forest"})])
def test_proposals_keep_to_the_limits(name: str, options: Any) -> None:
    """The first ones too, and though the best of all are beyond them."""
    limits = Limits()
    controller = create(name, Problem(SPACE, costs=limits), **options)
    proposed = []
    for number in range(7):
        (proposal,) = controller.ask(1)
        proposed.append(proposal)
        controller.tell([Trial(number, proposal, (solved(proposal),))])
    assert all(map(limits.within, proposed))
    assert len({SPACE.canonical(a) for a in proposed}) == 7


def test_limits_guide_the_draws() -> None:
    """More of the guided draws keep to them than of others."""
    limits = Limits()
    limits.limits = {"lasts": 1.5}
    generating = Generating(Problem(SPACE, costs=limits), steps=5)
    ((floor, least),) = generating._floors
    assert least == pytest.approx(-np.log(1.5))

    def lasts(towards: Any) -> float:
        drawn = generating.generator.draw(256, seed=1, guide=towards, how=generating._how).architectures
        return float(np.mean([limits(a)["lasts"] for a in drawn]))  # type: ignore[index]

    assert lasts(guide([], [(floor, least)])) < lasts(None) - 0.5


def test_nothing_within_the_limits_is_no_end() -> None:
    """The study refuses it and says so."""
    limits = Limits()
    limits.within = lambda architecture: False  # type: ignore[method-assign]
    controller = create("diffusion", Problem(SPACE, costs=limits), **QUICK)
    for _ in range(5):
        (proposal,) = controller.ask(1)
        controller.tell([Trial(-1, proposal, None, reason="beyond the limits")])
    assert len(controller.ask(1)) == 1


def test_what_a_pretrained_prior_expects_comes_first() -> None:
    asked = []

    def experience(name: str) -> Any:
        asked.append(name)
        return Twice(SPACE)

    controller = create(
        "diffusion", Problem(SPACE, experience=experience), pretrained=True, every=4, steps=5, predictor="forest"
    )
    (first,) = controller.ask(1)
    assert asked == ["pretrained"]
    assert SPACE.canonical(first) in Twice(SPACE).some[:2]
    controller.tell([Trial(0, first, (solved(first),))])
    (second,) = controller.ask(1)
    assert solved(second) >= np.quantile([solved(a) for a in Twice(SPACE).some], 0.9)


def test_what_is_pretrained_keeps_to_the_limits_too() -> None:
    limits = Limits()
    problem = Problem(SPACE, experience=lambda name: Twice(SPACE), costs=limits)
    controller = create("diffusion", problem, pretrained=True, every=4, steps=5, predictor="forest")
    assert all(map(limits.within, controller.ask(2)))


def test_the_generator_is_that_of_the_study() -> None:
    made: list[str] = []

    def generator() -> Any:
        made.append("once")
        return _of(SPACE)

    controller = create("diffusion", Problem(SPACE, generator=generator), **QUICK)
    assert made == []
    told(controller, [], 5, 1, 1)
    assert made == ["once"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "'every' of a controller must be a whole number, 1 or more; got 0"),
        ({"steps": 2.5}, "'steps' of a controller must be a whole number, 1 or more; got 2.5"),
        ({"startup": 0}, "'startup' of a controller must be a whole number, 1 or more; got 0"),
        ({"scale": -1.0}, "'scale' of a controller must be .*; got -1.0"),
        ({"hope": "much"}, "'hope' of a controller must be .*; got 'much'"),
        ({"predictor": "tree"}, "unknown predictor 'tree'"),
        ({"pretrained": True}, "prior pretrained needs a study"),
        ({"pretrained": "yes"}, "'pretrained' of a controller must be true or false; got 'yes'"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        create("diffusion", Problem(SPACE), **options)


def test_a_prior_is_of_one_objective() -> None:
    with pytest.raises(BadInput, match="a prior is of the quality alone and the study has 2 objectives"):
        create("diffusion", Problem(SPACE, objectives=2, experience=lambda name: Twice(SPACE)), pretrained=True)
