"""What sets each of our own controllers apart."""

from __future__ import annotations

import pytest

from nas.controllers import Problem, Trial
from nas.controllers.evolution import Evolution
from nas.controllers.grid import Grid
from nas.controllers.local_search import LocalSearch
from nas.controllers.random_search import RandomSearch
from nas.searchspace.errors import BadInput
from nas.searchspace.language import architecture, choice
from nas.searchspace.space import Space
from tests.controllers.spaces import SPACES, Flat, score

FLAT = SPACES["Flat"]


@architecture
class Pair:
    """Two branches whose order does not matter."""

    left: int = choice(1, 2, 3)
    right: int = choice(1, 2, 3)

    def canonical(self, task: object) -> Pair:
        return Pair(left=min(self.left, self.right), right=max(self.left, self.right))


def told(number: int, proposed: object, value: float | None) -> Trial:
    return Trial(number, proposed, None if value is None else (value,))


def changes(a: Flat, b: Flat) -> int:
    return sum(FLAT.knobs(a)[path] != value for path, value in FLAT.knobs(b).items())


def test_random_ignores_what_it_is_told() -> None:
    one, other = RandomSearch(Problem(FLAT)), RandomSearch(Problem(FLAT))
    other.tell([told(0, other.ask(1)[0], 9.0)])
    assert one.ask(3)[1:] == other.ask(2)


def test_grid_lists_each_network_once_in_order() -> None:
    grid = Grid(Problem(Space(Pair)))
    assert [(a.left, a.right) for a in grid.ask(99)] == [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)]
    assert grid.ask(1) == []


def test_grid_skips_what_came_from_elsewhere_and_repeats_what_was_lost() -> None:
    grid = Grid(Problem(Space(Pair)))
    grid.tell([told(0, Pair(left=1, right=1), 0.0), told(1, Pair(left=3, right=2), None)])
    assert [(a.left, a.right) for a in grid.ask(99)] == [(1, 2), (1, 3), (2, 2), (3, 3)]


def test_grid_refuses_real_numbers() -> None:
    with pytest.raises(BadInput, match=r"cannot list the space 'Conditional': 'rate' is a real number"):
        Grid(Problem(SPACES["Conditional"]))


def test_evolution_mutates_the_best_of_the_living() -> None:
    evolution = Evolution(Problem(FLAT), population=3, sample=3)
    first = evolution.ask(3)
    assert first == RandomSearch(Problem(FLAT)).ask(3)
    evolution.tell([told(i, a, v) for i, (a, v) in enumerate(zip(first, (9.0, None, 1.0), strict=True))])
    assert all(changes(first[0], child) == 1 for child in evolution.ask(5))
    evolution.tell([told(3, first[2], 2.0)])  # the oldest, though best, dies
    assert all(changes(first[2], child) == 1 for child in evolution.ask(5))


def test_local_search_moves_to_the_first_better_neighbour_and_restarts_on_a_summit() -> None:
    search = LocalSearch(Problem(FLAT), starts=2)
    starts = search.ask(2)
    search.tell([told(0, starts[0], 1.0), told(1, starts[1], 2.0)])
    (worse,) = search.ask(1)
    assert changes(starts[1], worse) == 1
    search.tell([told(2, worse, None)])
    (better,) = search.ask(1)
    assert changes(starts[1], better) == 1
    search.tell([told(3, better, 3.0)])
    around = set(FLAT.neighbours(better, Problem(FLAT).rng(0)))
    seen = set()
    for number in range(4, 4 + len(around - {starts[1], worse, starts[0]})):
        (proposal,) = search.ask(1)
        seen.add(proposal)
        search.tell([told(number, proposal, 0.0)])
    assert seen == around - {starts[1], worse, starts[0]}
    (restart,) = search.ask(1)
    search.tell([told(99, restart, -1.0)])
    assert changes(restart, search.ask(1)[0]) == 1


def test_local_search_finds_the_summit_and_repeats_nothing_on_its_way() -> None:
    search = LocalSearch(Problem(FLAT, seed=2))
    best = max(map(score, FLAT.enumerate()))
    seen: list[Flat] = []
    while not seen or score(seen[-1]) < best:
        (proposal,) = search.ask(1)
        seen.append(proposal)
        search.tell([told(len(seen), proposal, score(proposal))])
    climb = seen[10:]
    assert len(climb) == len(set(climb)) < 60
