"""Knobs in Optuna's words. Needs no Optuna until it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nas.searchspace.decode import Pick
from nas.searchspace.domains import Choice, Domain, Integer, Real

if TYPE_CHECKING:
    from optuna import Trial as OptunaTrial
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


def suggestions(trial: OptunaTrial) -> Pick:
    """For ``space.decode``: every active knob is suggested by an ordinary Optuna trial.

        def objective(trial):
            architecture = space.decode(suggestions(trial))
    """

    def pick(path: str, domain: Domain) -> Any:
        match domain:
            case Choice(options):
                return trial.suggest_categorical(path, options)
            case Integer(low, high, log):
                return trial.suggest_int(path, low, high, log=log)
            case Real(low, high, log):
                return trial.suggest_float(path, low, high, log=log)

    return pick
