"""From settings to a search that can start: names become objects, and what does not fit is refused here.

What trains, which takes seconds to import, is loaded by whoever trains: most plans are made to look at a run.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nas.controllers.base import Controller, Problem
from nas.controllers.diffusion import PRETRAINED
from nas.controllers.registry import CONTROLLERS, create
from nas.controllers.starting import Starting
from nas.data import load
from nas.data.naming import is_named
from nas.evaluation.devices import resolve, units
from nas.evaluation.limits import default_memory
from nas.evaluation.tables import registry as tables
from nas.evaluation.tables.base import Column
from nas.metrics import METRICS, resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from nas.settings import POOL, Settings
from nas.study import fidelity
from nas.study.costs import Costs
from nas.study.experience import experience
from nas.study.folder import RunFolder
from nas.study.objectives import Objective, check_proxy, parse
from nas.study.store import Store

if TYPE_CHECKING:
    from nas.diffusion.generator import Generator
    from nas.evaluation.executors import Executor
    from nas.predictors.transfer import Prior
    from nas.study.screening import Scorer

Working = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is."""

OF_STUDY = (
    *("controller", "controller_options", "seed", "epochs", "patience", "validate_every", "fidelity", "evaluator"),
    *("simulated", "screen", "pool", "sharing", "warm_up", "batches", "precision", "class_weights", "trial_seconds"),
    *("quantisation", "max_params", "max_latency", "known_first", "confirm", "keep"),
)
"""Settings that make trials what they are, besides the data, the space and the objectives: the same in all processes
that search on one study."""

DESCRIPTION, LONGEST = "description", 32_000
"""The entry of a study's header that describes the task, for whoever looks at it without the data; and its length, for
MySQL takes 65,535 bytes."""
CHECKED = ("knobs", "task", "objectives")
"""What must be as it was for trials to be read: those of an earlier version of the space's networks are welcome."""


@dataclass(frozen=True)
class Plan:
    """Everything a search needs besides a folder.

    Attributes:
        settings: what the user said.
        task: the data with its question.
        space: bound to the task.
        objectives: the first one ranks.
        controller: a name, or what else ``nas.controllers`` takes.
        device: the resolved device.
        column: where architectures are looked up; None where they are trained.
        why: what was chosen automatically, in sentences.
    """

    settings: Settings
    task: Task
    space: Space[Any]
    objectives: tuple[Objective, ...]
    controller: Any
    device: str
    column: Column | None = None
    why: tuple[str, ...] = ()

    @cached_property
    def identity(self) -> str:
        """A short text that changes with the data, their split, the metric, and the networks of the space."""
        return f"{self.task.fingerprint()}-{self.space.fingerprint()}"

    def header(self, entries: Sequence[str] | None = None) -> dict[str, Any]:
        """What the store remembers the study by; or some entries of that, for the space takes its time to write."""
        said = {n: v for n in OF_STUDY if (v := getattr(self.settings, n)) not in (None, {})}
        made: dict[str, Callable[[], Any]] = {
            "knobs": self.space.knobs_fingerprint,
            "space": self.space.fingerprint,
            "task": self.task.fingerprint,
            "objectives": lambda: [str(o) for o in self.objectives],
            "settings": lambda: said,
            "versions": versions,
            DESCRIPTION: self._description,
        }
        return {name: make() for name, make in made.items() if entries is None or name in entries}

    def _description(self) -> dict[str, Any] | None:
        """The task without its data; None if that is more than a database takes."""
        described = self.task.describe()
        return described if len(json.dumps(described)) <= LONGEST else None

    def problem(self, folder: RunFolder | None = None, told: Working | None = None, stream: int = 0) -> Problem:
        """What a controller is made for, and what it may ask of the study.

        Args:
            folder: of the run, where a controller may keep something.
            told: hears what a controller is doing that takes long.
            stream: of random numbers, see ``Problem``.
        """
        return Problem(
            self.space,
            self.settings.seed,
            len(self.objectives),
            self.task,
            scores=None if self.column is not None else self._scores,
            experience=self._prior,
            generator=self._generator,
            costs=self.costs() if self.settings.limits else None,
            prepared=None if self.column is not None else self._prepared,
            folder=None if folder is None else folder.path,
            told=told,
            stream=stream,
            seconds=self.settings.seconds,
        )

    def costs(self, names: Sequence[str] = ()) -> Costs:
        """Of networks before they are trained; with the limits that the user set."""
        return Costs(self.space, self.task, self.device, names, self.settings.limits, self.column)

    def _prior(self, name: str) -> Prior:
        if name == PRETRAINED:
            from nas.study.promise import promise

            return promise(self.space, self.task)
        return experience(name, self.settings.data_root, self.space, self.task)

    def _prepared(self) -> Task:
        from nas.evaluation.engine.prepare import prepare

        return prepare(self.task.to(self.device))

    def _generator(self) -> Generator:
        from nas.study.generating import generator_of

        return generator_of(self.space)

    def _scores(self, proxies: Sequence[str]) -> tuple[Scorer, list[str]]:
        from nas.study.screening import scorer

        return scorer(self.space, self.task, self.settings, self.objectives, proxies, self.device)

    def made_controller(
        self,
        memory: int | None = None,
        folder: RunFolder | None = None,
        told: Working | None = None,
        stream: int = 0,
    ) -> Controller:
        """A fresh controller, with its screen if there is one.

        Args:
            memory: limit in MiB of scoring one network.
            folder: see ``problem``, and so ``told`` and ``stream``.
        """
        problem, settings = self.problem(folder, told, stream), self.settings
        made = create(self.controller, problem, **settings.controller_options)
        if settings.screen is not None:
            from nas.study.screening import screened

            made = screened(made, problem, self.task, settings, self.objectives, self.screens, self.device, memory)
        return Starting(made, self._known_first()) if settings.known_first else made

    def _known_first(self) -> list[Any]:
        if not (found := self.space.known_good()):
            raise BadInput(
                f"the space {self.space.name} names no known good networks to begin with; leave known_first out, or "
                "use the space classic"
            )
        return found

    @cached_property
    def screens(self) -> tuple[str, ...]:
        """The proxies by which proposals are screened."""
        if self.settings.screens:
            return self.settings.screens
        from nas.study.screening import cheap, known_elsewhere

        if known_elsewhere(self.space, self.task, self.objectives[0]) is not None:
            return ()
        return cheap(self.space, self.task, self.settings.pool or POOL)

    def executor(self, proxies: Sequence[str] = ()) -> Executor:
        """Where jobs run, see ``nas.study.executing``."""
        from nas.study.executing import executor

        return executor(self, proxies)

    @property
    def workers(self) -> int:
        """How many processes of this machine train; where 0 leaves it open, one for every GPU or core."""
        given = self.settings.workers
        return 1 if given is None else given or units(self.device)

    @property
    def trains_on(self) -> str:
        """The device of trainings, which may be on other machines than that of the driver."""
        if self.settings.executor != "ray":
            return self.device
        return "cpu" if self.settings.gpus_per_trial is None else "cuda"

    @property
    def memory(self) -> int | None:
        """MiB that a training may take; None leaves it to the machine that trains."""
        if self.settings.executor == "ray":
            return self.settings.trial_memory
        return self.settings.trial_memory or default_memory(self.device, self.workers)


def task_of(settings: Settings, data: Any = None) -> Task:
    """The task that the settings name; ``data`` may be an object that stands in for the name.

    Raises:
        BadInput: as ``load``.
    """
    return load(
        settings.data if data is None else data,
        root=settings.data_root,
        split=settings.split,
        seed=settings.split_seed,
        metric=settings.metric,
        task=settings.task,
        features=settings.features,
    )


def make_plan(
    settings: Settings,
    *,
    data: Any = None,
    space: Any = None,
    controller: Any = None,
    loaded: Task | None = None,
    to_read: bool = False,
) -> Plan:
    """Resolve the settings; ``data``, ``space`` and ``controller`` may be objects that stand in for the names.

    Args:
        loaded: what ``task_of`` returns for these settings and data, if it was read already.
        to_read: whether the run is only looked at. That needs no controller, and no GPU where there was one.

    Raises:
        BadInput: for anything that does not exist or does not fit, before any work is spent.
    """
    if settings.table is not None:
        return _plan_on_table(settings, data, space, controller, to_read)
    device = _device(settings.device, to_read)
    found = find(settings.space if space is None else space)
    task = task_of(settings, data) if loaded is None else loaded
    objectives = parse(settings.objectives, task.metric)
    for objective in objectives:
        if objective.name in METRICS:
            resolve_metric(objective.name, task.target)
    check_proxy(settings.proxy, objectives)
    fidelity.check(settings, objectives)
    fidelity.check_folds(settings, task)
    bound = found.for_task(task)
    plan = Plan(settings, task, bound, objectives, settings.controller if controller is None else controller, device)
    if not to_read:
        from nas.study.executing import check

        check(plan)
    return plan


def _plan_on_table(settings: Settings, data: Any, space: Any, controller: Any, to_read: bool) -> Plan:
    assert settings.table is not None
    if not isinstance(data, str | None):
        raise BadInput("a table knows data sets by their names; leave the table out to search on data of your own")
    column = tables.column(settings.table, settings.data, settings.data_root)
    theirs = column.space
    if (not isinstance(space, str | None) and space is not theirs.of) or settings.space not in ("", theirs.name):
        raise BadInput(
            f"the table {settings.table} holds the networks of the space {theirs.name} on {column.task.name}; leave "
            f"out space {settings.space}, or the table"
        )
    settings = replace(settings, space=theirs.name)
    objectives = parse(settings.objectives, column.task.metric)
    for objective in objectives:
        if objective.key not in column.numbers:
            known = [name.removeprefix("valid_") for name in column.numbers if not name.startswith("test_")]
            raise BadInput(
                f"the table {settings.table} has no {objective.name} on {column.task.name}; it has {', '.join(known)}"
            )
    for name in settings.limits:
        if name not in column.numbers:
            raise BadInput(f"max_{name} limits what the table {settings.table} does not have on {column.task.name}")
    chosen = settings.controller if controller is None else controller
    plan = Plan(settings, column.task, theirs.for_task(column.task), objectives, chosen, "cpu", column)
    if not to_read:
        plan.made_controller()  # refuses bad options before any work
    return plan


def plan_of_run(
    name: str, settings: Settings, *, data: Any = None, space: Any = None, controller: Any = None, to_read: bool = False
) -> Plan:
    """The plan of an earlier run.

    Raises:
        BadInput: as ``make_plan``, and if what was an object in Python is not given again.
    """
    named = {
        "data": data is not None or settings.table is not None or is_named(settings.data),
        "space": space is not None or ":" in settings.space or settings.space in SPACES,
        "controller": to_read or controller is not None or settings.controller in CONTROLLERS,
    }
    for what, known in named.items():
        if not known:
            raise BadInput(
                f"the run {name!r} was started from Python with an object as its {what} "
                f"({getattr(settings, what)}); give it again there: nas.resume({name!r}, {what}=...)"
            )
    return make_plan(settings, data=data, space=space, controller=controller, to_read=to_read)


def _device(device: str, to_read: bool) -> str:
    try:
        return resolve(device)
    except BadInput:
        if not to_read:
            raise
        return resolve("auto")


def open_store(plan: Plan, folder: RunFolder) -> Store:
    """The store of a folder, to read."""
    where, header = folder.store(plan.settings), plan.header(CHECKED)
    return Store.open(where, folder.name, header, plan.space, plan.objectives, checked=CHECKED)


def versions() -> Mapping[str, str]:
    """Versions of what the numbers depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in ("gnn-nas", "torch", "torch_geometric", "optuna", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
