"""What LPGNAS proposes once the most probable networks were trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.base import Problem, Trial
from nas.controllers.lpgnas import ACCURATE, EVIDENCE, FRESH, LPGNAS, first, front, parents_of
from nas.controllers.resizing import in_most_bits, smaller_options
from nas.controllers.supernet.derived import likelihood
from nas.searchspace.space import Space
from tests.controllers.spaces import Flat, problem, with_formats

PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20)


@given(PAIRS)
def test_the_front_is_what_nothing_dominates(values: list[tuple[int, int]]) -> None:
    trials = [Trial(i, None, (float(a), float(b))) for i, (a, b) in enumerate(values)]
    kept = [trial.values for trial in front(trials)]
    pairs = {trial.values for trial in trials}
    assert kept == sorted(kept, reverse=True)
    assert set(kept) == {p for p in pairs if not any(q != p and q[0] >= p[0] and q[1] >= p[1] for q in pairs)}
    assert len(kept) == len(set(kept))


@given(PAIRS)
def test_parents_are_the_front_and_the_most_accurate(values: list[tuple[int, int]]) -> None:
    trials = [Trial(i, None, (float(a), float(b))) for i, (a, b) in enumerate(values)]
    found = {t.number for t in parents_of(trials)}
    assert found >= {t.number for t in front(trials)}
    best = sorted(map(first, trials), reverse=True)[:ACCURATE]
    assert [first(t) for t in parents_of(trials)][: len(best)] == best


def test_children_are_near_the_front_and_new() -> None:
    space = Space(with_formats("lpgnas", Flat))
    controller, asked, told = begun(space)
    controller.tell([*told, Trial(7, space.sample(asked.rng(99)), None, reason="failed")])
    children = [made for number, made in enumerate(controller.ask(40), 7) if number % FRESH != FRESH - 1]
    known = {space.canonical(t.architecture) for t in told}
    assert not known & {space.canonical(a) for a in children}
    parents = [space.knobs(t.architecture) for t in told]
    far = [nearest(space.knobs(space.sample(asked.rng(i))), parents) for i in range(200)]
    near = [nearest(space.knobs(child), parents) for child in children]
    assert near.count(1) / len(near) > max(0.5, 1.2 * far.count(1) / len(far))


def test_until_something_was_told_they_are_drawn() -> None:
    space = Space(with_formats("lpgnas", Flat))
    controllers = [LPGNAS(problem("lpgnas", space, objectives=2), epochs=2, derived=1) for _ in range(2)]
    whole, failed = (controller.ask(7) for controller in controllers)
    controllers[1].tell([Trial(i, a, None, reason="failed") for i, a in enumerate(failed)])
    assert whole == failed
    assert controllers[0].ask(4) == controllers[1].ask(4)


def test_some_are_of_the_whole_space_whatever_the_supernet_says() -> None:
    space = Space(with_formats("lpgnas", Flat))
    asked = problem("lpgnas", space, objectives=2)
    controller = LPGNAS(asked, epochs=2, derived=1)
    made = controller.ask(7)
    controller.tell([Trial(i, a, (1.0 / (i + 1), float(i))) for i, a in enumerate(made)])
    made += controller.ask(20)
    fresh = {number for number, one in enumerate(made) if one == space.sample(asked.rng(number))}
    assert fresh == {number for number in range(27) if number % FRESH == FRESH - 1}


def test_each_kind_has_its_turn() -> None:
    """More accurate or smaller ones, others, and one of the whole space."""
    space = Space(with_formats("lpgnas", Flat))
    controller, _, told = begun(space)
    controller.tell(told)
    parents = [t.architecture for t in told]
    made = dict(enumerate(controller.ask(33), 7))
    for number, one in made.items():
        if number % FRESH == 0:
            assert in_most_bits(space, one) == one
        if number % FRESH == 1:
            assert any(is_smaller(space.knobs(one), space.knobs(parent), space) for parent in parents)


def is_smaller(one: dict[str, Any], other: dict[str, Any], space: Space[Any]) -> bool:
    changed = [path for path in other if one[path] != other[path]]
    every = space.every_knob()
    return len(changed) == 1 and one[changed[0]] in smaller_options(every[changed[0]], other[changed[0]])


def test_a_supernet_that_is_wrong_is_not_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that are the better the more, or the less, probable they are."""
    space = Space(with_formats("lpgnas", Flat))
    redrawn = LPGNAS._redrawn
    for sign in (1, -1):
        asked = list[int]()
        controller = LPGNAS(problem("lpgnas", space, objectives=2), epochs=20, derived=2)
        made = controller.ask(EVIDENCE)
        ranks = ranks_of(controller, made)
        controller.tell([Trial(i, a, (sign * ranks[i], -1.0)) for i, a in enumerate(made)])
        monkeypatch.setattr(LPGNAS, "_redrawn", lambda *given, asked=asked: asked.append(1) or redrawn(*given))
        later = controller.ask(40)
        assert bool(asked) == (sign > 0)
        assert all(found not in made for found in later[2::FRESH])
        monkeypatch.undo()


def nearest(one: dict[str, Any], others: Sequence[dict[str, Any]]) -> int:
    """In how many knobs it differs from the one that it differs least from."""
    return min(sum(one[path] != value for path, value in other.items()) for other in others)


def ranks_of(controller: LPGNAS, made: Sequence[Any]) -> list[float]:
    """How probable each is for the supernet, as its rank."""
    probabilities, knobs = controller._probabilities[0], controller.training.net.knobs
    each = [likelihood(probabilities, knobs, controller.space.knobs(a)) for a in made]
    return [float(sorted(each).index(value)) for value in each]


def begun(space: Space[Any]) -> tuple[LPGNAS, Problem, list[Trial]]:
    """A controller whose first proposal was the best of seven."""
    asked = problem("lpgnas", space, objectives=2)
    controller = LPGNAS(asked, epochs=2, derived=1)
    best, *rest = controller.ask(7)
    return controller, asked, [Trial(0, best, (1.0, 1.0)), *(Trial(i, a, (0.5, 0.5)) for i, a in enumerate(rest, 1))]
