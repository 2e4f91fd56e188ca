"""Names of controllers, and how one is made for a problem."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nas.controllers.base import Controller, Problem
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import Registry

CONTROLLERS = Registry(
    "controller",
    {
        "random": "nas.controllers.random_search:RandomSearch",
        "grid": "nas.controllers.grid:Grid",
        "evolution": "nas.controllers.evolution:Evolution",
        "local-search": "nas.controllers.local_search:LocalSearch",
        "agnn": "nas.controllers.agnn:AGNN",
        "reinforce": "nas.controllers.reinforce:Reinforce",
        "lpgnas": "nas.controllers.lpgnas:LPGNAS",
        "darts": "nas.controllers.darts:DARTS",
        "bo": "nas.controllers.bo:BO",
        "diffusion": "nas.controllers.diffusion:Diffusion",
        "tpe": "nas.controllers.optuna_samplers:TPE",
        "gp": "nas.controllers.optuna_samplers:GP",
        "nsga2": "nas.controllers.optuna_samplers:NSGA2",
        "cmaes": "nas.controllers.optuna_samplers:CMAES",
    },
)


@dataclass(frozen=True)
class Row:
    """What a list of controllers says about one.

    Attributes:
        name: its registered name.
        summary: one sentence.
        multi_objective: whether it handles more than one objective.
        options: its options and their defaults.
    """

    name: str
    summary: str
    multi_objective: bool
    options: dict[str, Any]


def rows() -> list[Row]:
    """Every registered controller. Imports no Optuna, torch or jax for the built-in ones."""
    return [_row(name, CONTROLLERS.load(name)) for name in CONTROLLERS.names()]


def _row(name: str, made_by: Any) -> Row:
    summary = (inspect.getdoc(made_by) or "").split("\n\n")[0].replace("\n", " ")
    defaults = {option: p.default for option, p in _options(made_by).items() if p.kind is not p.VAR_KEYWORD}
    return Row(name, summary, made_by.multi_objective, defaults)


def create(controller: Any, problem: Problem, **options: Any) -> Controller:
    """The controller for a problem.

    Args:
        controller: a registered name; a class or function that is called with the problem and the options; or an
            object of ``optuna.samplers.BaseSampler``.
        problem: what it is made for.
        options: by name; a registered controller lists its own in its docstring.

    Raises:
        BadInput: if the name or an option is unknown, or if the problem has several objectives and the controller
            handles one.
    """
    made_by, name = _maker(controller)
    known = _options(made_by)
    if not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        for option in options:
            if option not in known:
                has = f"it has {', '.join(known)}" if known else "it has none"
                raise BadInput(f"the controller {name} has no option {option!r}; {has}")
    made: Controller = made_by(problem, **options)
    if not (hasattr(made, "ask") and hasattr(made, "tell")):
        raise BadInput(f"{name} made {made!r}, which has no ask and tell and so is no controller")
    if problem.objectives > 1 and not getattr(made, "multi_objective", False):
        raise BadInput(f"the controller {name} handles one objective and the study has {problem.objectives}")
    return made


def _maker(controller: Any) -> tuple[Callable[..., Any], str]:
    if isinstance(controller, str):
        return CONTROLLERS.load(controller), controller
    if _is_sampler(controller):
        from nas.controllers.optuna_samplers import SamplerController

        return lambda problem: SamplerController(problem, controller), type(controller).__name__
    if _is_sampler_class(controller):
        raise BadInput(
            f"{controller.__name__} is a class of Optuna samplers; pass an object of it, such as "
            f"{controller.__name__}(seed=0)"
        )
    if not callable(controller):
        raise BadInput(
            "a controller is a name, a class or function that makes one for a problem, or an Optuna sampler; got "
            f"{controller!r}"
        )
    return controller, getattr(controller, "__name__", repr(controller))


def _is_sampler(value: Any) -> bool:
    return not isinstance(value, type) and _is_sampler_class(type(value))


def _is_sampler_class(value: Any) -> bool:
    """Whoever holds a sampler has imported Optuna, so that this need not."""
    optuna = sys.modules.get("optuna")
    return optuna is not None and isinstance(value, type) and issubclass(value, optuna.samplers.BaseSampler)


def _options(made_by: Any) -> dict[str, inspect.Parameter]:
    """All parameters but the first, which is the problem."""
    return dict(list(inspect.signature(made_by).parameters.items())[1:])
