"""The contract between a controller and whoever runs it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from nas.searchspace.task import Task

if TYPE_CHECKING:
    from nas.diffusion.generator import Generator
    from nas.predictors.transfer import Prior


@dataclass(frozen=True)
class Trial:
    """One evaluated architecture.

    Attributes:
        number: position in the study, from 0.
        architecture: an instance of the space's class.
        values: one number per objective, larger is better; None if the evaluation failed.
        metrics: everything measured, in its natural sign (``valid_accuracy``, ``params``, ...).
        seconds: wall-clock time of the evaluation.
        reason: why it failed; None if it did not.
        curve: ``(epoch, value)`` of the metric that chooses the best epoch, in its natural sign, at every look at the
            validation split.
        stopped: the epoch at which the training was stopped, because it was behind or its time was over; None if it
            ended by itself.

    The values of a stopped trial are those of its best epoch until then. They are a lower bound of what the whole
    training would have reached, and of one that was behind below those of every trial that was allowed on at the same
    rung, so a controller may compare them like any other; telling a failure instead would put a network that is merely
    behind among those that cannot be trained, and an extrapolated value would be a guess. Optuna's samplers see pruned
    trials the same way.
    """

    number: int
    architecture: Any
    values: tuple[float, ...] | None
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None
    curve: tuple[tuple[int, float], ...] = ()
    stopped: int | None = None


class Costs(Protocol):
    """Costs of networks before they are trained, and limits of them.

    Attributes:
        limits: by name of a cost, the most that a network may have.
    """

    limits: dict[str, float]

    def __call__(self, architecture: Any) -> Mapping[str, float] | None:
        """By name; None if the network cannot be made."""
        ...

    def within(self, architecture: Any) -> bool:
        """Whether it keeps to the limits."""
        ...


@dataclass(frozen=True)
class Problem:
    """What a controller is made for.

    Attributes:
        space: the space to propose from (already made for the task).
        seed: the only source of randomness.
        stream: of the random numbers for proposals; processes that share a study have one each, the first one 0.
        objectives: length of ``Trial.values``.
        task: for controllers that train something themselves; the others ignore it.
        scores: from names of proxies to what scores an architecture by them, and the names that its scores have; None
            where no network can be made.
        experience: from the name of a table, or ``pretrained``, to what is expected of the space's architectures from
            other data sets; None where that is not to be had.
        generator: makes, or finds, a generator of the space; None leaves that to the controller.
        costs: what is not to be proposed: it is told as a failure. None where there are no limits.
        prepared: makes the task as the study trains on it, on its device; None leaves the task as it is.
        folder: where a controller may keep what it could compute again, but would take long; None where it may not.
        told: hears what a controller is doing that takes long, how much of it is done, and how much there is.
        seconds: that the search has, for controllers that train something themselves; None for no limit.
    """

    space: Space[Any]
    seed: int = 0
    objectives: int = 1
    task: Task | None = None
    scores: Callable[[Sequence[str]], tuple[Callable[[Any], Mapping[str, float]], Sequence[str]]] | None = None
    experience: Callable[[str], Prior] | None = None
    generator: Callable[[], Generator] | None = None
    costs: Costs | None = None
    prepared: Callable[[], Task] | None = None
    folder: Path | None = None
    told: Callable[[str, int, int], None] | None = None
    stream: int = 0
    seconds: float | None = None

    def rng(self, number: int) -> random.Random:
        """Random numbers for the ``number``-th proposal, whatever happened before it."""
        return random.Random(f"{self.seed}/{self.stream}/{number}" if self.stream else f"{self.seed}/{number}")


def at_least(least: int, **option: Any) -> None:
    """Refuse an option that is not a whole number of at least ``least``.

    Raises:
        BadInput: naming the option and what came.
    """
    for name, value in option.items():
        if type(value) is not int or value < least:
            raise BadInput(
                f"the option {name!r} of a controller must be a whole number, {least} or more; got {value!r}"
            )


def positive(zero: bool = False, **option: float) -> None:
    """Refuse an option that is not a number above zero, or from zero on.

    Raises:
        BadInput: naming the option and what came.
    """
    for name, value in option.items():
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and (value >= 0 if zero else value > 0) and value < float("inf")):
            least = "0 or more" if zero else "above 0"
            raise BadInput(f"the option {name!r} of a controller must be a number {least}; got {value!r}")


class Controller(Protocol):
    """Proposes architectures and hears how good they were.

    What ``ask`` returns depends on the problem, on what was told, and on how many proposals are still out, never
    on the clock or on global state: telling a fresh controller the same past makes it propose the same future.
    The study tells every proposal back exactly once, failed ones and repeats of known architectures too.

    What it knows of an architecture that a trial should keep, such as scores of the untrained network, it may tell by a
    method ``about(architecture) -> Mapping[str, float]``.

    Several processes may search on one study, each with a controller of its own that is told the trials of all. One for
    which that makes no sense says why by an attribute ``unshared``, a text.

    A screen asks for more than it keeps. It calls ``forget(architectures)``, where a controller has that method, with
    those proposals that will never be told, see ``nas.controllers.screening``.
    """

    @property
    def multi_objective(self) -> bool:
        """Whether it handles more than one objective; a class says so by a class attribute."""
        ...

    def ask(self, n: int) -> list[Any]:
        """Up to ``n`` architectures; fewer, down to none, only when the space is exhausted."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None: ...


@dataclass(frozen=True)
class Trace:
    """Something that a controller shows of its own state over a search; the report draws it.

    A controller with a method ``traces(self) -> list[Trace]`` has such a section. They follow from what it was told,
    like its proposals.

    Attributes:
        title: what is shown: ``decision entropy``.
        about: one to three sentences for whoever does not know the method.
        lines: by name, ``(trial number, value)`` in the order of the trials.
        steps: by name, ``(trial number, whether that trial became the best)`` for the trials in which it was changed.
        unit: what the numbers count, in the singular.
    """

    title: str
    about: str
    lines: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    steps: Mapping[str, Sequence[tuple[int, bool]]] = field(default_factory=dict)
    unit: str = "trial"


class Counted:
    """Counts proposals so that the n-th one always draws from the n-th random stream. Inherited by our controllers."""

    multi_objective: ClassVar[bool] = False

    def __init__(self, problem: Problem) -> None:
        if problem.objectives > 1 and not self.multi_objective:
            raise BadInput(
                f"{type(self).__name__} handles one objective and the study has {problem.objectives}; "
                "use a multi-objective controller such as nsga2, tpe or random, or name one objective"
            )
        self.problem = problem
        self.space = problem.space
        self.asked = 0
        self.told = 0
        self.forgotten = 0

    @property
    def proposed(self) -> int:
        """How many proposals were told or still will be."""
        return self.asked - self.forgotten

    def forget(self, architectures: Sequence[Any]) -> None:
        """Hear of proposals that will never be told."""
        self.forgotten += len(architectures)

    def recall(self, n: int, architecture: Any) -> None:
        """Be as after ``ask(n)`` and forgetting all that it returned but ``architecture``, as far as it matters.

        What matters is their number, where a proposal follows from that and from what was told.
        """
        self.asked += n
        self.forgotten += n - 1

    def next_rng(self) -> random.Random:
        self.asked += 1
        return self.problem.rng(self.asked - 1)

    def heard(self, trials: Sequence[Trial]) -> None:
        self.told += len(trials)
        self.asked = max(self.asked, self.told + self.forgotten)


def recall_by_asking(controller: Any, n: int, architecture: Any) -> None:
    """``Counted.recall`` for a controller whose state changes as it is asked."""
    proposed = controller.ask(n)
    if architecture in proposed:
        proposed.remove(architecture)
    if hasattr(controller, "forget"):
        controller.forget(proposed)


class Learner(Counted):
    """Learns from each network once, however often it is told of it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.seen = set[Any]()

    def tell(self, trials: Sequence[Trial]) -> None:
        self.heard(trials)
        for trial in trials:
            key = self.space.canonical(trial.architecture)
            if key not in self.seen:
                self.seen.add(key)
                self.learn(trial)

    def learn(self, trial: Trial) -> None:
        """What the controller makes of a network that it did not know."""
        raise NotImplementedError
