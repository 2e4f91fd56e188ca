"""Bayesian optimisation beyond what every controller must do."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from nas.controllers import Problem, Trial, create
from nas.controllers.bo import ACQUISITIONS
from nas.controllers.candidates import CANDIDATES
from nas.controllers.surrogate import front, targets
from nas.predictors.registry import PREDICTORS
from nas.predictors.transfer import Experience
from nas.searchspace.errors import BadInput
from nas.searchspace.language import architecture, real
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from tests.controllers.spaces import SPACES, Twelve, solved

SPACE = Space(Twelve)
TASK = Task("toy", "node", "multiclass", features=8, outputs=3, metric="accuracy", split="given", identity="toy")


def searched(controller: Any, trials: int, value: Any = solved) -> list[Any]:
    asked = []
    for number in range(trials):
        (proposal,) = controller.ask(1)
        asked.append(proposal)
        controller.tell([Trial(number, proposal, (value(proposal),))])
    return asked


LEARNING = [name for name in PREDICTORS.names() if name != "gnn"]


@pytest.mark.each_once
@pytest.mark.parametrize("acquisition", ACQUISITIONS)
@pytest.mark.parametrize("predictor", LEARNING)
def test_every_predictor_and_acquisition_learns_what_is_good(predictor: str, acquisition: str) -> None:
    controller = create("bo", Problem(SPACE), predictor=predictor, acquisition=acquisition, startup=8)
    values = [solved(a) for a in searched(controller, 20)]
    assert np.mean(values[-8:]) > np.mean(values[:8])


def test_a_predictor_of_graphs_needs_a_space_with_networks() -> None:
    space = find("nasbench-graph").for_task(TASK)
    controller = create("bo", Problem(space), predictor="gnn", startup=4)
    assert len({space.canonical(a) for a in searched(controller, 5, lambda a: float(a.nodes[0].op == "gcn"))}) == 5
    with pytest.raises(BadInput, match="has no graphs"):
        searched(create("bo", Problem(SPACE), predictor="gnn", startup=2), 3)


@pytest.mark.parametrize("candidates", CANDIDATES)
def test_nothing_is_proposed_twice(candidates: str) -> None:
    space = SPACES["Flat"]
    controller = create("bo", Problem(space), candidates=candidates, startup=3)
    asked = searched(controller, 14, lambda a: float(len(str(a)) % 5))
    assert len({space.canonical(a) for a in asked}) == len(asked)


def test_proposals_that_are_out_are_spread() -> None:
    controller = create("bo", Problem(SPACE), startup=4)
    searched(controller, 8)
    together = controller.ask(6)
    assert len({SPACE.canonical(a) for a in together}) == 6


def test_two_objectives_are_both_pursued() -> None:
    """High ends of the first knobs, low ends of the last ones: the front dominates more than that of random search."""

    def values(a: Any) -> tuple[float, float]:
        on = [("off", "low", "mid", "high").index(bit.on) for bit in a.bits]
        return float(sum(on[:6])), -float(sum(on[6:]))

    controller = create("bo", Problem(SPACE, objectives=2), startup=8)
    found = []
    for number in range(24):
        (proposal,) = controller.ask(1)
        found.append(values(proposal))
        controller.tell([Trial(number, proposal, found[-1])])
    rng = random.Random(0)
    assert _area(found) > 1.2 * _area([values(SPACE.sample(rng)) for _ in range(24)])


def _area(points: Sequence[tuple[float, float]]) -> float:
    from tests.controllers.test_acquisition import area

    return area(np.array(points), np.array([0.0, -18.0]))


def test_three_objectives_are_weighted_at_random() -> None:
    controller = create("bo", Problem(SPACE, objectives=3), startup=3)
    for number in range(6):
        (proposal,) = controller.ask(1)
        on = [("off", "low", "mid", "high").index(bit.on) for bit in proposal.bits]
        controller.tell([Trial(number, proposal, (float(sum(on[:4])), float(sum(on[4:8])), -float(sum(on[8:]))))])
    assert len(controller.ask(2)) == 2


def test_a_failed_trial_counts_as_the_worst() -> None:
    scores = targets([(1.0,), (0.0,), None, (0.5,)], 1, random.Random(0))[:, 0]
    assert scores[0] > scores[3] > scores[1] > scores[2]


def test_scores_are_asked_of_the_shortlist_and_of_what_is_known() -> None:
    asked = []

    def score(a: Any) -> Mapping[str, float]:
        asked.append(SPACE.canonical(a))
        return {"proxy_toy": solved(a)}

    def scores(names: Sequence[str]) -> Any:
        assert names == ["toy"]
        return score, ["proxy_toy"]

    controller = create("bo", Problem(SPACE, scores=scores), startup=4, scores="toy", shortlist=5)
    searched(controller, 5)
    assert len(set(asked)) <= 5 + 4
    assert controller.about(SPACE.sample(random.Random(0))).keys() == {"proxy_toy"}  # type: ignore[attr-defined]


def test_with_scores_that_tell_the_truth_it_finds_more() -> None:
    def scores(names: Sequence[str]) -> Any:
        return (lambda a: {"proxy_toy": solved(a)}), ["proxy_toy"]

    def reached(**options: Any) -> float:
        found = [max(map(solved, searched(create("bo", Problem(SPACE, seed, scores=scores), startup=4, **options), 10)))
                 for seed in range(3)]  # fmt: skip
        return float(np.mean(found))

    assert reached(scores="toy") >= reached()


def experienced(expected: Any) -> Any:
    def scores(architectures: Sequence[Any]) -> np.ndarray:
        return np.array([[expected(a), 0.0] for a in architectures])

    def best(n: int, weights: np.ndarray) -> list[Any]:
        rng = random.Random(0)
        drawn = {SPACE.canonical(SPACE.sample(rng)) for _ in range(300)}
        return sorted(drawn, key=lambda a: (-expected(a), str(a)))[:n]

    return lambda table: Experience(("one", "two"), np.array([[0.0], [9.0]]), np.array([0.5]), scores, best)


def test_a_prior_says_where_to_begin() -> None:
    controller = create("bo", Problem(SPACE, experience=experienced(solved)), prior="toy", startup=3)
    begun = searched(controller, 3)
    rng = random.Random(1)
    assert min(map(solved, begun)) >= np.quantile([solved(SPACE.sample(rng)) for _ in range(200)], 0.9)


def test_a_prior_that_is_wrong_is_found_out() -> None:
    wrong = Problem(SPACE, experience=experienced(lambda a: -solved(a)))
    values = list(map(solved, searched(create("bo", wrong, prior="toy", startup=3), 25)))
    assert max(values[12:]) > max(values[:3])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"acquisition": "pi"}, "unknown acquisition 'pi'; .*known: ei, thompson, ucb"),
        ({"candidates": "al"}, "unknown candidate generator 'al'; did you mean 'all'"),
        ({"predictor": "tree"}, "unknown predictor 'tree'"),
        ({"startup": 0}, "'startup' of a controller must be a whole number, 1 or more; got 0"),
        ({"shortlist": 1}, "'shortlist' of a controller must be a whole number, 2 or more; got 1"),
        ({"scores": "synflow"}, "scores synflow are those of networks on a graph, and here is none"),
        ({"prior": "nasbench-graph"}, "prior nasbench-graph needs a study"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        create("bo", Problem(SPACE), **options)


def test_several_objectives_take_no_other_acquisition_and_no_prior() -> None:
    with pytest.raises(BadInput, match="acquisition ucb is for one objective and the study has 2"):
        create("bo", Problem(SPACE, objectives=2), acquisition="ucb")
    with pytest.raises(BadInput, match="a prior is of the quality alone and the study has 2 objectives"):
        create("bo", Problem(SPACE, objectives=2, experience=experienced(solved)), prior="toy")


@architecture
class Smooth:
    rate: float = real(0.0, 1.0)


def test_a_space_that_cannot_be_listed_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="candidates=all lists the space, and 'Smooth' has real numbers among its knobs"):
        create("bo", Problem(Space(Smooth)), candidates="all")


def test_the_front_of_points() -> None:
    points = np.array([[0.0, 2.0], [1.0, 1.0], [0.5, 0.5], [1.0, 1.0], [2.0, 0.0], [1.0, 0.0]])
    assert sorted(map(tuple, front(points))) == [(0.0, 2.0), (1.0, 1.0), (1.0, 1.0), (2.0, 0.0)]
