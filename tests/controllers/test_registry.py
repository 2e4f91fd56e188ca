"""How a controller is named, made and listed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from nas.controllers import CONTROLLERS, Problem, Trial, create
from nas.controllers.registry import rows
from nas.searchspace.errors import BadInput
from tests.controllers.spaces import SPACES

PROBLEM = Problem(SPACES["Flat"])


class Fixed:
    """Always the same one."""

    multi_objective = False

    def __init__(self, problem: Problem, *, seed: int = 0) -> None:
        self.architecture = problem.space.sample(problem.rng(seed))

    def ask(self, n: int) -> list[Any]:
        return [self.architecture] * n

    def tell(self, trials: Sequence[Trial]) -> None:
        pass


def test_a_class_or_function_of_the_problem_makes_a_controller() -> None:
    assert create(Fixed, PROBLEM, seed=3).ask(2) == Fixed(PROBLEM, seed=3).ask(2)
    assert isinstance(create(lambda problem: Fixed(problem), PROBLEM), Fixed)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"unknown controller 'evolutoin'; did you mean 'evolution'\? known: .*tpe"):
        create("evolutoin", PROBLEM)


@pytest.mark.parametrize(
    ("controller", "options", "message"),
    [
        ("evolution", {"size": 3}, r"evolution has no option 'size'; it has population, sample"),
        ("random", {"population": 3}, r"random has no option 'population'; it has none"),
        (Fixed, {"sed": 3}, r"Fixed has no option 'sed'; it has seed"),
        ("evolution", {"population": 3}, r"cannot sample 5 rivals from a population of 3"),
        ("evolution", {"population": 0}, r"'population' of a controller must be a whole number, 1 or more; got 0"),
        ("local-search", {"starts": 0}, r"'starts' .* 1 or more; got 0"),
        ("tpe", {"startup": "many"}, r"'startup' .* 1 or more; got 'many'"),
        ("gp", {"startup": 0}, r"'startup' .* 1 or more; got 0"),
        ("nsga2", {"population": 1}, r"'population' .* 2 or more; got 1"),
        ("cmaes", {"population": 1}, r"'population' .* 2 or more; got 1"),
        (3, {}, r"a controller is a name, .*; got 3"),
        (lambda problem: problem, {}, r"has no ask and tell"),
    ],
)
def test_what_cannot_be_used_is_said(controller: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        create(controller, PROBLEM, **options)


def test_one_objective_of_a_users_controller_is_said() -> None:
    with pytest.raises(BadInput, match="Fixed handles one objective and the study has 2"):
        create(Fixed, Problem(SPACES["Flat"], objectives=2))


def test_the_list_names_every_controller() -> None:
    listed = {row.name: row for row in rows()}
    assert list(listed) == CONTROLLERS.names()
    assert all(row.summary.endswith(".") and "\n" not in row.summary for row in listed.values())
    assert {name for name, row in listed.items() if not row.multi_objective} == {
        "evolution",
        "local-search",
        "agnn",
        "reinforce",
        "cmaes",
        "darts",
    }
    assert listed["evolution"].options == {"population": 20, "sample": 5}


def test_listing_them_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nas.controllers.registry import rows; rows(); "
        "print([m for m in ('torch', 'optuna', 'numpy', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
