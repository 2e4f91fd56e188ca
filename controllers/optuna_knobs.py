"""Knobs in Optuna's words, and two ways to show an architecture to a sampler. Optuna is imported when needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nas.controllers.base import Problem
from nas.searchspace.decode import Pick
from nas.searchspace.domains import Choice, Domain, Integer, Real

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution


def distribution(domain: Domain) -> BaseDistribution:
    """The Optuna distribution over the values of a domain."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match domain:
        case Choice(options):
            return CategoricalDistribution(options)
        case Integer(low, high, log):
            return IntDistribution(low, high, log=log)
        case Real(low, high, log):
            return FloatDistribution(low, high, log=log)


def suggestions(trial: Trial) -> Pick:
    """Has an Optuna trial suggest every active knob: ``space.decode(suggestions(trial))`` inside an objective."""

    def pick(path: str, domain: Domain) -> Any:
        match domain:
            case Choice(options):
                return trial.suggest_categorical(path, options)
            case Integer(low, high, log):
                return trial.suggest_int(path, low, high, log=log)
            case Real(low, high, log):
                return trial.suggest_float(path, low, high, log=log)

    return pick


class Knobs:
    """The active knobs alone, as an ordinary Optuna study would see them."""

    def __init__(self, problem: Problem) -> None:
        self.space = problem.space

    def fixed(self) -> dict[str, BaseDistribution]:
        """What is suggested whatever the architecture turns out to be."""
        return {}

    def read(self, trial: Trial) -> Any:
        """The architecture that a trial stands for.

        Raises:
            Forbidden: if the space forbids the combination.
        """
        return self.space.decode(suggestions(trial))

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the knobs that the parameters of a trial stand for."""
        return dict(params)

    def write(self, architecture: Any) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Parameters and distributions of an architecture."""
        domains = self.space.domains(architecture)
        return self.space.knobs(architecture), {path: distribution(domain) for path, domain in domains.items()}


class EveryKnob(Knobs):
    """Every knob of the space in every trial, for samplers that model a fixed set of them.

    Inactive knobs are ignored in a proposal, and stand at the first value of their domain in an architecture that is
    written.

    Args:
        numeric: whether the options of a choice become the whole numbers from 0.
    """

    def __init__(self, problem: Problem, *, numeric: bool = False) -> None:
        super().__init__(problem)
        domains = self.space.every_knob()
        self.options = {path: d.options for path, d in domains.items() if numeric and isinstance(d, Choice)}
        self.domains = domains | {path: Integer(0, len(options) - 1) for path, options in self.options.items()}
        self.distributions = {path: distribution(domain) for path, domain in self.domains.items()}

    def fixed(self) -> dict[str, BaseDistribution]:
        return self.distributions

    def read(self, trial: Trial) -> Any:
        values = self.values(trial.params)
        return self.space.decode(lambda path, _: values[path])

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {path: self.options[path][raw] if path in self.options else raw for path, raw in params.items()}

    def write(self, architecture: Any) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        active = self.space.knobs(architecture)
        return {path: self._raw(path, domain, active) for path, domain in self.domains.items()}, self.distributions

    def _raw(self, path: str, domain: Domain, active: Mapping[str, Any]) -> Any:
        if path not in active:
            return domain.options[0] if isinstance(domain, Choice) else domain.low
        return self.options[path].index(active[path]) if path in self.options else active[path]
