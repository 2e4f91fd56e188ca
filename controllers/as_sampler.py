"""Any controller as an Optuna sampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from nas.controllers.base import Controller, Problem, Trial
from nas.controllers.optuna_knobs import distribution
from nas.controllers.registry import create
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space


class ControllerSampler(BaseSampler):
    """Proposes a controller's architectures in an ordinary Optuna study.

        sampler = ControllerSampler(space, "evolution", seed=0)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        study.optimize(lambda trial: score(space.decode(suggestions(trial))), n_trials=100)

    The objective has to suggest the knobs under their paths, as ``suggestions`` does; other parameters, and all of
    them once the controller has exhausted the space, are drawn at random. Finished trials are told before the next
    proposal, also those that a loaded study brings along; failed and pruned ones count as failed. One object serves
    one study.

    Args:
        space: what to propose from.
        controller: anything that :func:`nas.controllers.registry.create` takes.
        seed: of the controller.
        options: of the controller.
    """

    def __init__(self, space: Space[Any], controller: Any = "evolution", *, seed: int = 0, **options: Any) -> None:
        self._space, self._name, self._seed, self._options = space, controller, seed, options
        self._others = RandomSampler(seed=seed)
        self._controller: Controller | None = None
        self._proposed: dict[int, Any] = {}
        self._unused: list[Any] = []
        self._told: set[int] = set()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if self._controller is None:
            problem = Problem(self._space, self._seed, objectives=len(study.directions))
            self._controller = create(self._name, problem, **self._options)
        for past in study.get_trials(deepcopy=False):
            if past.state.is_finished() and past.number not in self._told:
                self._told.add(past.number)
                self._tell(self._controller, study, past)
        proposal = [self._unused.pop(0)] if self._unused else self._controller.ask(1)
        if not proposal:
            return {}
        self._proposed[trial.number] = proposal[0]
        return {path: distribution(domain) for path, domain in self._space.domains(proposal[0]).items()}

    def _tell(self, controller: Controller, study: Study, past: FrozenTrial) -> None:
        proposed = self._proposed.pop(past.number, None)
        try:
            architecture = self._space.decode(lambda path, _: past.params[path])
        except (KeyError, BadInput):  # failed before all knobs were suggested, or of another space
            architecture = proposed
        if proposed not in (None, architecture):  # the trial had been enqueued with other values
            self._unused.append(proposed)
        if architecture is not None:
            values = _larger_is_better(past.values, study.directions) if past.state.name == "COMPLETE" else None
            controller.tell([Trial(past.number, architecture, values)])

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._space.knobs(self._proposed[trial.number]) if search_space else {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._others.sample_independent(study, trial, param_name, param_distribution)


def _larger_is_better(values: Sequence[float], directions: Sequence[StudyDirection]) -> tuple[float, ...]:
    return tuple(-v if d is StudyDirection.MINIMIZE else v for v, d in zip(values, directions, strict=True))
