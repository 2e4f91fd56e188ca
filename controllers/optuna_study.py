"""An Optuna study in memory that turns a sampler into a controller."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Counted, Problem, Trial
from nas.controllers.optuna_knobs import distribution, suggestions
from nas.searchspace.domains import Choice, Domain, Integer
from nas.searchspace.language import Forbidden

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

ATTEMPTS = 20
"""So many proposals in a row may be forbidden by the space before a random architecture takes their place."""


class Knobs:
    """How an architecture is told to a sampler: its active knobs, as an ordinary Optuna study would see them."""

    def __init__(self, problem: Problem) -> None:
        self.space = problem.space

    def fixed(self) -> dict[str, BaseDistribution]:
        """The search space that the sampler is told beforehand; empty if it finds out by itself."""
        return {}

    def read(self, trial: OptunaTrial) -> Any:
        """The architecture that a trial stands for."""
        return self.space.decode(suggestions(trial))

    def write(self, architecture: Any) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Parameters and distributions of an architecture."""
        domains = self.space.domains(architecture)
        return self.space.knobs(architecture), {path: distribution(domain) for path, domain in domains.items()}


class EveryKnob(Knobs):
    """Every knob of the space in every trial, so that the sampler meets a fixed search space.

    Inactive knobs are ignored when a proposal is read, and stand at the first value of their domain when an
    architecture is written.

    Args:
        numeric: whether the options of a choice become the whole numbers from 0.
    """

    def __init__(self, problem: Problem, *, numeric: bool = False) -> None:
        super().__init__(problem)
        self.domains = self.space.every_knob()
        self.options = {path: d.options for path, d in self.domains.items() if numeric and isinstance(d, Choice)}
        self.distributions = {path: distribution(self._number(path, d)) for path, d in self.domains.items()}

    def _number(self, path: str, domain: Domain) -> Domain:
        return Integer(0, len(self.options[path]) - 1) if path in self.options else domain

    def fixed(self) -> dict[str, BaseDistribution]:
        return self.distributions

    def read(self, trial: OptunaTrial) -> Any:
        params = trial.params
        return self.space.decode(lambda path, _: self._value(path, params[path]))

    def _value(self, path: str, raw: Any) -> Any:
        return self.options[path][raw] if path in self.options else raw

    def write(self, architecture: Any) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        active = self.space.knobs(architecture)
        return {path: self._raw(path, active) for path in self.domains}, self.distributions

    def _raw(self, path: str, active: Mapping[str, Any]) -> Any:
        domain = self.domains[path]
        if path not in active:
            return 0 if path in self.options else domain.options[0] if isinstance(domain, Choice) else domain.low
        if path in self.options:
            return next(i for i, o in enumerate(self.options[path]) if type(o) is type(active[path]) and o == active[path])
        return active[path]


def quiet_study(objectives: int) -> Study:
    """A study in memory whose objectives are all maximised; its creation is not logged."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(directions=["maximize"] * objectives)
    finally:
        optuna.logging.set_verbosity(before)


class OptunaController(Counted):
    """What every controller made of an Optuna sampler shares: an inner study that is asked and told.

    A proposal stays a running trial of the inner study until it is told, so that samplers which look at running
    trials (TPE's constant liar, GP) spread parallel proposals.
    """

    multi_objective: ClassVar[bool] = True

    def __init__(self, problem: Problem, knobs: Knobs) -> None:
        super().__init__(problem)
        self.knobs = knobs
        self.study = quiet_study(problem.objectives)
        self.pending: list[tuple[Any, OptunaTrial | None]] = []

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        number = self.asked
        rng = self.next_rng()
        for _ in range(ATTEMPTS):
            self.prepare(rng.getrandbits(32))
            inner = self.study.ask(self.knobs.fixed())
            try:
                architecture = self.knobs.read(inner)
            except Forbidden:
                self.fail(inner)
            else:
                self.pending.append((architecture, inner))
                return architecture
        architecture = self.space.sample(self.problem.rng(number))
        self.pending.append((architecture, None))
        return architecture

    def take(self, architecture: Any) -> OptunaTrial | None:
        """The inner trial of a pending proposal, which is no longer pending; None if there is none."""
        for i, (proposed, inner) in enumerate(self.pending):
            if proposed == architecture:
                del self.pending[i]
                return inner
        return None

    def fail(self, inner: OptunaTrial) -> None:
        from optuna.trial import TrialState

        self.study.tell(inner, state=TrialState.FAIL)

    @abstractmethod
    def prepare(self, seed: int) -> None:
        """Called before each proposal, with a random number that belongs to it."""

    @abstractmethod
    def tell(self, trials: Sequence[Trial]) -> None: ...


class FreshSampler(OptunaController):
    """For samplers that read everything from the finished trials: a new one is made for every proposal.

    The past is told without asking for it again, in the order in which it was told, so replay is cheap.
    """

    def prepare(self, seed: int) -> None:
        self.study.sampler = self.sampler(seed)

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler: ...

    def tell(self, trials: Sequence[Trial]) -> None:
        from optuna.trial import TrialState, create_trial

        self.heard(trials)
        for trial in trials:
            if (inner := self.take(trial.architecture)) is not None:
                self.fail(inner)
            if trial.values is not None:
                params, distributions = self.knobs.write(trial.architecture)
                state = TrialState.COMPLETE
                told = create_trial(state=state, values=trial.values, params=params, distributions=distributions)
                self.study.add_trial(told)


class LivingSampler(OptunaController):
    """For samplers with a state of their own or one that they leave in the trials (populations, generations).

    The inner trial that was asked for is the one that is told. A told architecture that is not pending is asked for
    first, so that replaying the past brings the sampler into the same state; if the answer is another architecture,
    that answer fails and the told one is enqueued, which is Optuna's way to hand a sampler an architecture from
    elsewhere.
    """

    def prepare(self, seed: int) -> None:
        pass

    def tell(self, trials: Sequence[Trial]) -> None:
        before = [proposed for proposed, _ in self.pending]
        asked = len(self.pending)
        for trial in trials:
            if trial.architecture in before:
                before.remove(trial.architecture)
            else:
                self._propose()
        again = self.pending[asked:]
        for trial in trials:
            inner = self.take(trial.architecture)
            if inner is None:
                inner = self.enter(trial.architecture)
            if trial.values is None:
                self.fail(inner)
            else:
                self.study.tell(inner, trial.values)
        for unused in again:
            if unused in self.pending:
                self.pending.remove(unused)
                if unused[1] is not None:
                    self.fail(unused[1])
        self.heard(trials)

    def enter(self, architecture: Any) -> OptunaTrial:
        """A running inner trial of the given architecture."""
        params, distributions = self.knobs.write(architecture)
        self.study.enqueue_trial(params)
        return self.study.ask(distributions)
