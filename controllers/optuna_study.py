"""An Optuna study in memory that turns a sampler into a controller."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Counted, Problem, Trial, recall_by_asking
from nas.controllers.optuna_knobs import Knobs
from nas.searchspace.language import Forbidden

if TYPE_CHECKING:
    from optuna import Study
    from optuna import Trial as OptunaTrial
    from optuna.samplers import BaseSampler

ATTEMPTS = 20
"""Repairs of a forbidden proposal that are tried before a random architecture takes its place."""


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
    trials (TPE's constant liar, the Gaussian process) spread parallel proposals.
    """

    multi_objective: ClassVar[bool] = True

    def __init__(self, problem: Problem, knobs: Knobs) -> None:
        super().__init__(problem)
        self.knobs = knobs
        self.study = quiet_study(problem.objectives)
        self.pending: list[tuple[Any, OptunaTrial | None]] = []

    def ask(self, n: int) -> list[Any]:
        return [self.propose() for _ in range(n)]

    def propose(self) -> Any:
        rng = self.next_rng()
        self.prepare(rng.getrandbits(32))
        inner = self.study.ask(self.knobs.fixed())
        try:
            architecture = self.knobs.read(inner)
        except Forbidden:
            # the sampler might insist, so it is not asked again
            architecture = self.repair(self.knobs.values(inner.params), rng)
            self.fail(inner)
            self.pending.append((architecture, None))
        else:
            self.pending.append((architecture, inner))
        return architecture

    def repair(self, values: Mapping[str, Any], rng: random.Random) -> Any:
        """An allowed architecture that shares most knobs with a forbidden proposal."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.space.decode(
                    lambda path, domain, share=attempt / ATTEMPTS: (  # type: ignore[misc]
                        domain.sample(rng) if path not in values or rng.random() < share else values[path]
                    )
                )
            except Forbidden:
                continue
        return self.space.sample(rng)

    def take(self, architecture: Any) -> OptunaTrial | None:
        """The inner trial of a pending proposal, which is pending no longer; None if there is none."""
        for i, (proposed, inner) in enumerate(self.pending):
            if proposed == architecture:
                del self.pending[i]
                return inner
        return None

    def forget(self, architectures: Sequence[Any]) -> None:
        """Their inner trials fail, so that no sampler takes them for running."""
        super().forget(architectures)
        for architecture in architectures:
            if (inner := self.take(architecture)) is not None:
                self.fail(inner)

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
        sampler = self.sampler(seed)
        if search_space := {path: d for path, d in self.knobs.fixed().items() if not d.single()}:
            # Optuna would find the same by comparing the knobs of all trials, which takes longer than the proposal
            sampler.infer_relative_search_space = lambda study, trial: search_space  # type: ignore[method-assign]
        self.study.sampler = sampler

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler: ...

    def tell(self, trials: Sequence[Trial]) -> None:
        from optuna.trial import create_trial

        self.heard(trials)
        for trial in trials:
            if (inner := self.take(trial.architecture)) is not None:
                self.fail(inner)
            if trial.values is not None:
                params, distributions = self.knobs.write(trial.architecture)
                self.study.add_trial(create_trial(values=trial.values, params=params, distributions=distributions))


class LivingSampler(OptunaController):
    """For samplers with a state of their own, or one that they leave in the trials (generations, populations).

    The inner trial that was asked for is the one that is told. A told architecture that is not pending is asked for
    first, so that replaying the past brings the sampler into the same state; if the answer is another architecture,
    that answer fails and the told one is enqueued, which is Optuna's way to hand a sampler an architecture from
    elsewhere (whether it learns from it is the sampler's affair).
    """

    def prepare(self, seed: int) -> None:
        pass

    def tell(self, trials: Sequence[Trial]) -> None:
        unmatched = [proposed for proposed, _ in self.pending]
        again = []
        for trial in trials:
            if trial.architecture in unmatched:
                unmatched.remove(trial.architecture)
            else:
                self.propose()
                again.append(self.pending[-1])
        for trial in trials:
            inner = self.take(trial.architecture) or self.enqueue(trial.architecture)
            if trial.values is None:
                self.fail(inner)
            else:
                self.study.tell(inner, trial.values)
        for entry in again:
            if entry in self.pending:
                self.pending.remove(entry)
                if entry[1] is not None:
                    self.fail(entry[1])
        self.heard(trials)

    def recall(self, n: int, architecture: Any) -> None:
        recall_by_asking(self, n, architecture)

    def enqueue(self, architecture: Any) -> OptunaTrial:
        """A running inner trial of the given architecture."""
        params, distributions = self.knobs.write(architecture)
        self.study.enqueue_trial(params)
        return self.study.ask(distributions)
