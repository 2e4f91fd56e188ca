"""The ranking that a screen learns: from trials, and from other data sets before them."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from nas.controllers import Trial, learned_ranking
from nas.controllers.learned_ranking import LearnedRanking
from nas.predictors import several_sources
from nas.predictors.agreement import spearman
from nas.predictors.elsewhere import Elsewhere
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.space import Space
from tests.controllers.spaces import SPACES, Flat, Twelve, score, solved
from tests.controllers.test_screening import COLUMNS, toy


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_sources, "TOGETHER", 100)
    monkeypatch.setattr(several_sources, "ALONE", 30)
    monkeypatch.setattr(learned_ranking, "TREES", 60)


def learned(trials: int, value: Callable[[Any], float | None], space: Space[Any] | None = None) -> LearnedRanking:
    space = space or SPACES["Flat"]
    ranking = LearnedRanking(space, COLUMNS, 0)
    for number in range(trials):
        architecture = space.sample(random.Random(number))
        found = value(architecture)
        ranking.learn(Trial(number, architecture, None if found is None else (found,), toy(architecture)))
    return ranking


def test_it_is_ready_when_it_ranks_and_not_before_twenty_trials() -> None:
    assert not learned(19, score).ready()
    ranking = learned(40, score)
    assert ranking.ready()
    space = SPACES["Flat"]
    pool = [space.sample(random.Random(-n)) for n in range(1, 30)]
    worth = ranking.worth(pool, [toy(a) for a in pool])
    best = max(range(len(pool)), key=worth.__getitem__)
    assert score(pool[best]) >= sorted(map(score, pool))[-5]


def test_without_evidence_it_never_gets_a_say() -> None:
    space = Space(Twelve)
    ready = [learned(24, lambda a, s=seed: random.Random(f"{s} {a}").random(), space).ready() for seed in range(12)]
    assert sum(ready) <= 1  # of 12, at 2.5 % each
    for value in (0.5, None, float("inf")):
        assert not learned(30, lambda _, value=value: value).ready()


def elsewhere(value: Callable[[Any], float], evidence: tuple[float, int] = (0.8, 20)) -> Elsewhere:
    space = Space(Twelve)
    known = [space.sample(random.Random(f"elsewhere {n}")) for n in range(80)]
    values = normal_scores(np.array([value(a) for a in known]))
    return Elsewhere(("one", "other"), np.arange(80) % 2, tuple(known), values, np.ones(80), evidence)


def begun(known: Elsewhere, value: Callable[[Any], float], trials: int) -> LearnedRanking:
    space = Space(Twelve)
    ranking = LearnedRanking(space, (), 0, known)
    for number in range(trials):
        architecture = space.sample(random.Random(number))
        ranking.learn(Trial(number, architecture, (value(architecture),)))
    return ranking


def noise_of(architecture: Any) -> float:
    return random.Random(f"noise {architecture}").random()


def test_what_is_known_from_elsewhere_has_a_say_at_once_if_it_ranked_elsewhere() -> None:
    ranking = begun(elsewhere(solved), solved, 0)
    assert ranking.ready()
    pool = [Space(Twelve).sample(random.Random(-n)) for n in range(1, 60)]
    worth = ranking.worth(pool, [{}] * len(pool))
    assert spearman(worth, [solved(a) for a in pool]) > 0.4
    assert not begun(elsewhere(solved, (0.2, 20)), solved, 0).ready()
    (trace,) = ranking.traces()
    assert "It began with 80 trainings on other data sets" in trace.about
    assert "which counts as 20 trials" in trace.about
    assert list(trace.lines) == ["correlation here and elsewhere", "lower end of the interval"]


def test_what_is_wrong_here_loses_its_say_and_what_is_right_gets_it() -> None:
    wrong = elsewhere(lambda a: -solved(a), (0.6, 12))
    assert begun(wrong, noise_of, 0).ready()
    assert not begun(wrong, noise_of, 30).ready()
    assert begun(elsewhere(solved, (0.0, 4)), solved, 30).ready()


def test_trials_that_were_chosen_are_not_held_against_their_like() -> None:
    """Half of them are below their median, and yet better than what was left out."""
    space, known = Space(Twelve), elsewhere(solved)
    drawn = sorted((space.sample(random.Random(n)) for n in range(300)), key=solved)
    ranking = LearnedRanking(space, (), 0, known)

    def gap() -> float:
        middle, good = (ranking.worth(part, [{}] * len(part)) for part in (drawn[100:200], drawn[240:270]))
        return fmean(good) - fmean(middle)

    before = gap()
    for number, architecture in enumerate(drawn[-30:]):
        ranking.learn(Trial(number, architecture, (noise_of(architecture),)))  # nothing tells them apart
    assert gap() > before / 2


def test_trials_here_count_more_than_trainings_elsewhere() -> None:
    pool = [Space(Twelve).sample(random.Random(-n)) for n in range(1, 60)]
    found = [
        spearman(
            begun(elsewhere(lambda a: -solved(a)), solved, trials).worth(pool, [{}] * len(pool)),
            [solved(a) for a in pool],
        )
        for trials in (0, 20, 60)
    ]
    assert found[0] < -0.4
    assert found == sorted(found)
    assert found[-1] > 0.3


def test_it_learns_anew_when_a_tenth_is_new_and_shows_what_it_found() -> None:
    (trace,) = learned(60, score).traces()
    correlations, lower = trace.lines.values()
    assert [number + 1 for number, _ in correlations] == [20, 22, 25, 28, 31, 35, 39, 43, 48, 53, 59]
    assert all(low < value for (_, value), (_, low) in zip(correlations, lower, strict=True))
    assert correlations[-1][1] > 0.7


def test_a_score_beyond_all_bounds_and_a_missing_one_do_no_harm() -> None:
    space = SPACES["Flat"]
    ranking = LearnedRanking(space, ("proxy_huge", "proxy_never"), 0)
    for number in range(30):
        architecture = space.sample(random.Random(number))
        huge = 10.0 ** score(architecture)
        ranking.learn(Trial(number, architecture, (score(architecture),), {"proxy_huge": huge}))
    assert ranking.ready()
    pool = [Flat(conv="gcn", hidden=16, skip=True, dropout=0), Flat(conv="gcn", hidden=256, skip=True, dropout=6)]
    low, high = ranking.worth(pool, [{"proxy_huge": 10.0 ** score(a)} for a in pool])
    assert low < high
