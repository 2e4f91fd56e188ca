"""What LPGNAS proposes once the most probable networks were trained."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nas.controllers.base import Trial
from nas.controllers.lpgnas import FRESH, LPGNAS, front
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


def test_children_are_near_the_front_and_new() -> None:
    space = Space(with_formats("lpgnas", Flat))
    asked = problem("lpgnas", space, objectives=2)
    controller = LPGNAS(asked, epochs=2, derived=1)
    first = controller.ask(5)
    best, *rest = first
    told = [Trial(0, best, (1.0, 1.0)), *(Trial(i, a, (0.5, 0.5)) for i, a in enumerate(rest, 1))]
    controller.tell([*told, Trial(5, space.sample(asked.rng(99)), None, reason="failed")])
    children = controller.ask(30)
    known = {space.canonical(a) for a in first}
    assert not known & {space.canonical(a) for a in children}
    knobs = space.knobs(best)

    def apart(other: object) -> int:
        return sum(knobs[path] != value for path, value in space.knobs(other).items())

    far = [apart(space.sample(asked.rng(i))) for i in range(200)]
    near = [apart(child) for child in children]
    assert near.count(1) >= 10
    assert sum(near) / len(near) < 0.7 * sum(far) / len(far)


def test_until_something_was_told_they_are_drawn() -> None:
    space = Space(with_formats("lpgnas", Flat))
    controllers = [LPGNAS(problem("lpgnas", space, objectives=2), epochs=2, derived=1) for _ in range(2)]
    whole, failed = (controller.ask(5) for controller in controllers)
    controllers[1].tell([Trial(i, a, None, reason="failed") for i, a in enumerate(failed)])
    assert whole == failed
    assert controllers[0].ask(4) == controllers[1].ask(4)


def test_some_are_of_the_whole_space_whatever_the_supernet_says() -> None:
    space = Space(with_formats("lpgnas", Flat))
    asked = problem("lpgnas", space, objectives=2)
    controller = LPGNAS(asked, epochs=2, derived=1)
    controller.tell([Trial(i, a, (1.0 / (i + 1), float(i))) for i, a in enumerate(controller.ask(5))])
    later = dict(enumerate(controller.ask(20), 5))
    fresh = {number for number, made in later.items() if made == space.sample(asked.rng(number))}
    assert fresh == {number for number in later if number % FRESH == 0}
