"""One suite for every registered controller behind a screen."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.controllers import CONTROLLERS, Problem, Trial, create, learned_ranking
from nas.controllers.learned_ranking import LearnedRanking
from nas.controllers.screening import RankSum, Screened
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from tests.controllers.spaces import (
    QUICK,
    SPACES,
    SUPERNETS,
    Tiny,
    Twelve,
    judge,
    problem,
    score,
    solved,
    space_for,
    with_formats,
)

NAMES = [name for name in CONTROLLERS.names() if name != "grid"]
MODELLED = ("gp", "bo", "diffusion")
"""They need few trials, and take their time for each."""
POOL = 4
COLUMNS = ("proxy_toy", "proxy_worthless")
LEARNED, SUM = "learned", "sum"


def toy(architecture: Any) -> dict[str, float]:
    """A score that ranks and one that does not; some architectures have none of one kind."""
    noise = random.Random(str(architecture)).random()
    good = solved(architecture) if isinstance(architecture, Twelve) else score(architecture)
    found = {"proxy_toy": good + noise, "proxy_worthless": noise, "proxy_seconds_toy": 0.5}
    return {k: v for k, v in found.items() if k != "proxy_worthless" or noise < 0.8}


def ranking_of(kind: str, space: Space[Any]) -> Any:
    return RankSum(COLUMNS[:1]) if kind == SUM else LearnedRanking(space, COLUMNS, 0)


def make(
    name: str, space: Space[Any], kind: str = SUM, seed: int = 0, objectives: int = 1, pool: int = POOL
) -> Screened:
    inner = create(name, problem(name, space, seed, objectives), **QUICK.get(name, {}))
    return Screened(inner, space, toy, ranking_of(kind, space), pool)


def told(controller: Screened, trials: Sequence[Trial]) -> list[Trial]:
    """The trials with what the controller says about them, as the study keeps them."""
    kept = [replace(t, metrics={k: v for k, v in controller.about(t.architecture).items() if "seconds" not in k})
            for t in trials]  # fmt: skip
    controller.tell(kept)
    return kept


Batch = list[Trial]


def search(controller: Screened, past: list[Batch], batches: int, size: int = 1, objectives: int = 1) -> list[Batch]:
    """``past`` and ``batches`` more; every fifth batch is one of an architecture from elsewhere."""
    past = list(past)
    for _ in range(batches):
        number = sum(map(len, past))
        elsewhere = len(past) % 5 == 4
        rng = random.Random(f"elsewhere {number}")
        proposed = [controller.space.sample(rng)] if elsewhere else controller.ask(size)
        past.append(told(controller, judge(number, proposed, objectives)))
    return past


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned ranking concludes after few trials."""
    monkeypatch.setattr(learned_ranking, "LEAST", 5)
    monkeypatch.setattr(learned_ranking, "TREES", 20)
    monkeypatch.setattr("nas.predictors.forest.Forest.__init__.__defaults__", (20, 0, 1))


# every controller


@pytest.mark.each_once
@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", [SUM, LEARNED])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("which", ["Conditional", "Tiny", "Cell"])
@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_uninterrupted(name: str, which: str, size: int, kind: str) -> None:
    space, batches, splits = space_for(name, which), 9, (1, 6)
    if name in (*MODELLED, "darts", "lpgnas"):  # each of the searches begins with a training of its own
        size, batches, splits = 1, 6, (5,)
    whole = search(make(name, space, kind, 1), [], batches, size)
    for split in splits:
        resumed = make(name, space, kind, 1)
        for batch in whole[:split]:
            resumed.tell(batch)
        assert search(resumed, whole[:split], batches - split, size) == whole


@pytest.mark.parametrize("name", [name for name in NAMES if CONTROLLERS.load(name).multi_objective])
def test_resumed_equals_uninterrupted_with_two_objectives(name: str) -> None:
    space = space_for(name)
    whole = search(make(name, space, seed=1, objectives=2, pool=2), [], 6, objectives=2)
    resumed = make(name, space, seed=1, objectives=2, pool=2)
    assert resumed.multi_objective
    for batch in whole[:5]:
        resumed.tell(batch)
    assert search(resumed, whole[:5], 1, objectives=2) == whole


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_make_equal_searches_and_others_do_not(name: str) -> None:
    space = space_for(name, "Flat")
    first, again, other = (search(make(name, space, seed=seed, pool=2), [], 5) for seed in (5, 5, 6))
    assert first == again != other


@pytest.mark.parametrize("name", NAMES)
def test_until_there_is_evidence_the_search_is_the_one_without_a_screen(name: str) -> None:
    space = space_for(name)
    screened, plain = make(name, space, LEARNED, 3), create(name, problem(name, space, 3), **QUICK.get(name, {}))
    for number in range(12):
        (proposal,) = screened.ask(1)
        assert [proposal] == plain.ask(1)
        trials = judge(number, [proposal])
        assert told(screened, trials)[0].metrics.keys() <= {*COLUMNS}  # its scores, and that it was chosen from none
        plain.tell(trials)


LEARNING = [("random", LEARNED), ("evolution", LEARNED), ("tpe", LEARNED)]


RANKED = [(name, SUM) for name in NAMES if name not in ("gp", "diffusion")]
DRAWING = pytest.param("diffusion", SUM, marks=pytest.mark.slow)


@pytest.mark.parametrize(("name", "kind"), [*RANKED, *LEARNING, DRAWING])
def test_trials_are_better_behind_a_screen_that_ranks(name: str, kind: str) -> None:
    """Twelve independent knobs, and a score that agrees with the value, with noise."""
    space, trials, options = Space(with_formats(name, Twelve)), 24 if kind == SUM else 60, {}
    if name in SUPERNETS:
        options = QUICK[name]

    def noisy(architecture: Any) -> dict[str, float]:
        return {"proxy_toy": solved(architecture) + 0.05 * random.Random(str(architecture)).gauss(0, 1)}

    inner = create(name, problem(name, space), **options)
    ranking = RankSum(COLUMNS[:1]) if kind == SUM else LearnedRanking(space, COLUMNS[:1], 0)
    screened = Screened(inner, space, noisy, ranking, 8)
    assert _mean(screened, trials) > _mean(create(name, problem(name, space), **options), trials)


def _mean(controller: Any, trials: int) -> float:
    found = []
    about: Callable[[Any], Any] = getattr(controller, "about", lambda _: {})
    for number in range(trials):
        (proposal,) = controller.ask(1)
        found.append(solved(proposal))
        controller.tell([Trial(number, proposal, (solved(proposal),), about(proposal))])
    return fmean(found)


@pytest.mark.parametrize("name", NAMES)
def test_proposals_that_are_never_told_leave_nothing_behind(name: str) -> None:
    controller = make(name, space_for(name, "Flat"))
    for number in range(4 if name in MODELLED else 12):
        first, second = controller.ask(2)
        assert len(getattr(controller.inner, "pending", "ab")) == 2
        told(controller, judge(2 * number, [second, first]))
        assert not getattr(controller.inner, "pending", [])
        assert not controller._out
        assert not controller._notes
    if hasattr(controller.inner, "study"):
        assert not [t for t in controller.inner.study.get_trials(deepcopy=False) if not t.state.is_finished()]
        complete = [t for t in controller.inner.study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
        assert len(complete) == sum(1 for n in range(8 if name in MODELLED else 24) if n % 7 != 3)


@pytest.mark.parametrize("name", NAMES)
def test_where_all_is_known_the_controller_repeats_itself(name: str) -> None:
    controller = make(name, space_for(name, "Tiny"))
    asked = []
    for number in range(14):
        (proposal,) = controller.ask(1)
        trial = Trial(number, proposal, (float(number % 3),))
        asked.append(proposal)
        assert ("screened" in told(controller, [trial])[0].metrics) == (asked.count(proposal) == 1)
    assert len(set(asked)) == 4


@pytest.mark.parametrize("name", ["evolution", "agnn"])
def test_what_was_left_out_does_not_count_as_a_random_start(name: str) -> None:
    """The first so many trials are random ones, however large the pool."""
    options = {"evolution": {"population": 6, "sample": 2}, "agnn": {"initial": 6}}[name]
    space = Space(Twelve)
    inner = create(name, Problem(space, 0), **options)
    controller = Screened(inner, space, lambda a: {"proxy_toy": solved(a)}, RankSum(COLUMNS[:1]), 2)
    knobs = [space.knobs(a) for a in _proposals(controller, 7)]
    apart = [min(sum(a[k] != b[k] for k in a) for b in knobs[:i]) for i, a in enumerate(knobs) if i]
    assert min(apart[:4]) > 3
    assert apart[5] <= 3  # a small step


def _proposals(controller: Screened, count: int) -> list[Any]:
    asked = []
    for number in range(count):
        (proposal,) = controller.ask(1)
        controller.tell([Trial(number, proposal, (solved(proposal),))])
        asked.append(proposal)
    return asked


# what a screen does


class Listed:
    """Proposes what it is given and remembers what it is told."""

    multi_objective = False

    def __init__(self, proposals: Sequence[Any]) -> None:
        self.rest = list(proposals)
        self.asked: list[int] = []
        self.past: list[Any] = []

    def ask(self, n: int) -> list[Any]:
        self.asked.append(n)
        taken, self.rest = self.rest[:n], self.rest[n:]
        return taken

    def tell(self, trials: Sequence[Trial]) -> None:
        self.past += [trial.architecture for trial in trials]


def listed(proposals: Sequence[Any], scores: dict[Any, float], pool: int = 3, space: Any = None) -> Screened:
    found = {a: {"proxy_toy": value} for a, value in scores.items()}
    return Screened(Listed(proposals), space or SPACES["Tiny"], lambda a: found.get(a, {}), RankSum(COLUMNS[:1]), pool)


A, B, C, D = (Tiny(conv=conv, skip=skip) for conv in ("gcn", "gat") for skip in (True, False))


def test_the_best_is_proposed_of_equals_the_first_and_of_those_without_a_score_the_first_too() -> None:
    assert listed([A, B, C], {A: 1, B: 3, C: 2}).ask(1) == [B]
    assert listed([A, B, C], {A: 1, B: 2, C: 2}).ask(1) == [B]
    assert listed([A, B, C], {C: -5}).ask(1) == [C]
    assert listed([A, B, C], {}).ask(1) == [A]


def test_what_is_known_or_out_is_left_out_of_a_pool() -> None:
    controller = listed([A, B, C, A, B, D, A, B, C, D], {A: 4, B: 3, C: 2, D: 1})
    assert controller.ask(2) == [A, B]
    controller.tell([Trial(0, A, (0.0,)), Trial(1, B, None)])
    assert controller.ask(1) == [C]
    assert controller.about(C) == {"proxy_toy": 2, "screened": 1, "screening_seconds": pytest.approx(0, abs=1)}
    controller.tell([Trial(2, C, (0.0,))])
    assert controller.ask(1) == [D]
    assert controller.inner.asked == [3, 3, 3, 3]
    assert controller.ask(1) == []


def test_a_network_counts_once_however_it_is_described() -> None:
    class Same(Space[Any]):
        def canonical(self, architecture: Any) -> Any:
            return architecture.conv

    controller = listed([A, B, C, D], {A: 1, B: 5, C: 0}, 3, Same(Tiny))
    assert controller.ask(1) == [A]  # B is the same network, and A was its first description
    assert controller.about(A)["screened"] == 2
    controller.tell([Trial(0, A, (0.0,))])
    assert controller.ask(1) == [D]


def test_a_controller_without_forget_and_recall_is_asked_again_for_the_past() -> None:
    controller = listed([A, B, C, D, A, B], {A: 1, B: 3, C: 2, D: 1})
    controller.tell([Trial(0, B, (1.0,))])
    assert controller.inner.rest == [D, A, B]
    assert controller.inner.past == [B]
    assert controller.ask(1) == [D]


def test_ranks_are_added() -> None:
    rows = [{"a": 5.0, "b": 0.0}, {"a": 4.0, "b": 2.0}, {"a": 3.0, "b": 1.0}, {"b": 9.0}]
    worth = RankSum(["a", "b"]).worth([A, B, C, D], rows)
    assert worth == [3.5 + 0.5, 2.5 + 2.5, 1.5 + 1.5, 0.5 + 3.5]
    weighed = RankSum(["a", "b"], [2, 0.5]).worth([A, B, C, D], rows)
    assert weighed == [7 + 0.25, 5 + 1.25, 3 + 0.75, 1 + 1.75]


SCORES = st.lists(st.fixed_dictionaries({}, optional={"a": st.integers(-9, 9), "b": st.integers(-9, 9)}), min_size=1)


@given(SCORES)
def test_only_the_order_of_scores_matters(rows: list[dict[str, int]]) -> None:
    ranking = RankSum(["a", "b"])
    worth = ranking.worth([None] * len(rows), rows)
    assert worth == ranking.worth([None] * len(rows), [{k: v**3 for k, v in row.items()} for row in rows])
    assert worth == ranking.worth([None] * len(rows), rows[::-1])[::-1]
    assert sum(worth) == len(rows) ** 2


def test_a_grid_cannot_be_screened() -> None:
    with pytest.raises(BadInput, match=r"grid proposes every architecture once, so .* such as random or evolution, or"):
        make("grid", SPACES["Flat"])
