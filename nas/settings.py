"""Everything a search is told. A flag of ``nas search``, a key of its TOML file and an argument of ``nas.search``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from nas.data.loading import TASKS
from nas.evaluation.job import BATCHES, PRECISIONS, QUANTISATIONS
from nas.passwords import hidden
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.sharing import MODES

FIDELITIES = ("full", "halving", "hyperband")
CHOICES = ("best", "posterior")
EVALUATORS = ("train", "shared")
EXECUTORS = ("auto", "process", "local", "ray")
ANYWHERE = "auto"
"""The Ray that is running, or else a new one on this machine."""
LOOKED_UP = "table"
"""The evaluator of a search on a table."""
OF_TRAININGS = (
    *("split", "split_seed", "metric", "task", "features", "device", "workers", "epochs", "patience"),
    *("validate_every", "fidelity", "screen", "pool", "sharing", "warm_up", "batches", "precision"),
    *("class_weights", "trial_seconds", "trial_memory", "executor", "ray_address", "gpus_per_trial", "quantisation"),
)
"""Settings that mean nothing where trainings are looked up: the table fixed them, or there is nothing to compute."""
PROXY = "proxy"
"""The evaluator ``proxy:NAME`` is the score of an untrained network by the proxy of that name."""
AUTO = "auto"
"""The screen that is learned from finished trials."""
POOL = 8
"""Architectures from which a screen chooses one, where the user does not say."""
WARM_UP = 15
"""Epochs that a trial with shared weights is trained for, where the user does not say.

Of 5, 10, 15 and 20 the longest that costs a fifth of a whole training, see ``experiments/agnn/sharing.py``.
"""


@dataclass(frozen=True)
class Settings:
    """The settings of one search.

    Attributes:
        data: name of a data set, see ``nas datasets``; or the path of a file or folder, or ``ogb:NAME``.
        data_root: folder with the data sets; without it the environment variable ``NAS_DATA`` or the cache.
        split: how the items are divided; None takes the data set's custom.
        split_seed: seed of a random split.
        metric: what validation selects by; None takes the task's.
        task: ``node``, ``graph`` or ``link``: what is predicted; ``auto`` is what the labels say.
        features: what a node is described by: a list, joined by commas, of ``own``, ``degree``, ``laplacian[:K]`` and
            ``random-walk[:K]``; None is the data set's own, else degrees.
        space: name of a search space, or ``file.py:Class``; empty means ``design``, or the space of the table.
        controller: name of a controller.
        controller_options: keyword arguments of the controller.
        objectives: what to optimise, ``-`` in front of what should be small; empty means the metric.
        trials: distinct architectures to train; None means until ``seconds`` are over.
        seconds: wall-clock seconds after which no trial is started; None means no limit.
        seed: the only source of randomness besides ``split_seed``.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``; with the executor ``ray`` that of what the driver computes
            itself, such as proxies, for ``gpus_per_trial`` decides what trainings run on.
        workers: processes that train at the same time; 1 trains in the driver itself, 0 is one for every GPU or core.
            None means 1, and with the executor ``ray`` as many as the cluster has room for, as 0 does.
        executor: where trainings run: in this ``process``, in ``local`` processes, or on a cluster of ``ray``, see
            ``docs/cluster.md``; ``auto`` is this process for one worker, else local ones.
        ray_address: of the cluster: ``local`` starts one on this machine, ``ray://HOST:10001`` or ``HOST:6379`` is a
            running one, and ``auto`` the one that is running here, else ``local``.
        gpus_per_trial: GPUs that each training has with the executor ``ray``, such as 1 or 0.25; None means CPUs.
        epochs: overrides what the space says.
        patience: likewise.
        validate_every: epochs from one look at the validation split to the next; None means 1 in short trainings and
            5 from 200 epochs on.
        fidelity: ``full`` trains every architecture to its end; ``halving`` and ``hyperband`` stop those whose
            learning curve is behind, see ``nas.study.fidelity``.
        evaluator: ``train`` trains every architecture from scratch; with ``shared`` an architecture inherits weights
            from those before it and is trained for ``warm_up`` epochs, and the best are trained from scratch in the
            end, see ``nas.study.sharing``; ``proxy:NAME`` trains nothing in the search, ranks by the score of a proxy,
            and trains the best in the end. With a table it is ``table``.
        table: name of a table of finished trainings, or its file: architectures are looked up there, not trained, see
            ``nas.evaluation.tables``. None trains them.
        simulated: whether seconds are those that the looked-up trainings would have taken, not those of the search.
        screen: names of proxies, joined by commas, by which the most promising of every ``pool`` proposals is chosen
            for a trial; ``auto`` learns how to choose from the finished trials and, of a space in
            ``nas.predictors.elsewhere``, from trainings on other data sets, see ``nas.study.screening``. None
            means that every proposal is evaluated.
        pool: proposals for a trial that is screened; None means 8.
        sharing: who inherits from whom with shared weights: ``homogeneous`` layers (None means these) or ``all``, see
            ``nas.searchspace.sharing``.
        warm_up: epochs of a training with shared weights, at most those of a whole one; None means 15.
        batches: how a graph too large for one step is trained on: ``auto``, ``full``, ``neighbours``, ``clusters`` or
            ``random``, see ``nas.evaluation.portions.sampling``.
        precision: ``float32``, or on a GPU ``tf32`` or ``bf16``.
        quantisation: of networks with few bits: ``aware`` trains them as they will be used, ``post`` with all bits,
            and rounds them in the end, see ``nas.evaluation.post_training``.
        class_weights: whether the loss weighs classes by the inverse of their frequency.
        trial_seconds: limit of one training, which is cooled down towards it and ends with its best epoch, see
            ``nas.evaluation.cooling``; None means none.
        trial_memory: limit of one training in MiB; None takes four fifths of what is free, shared by the workers.
        max_params: the most trainable parameters: what has more is not trained, and takes no place in the budget.
        max_latency: the longest forward pass over the validation split, in seconds; likewise.
        storage: URL of an Optuna storage, on whose study several processes may search together, see
            ``docs/cluster.md``; its password is not kept here. None means a journal file in the run's folder.
        choose: how the architecture to take is chosen of the finished trials: ``best`` is the best as measured,
            ``posterior`` the best as a predictor expects it from all trials, see ``nas.study.choosing``; its weights
            may have to be trained again, for those that are kept are of the best as measured.
        known_first: whether the networks that the space calls known good are trained before the controller is asked.
        confirm: how many of the best trials are trained again in the end, with other seeds, and judged by their means,
            see ``nas.study.confirming``; 0 judges all by the one training of the search.
        confirm_seconds: seconds after the search in which all of these trainings end, each of which may take what is
            left of them; None means that each has ``trial_seconds``.
        keep: how many of the best trials keep their weights; 0, where a proxy is the evaluator, trains none.
    """

    data: str = "digits"
    data_root: str | None = None
    split: str | None = None
    split_seed: int = 0
    metric: str | None = None
    task: str = "auto"
    features: str | None = None
    space: str = ""
    controller: str = "tpe"
    controller_options: Mapping[str, Any] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    trials: int | None = 50
    seconds: float | None = None
    seed: int = 0
    device: str = "auto"
    workers: int | None = None
    executor: str = "auto"
    ray_address: str = ANYWHERE
    gpus_per_trial: float | None = None
    epochs: int | None = None
    patience: int | None = None
    validate_every: int | None = None
    fidelity: str = "full"
    evaluator: str = "train"
    table: str | None = None
    simulated: bool = False
    screen: str | None = None
    pool: int | None = None
    sharing: str | None = None
    warm_up: int | None = None
    batches: str = "auto"
    precision: str = "float32"
    quantisation: str = "aware"
    class_weights: bool = False
    trial_seconds: float | None = None
    trial_memory: int | None = None
    max_params: float | None = None
    max_latency: float | None = None
    storage: str | None = None
    choose: str = "best"
    known_first: bool = False
    confirm: int = 0
    confirm_seconds: float | None = None
    keep: int = 5

    def __post_init__(self) -> None:
        for name in ("data", "data_root"):
            if isinstance(getattr(self, name), os.PathLike):
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
        object.__setattr__(self, "objectives", _names(self.objectives))
        object.__setattr__(self, "controller_options", _options(self.controller_options))
        texts = ("data", "task", "space", "controller", "device", "fidelity", "evaluator", "executor", "ray_address")
        for name in (*texts, "batches", "precision", "quantisation", "choose"):
            if not isinstance(getattr(self, name), str):
                raise BadInput(f"{name} must be text; got {getattr(self, name)!r}")
        for name in ("data_root", "split", "metric", "features", "table", "screen", "sharing", "storage"):
            if not isinstance(getattr(self, name), str | None):
                raise BadInput(f"{name} must be text; got {getattr(self, name)!r}")
        if self.storage is not None:
            object.__setattr__(self, "storage", hidden(self.storage))
        for name in ("simulated", "class_weights", "known_first"):
            if not isinstance(getattr(self, name), bool):
                raise BadInput(f"{name} must be true or false; got {getattr(self, name)!r}")
        for name in ("split_seed", "seed", "keep", "confirm"):
            least = 1 if name == "keep" and not self.proxy else 0
            _check_number(name, getattr(self, name), int, least)
        for name in ("split_seed", "seed"):
            if getattr(self, name) >= 2**63:
                raise BadInput(f"{name} must be below 2**63; got {getattr(self, name)}")
        for name in ("trials", "epochs", "patience", "validate_every", "warm_up", "trial_memory"):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), int, 1)
        for name, least in {"pool": 2, "workers": 0}.items():
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), int, least)
        for name in ("seconds", "trial_seconds", "max_params", "max_latency", "confirm_seconds", "gpus_per_trial"):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), float, 0)
        named = {"task": TASKS, "fidelity": FIDELITIES, "batches": BATCHES, "precision": PRECISIONS, "choose": CHOICES}
        named["quantisation"] = QUANTISATIONS
        for name, allowed in {**named, "sharing": (None, *MODES), "executor": EXECUTORS}.items():
            if getattr(self, name) not in allowed:
                raise unknown(name, getattr(self, name), filter(None, allowed))
        self._check_table()
        self._check_evaluator()
        self._check_screen()
        self._check_confirm()
        self._check_executor()
        if self.trials is None and self.seconds is None:
            raise BadInput("give a budget: trials, seconds, or both")

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """These with what is given, None being nothing; another executor leaves out what was said of Ray."""
        said = {name: value for name, value in given.items() if value is not None}
        if said.get("executor", "ray") != "ray":
            said = {"ray_address": ANYWHERE, "gpus_per_trial": None} | said
        return replace(self, **said)

    @property
    def proxy(self) -> str | None:
        """The proxy that is the evaluator; None where another one is."""
        return proxy_of(self.evaluator)

    @property
    def limits(self) -> dict[str, float]:
        """The most that a network may have, by the name of the cost."""
        given = {"params": self.max_params, "latency": self.max_latency}
        return {name: limit for name, limit in given.items() if limit is not None}

    @property
    def screens(self) -> tuple[str, ...]:
        """The proxies named as the screen; none without one, and with ``auto``."""
        return () if self.screen in (None, AUTO) else _split(self.screen)

    def _check_table(self) -> None:
        """Settle what a table decides, and refuse what it leaves no room for."""
        if self.table is None:
            object.__setattr__(self, "space", self.space or "design")
            if self.simulated:
                raise BadInput("simulated seconds are those of a table and there is none; give table, or leave it out")
            if self.evaluator == LOOKED_UP:
                raise BadInput("evaluator table needs a table; give table too, such as table nasbench-graph")
            return
        if self.evaluator not in ("train", LOOKED_UP):
            raise BadInput(
                f"a table is the evaluator of its search; leave out evaluator {self.evaluator}, or the table"
            )
        object.__setattr__(self, "evaluator", LOOKED_UP)
        for name in OF_TRAININGS:
            value = getattr(self, name)
            if (name, value) == ("workers", 1):  # once the default, which stands in the files of earlier runs
                continue
            if value != type(self).__dataclass_fields__[name].default:
                raise BadInput(
                    f"{name} concerns trainings, and with a table they are looked up; leave out {name} {value}, or the "
                    "table"
                )

    def _check_evaluator(self) -> None:
        if self.proxy is not None:
            _check_proxy(self.proxy)
        elif self.evaluator not in (*EVALUATORS, LOOKED_UP):
            raise unknown("evaluator", self.evaluator, [*EVALUATORS, f"{PROXY}:NAME"])
        if self.evaluator != "train" and self.fidelity != "full":
            why = "the search has none" if self.proxy else "all are as short"
            raise BadInput(
                f"fidelity {self.fidelity} compares trainings from scratch, and with evaluator {self.evaluator} {why}; "
                "use one of the two"
            )
        if self.evaluator == "shared":
            if self.quantisation == "post":
                raise BadInput(
                    "quantisation post rounds networks that were trained to their end, and with evaluator shared they "
                    "hand their weights on; use evaluator train, or leave quantisation out"
                )
            return
        for name in ("sharing", "warm_up"):
            if getattr(self, name) is not None:
                raise BadInput(
                    f"{name} is a setting of shared weights and the evaluator is {self.evaluator}; use evaluator "
                    f"shared too, or leave {name} out"
                )

    def _check_confirm(self) -> None:
        if self.confirm_seconds is not None and not self.confirm:
            raise BadInput(
                "confirm_seconds limits how long the best are trained again; give confirm too, or leave it out"
            )
        if self.confirm and self.evaluator != "train":
            raise BadInput(
                f"confirm trains the best again, and evaluator {self.evaluator} does not train; leave it out"
            )
        if self.confirm and len(self.objectives) > 1:
            raise BadInput("confirm judges by one objective and there are several; leave it out, or name one")
        if self.confirm and self.choose != "best":
            raise BadInput(f"confirm and choose {self.choose} both say which trial to take; use one of the two")

    def _check_executor(self) -> None:
        if self.executor == "process" and self.workers not in (None, 1):
            raise BadInput(f"executor process trains one at a time; leave out workers {self.workers}, or use local")
        if self.executor != "ray":
            for name, given in {
                "ray_address": self.ray_address != ANYWHERE,
                "gpus_per_trial": self.gpus_per_trial,
            }.items():
                if given:
                    raise BadInput(
                        f"{name} is a setting of the executor ray and the executor is {self.executor}; use executor "
                        f"ray, or leave {name} out"
                    )
            return
        if self.ray_address not in (ANYWHERE, "local") and ":" not in self.ray_address:
            raise BadInput(f"ray_address must be auto, local, ray://HOST:PORT or HOST:PORT; got {self.ray_address!r}")
        if self.gpus_per_trial is not None and self.gpus_per_trial > 1 and self.gpus_per_trial % 1:
            raise BadInput(f"gpus_per_trial must be whole above 1: no GPU is split then; got {self.gpus_per_trial}")
        if self.gpus_per_trial is None and self.device.startswith("cuda"):
            raise BadInput(
                f"executor ray needs to know how much of a GPU a training has; give gpus_per_trial, such as 1, or "
                f"leave out device {self.device}"
            )
        if self.evaluator == "shared":
            raise BadInput(
                "evaluator shared reads weights of earlier trials from this machine's disk, which workers of Ray may "
                "not have; use executor local, or another evaluator"
            )

    def _check_screen(self) -> None:
        if self.screen is None:
            if self.pool is not None:
                raise BadInput("pool is a setting of a screen and there is none; give screen too, or leave pool out")
            return
        for name in self.screens:
            _check_proxy(name, AUTO)
        if len(set(self.screens)) < len(self.screens):
            raise BadInput(f"screen names a proxy twice: {self.screen}")

    @staticmethod
    def of(values: Mapping[str, Any]) -> Settings:
        """Settings from a mapping, as read from a TOML file. A budget of seconds alone is no limit of trials.

        Raises:
            BadInput: for a key that is no setting (the nearest is offered) or a value that does not fit.
        """
        known = [f.name for f in fields(Settings)]
        for name in values:
            if name not in known:
                raise unknown("setting", name, known)
        unlimited = {"trials": None} if values.get("seconds") is not None else {}
        return Settings(**{**unlimited, **values})


def option(text: str) -> tuple[str, Any] | None:
    """What ``KEY=VALUE`` says, the value being JSON or else text; None if it is not written so."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        return None
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def proxy_of(evaluator: str) -> str | None:
    """The proxy that an evaluator is; None of an evaluator that trains."""
    kind, colon, name = evaluator.partition(":")
    return name if kind == PROXY and colon else None


def _check_proxy(name: str, *others: str) -> None:
    """Raises ``BadInput`` for a name that no proxy has; it might have meant one of the others. Imports torch."""
    from nas.evaluation.proxies import known, names

    if name.partition(":")[0] not in names():
        raise unknown("proxy", name, [*names(), *others])
    known(name)


def _split(screen: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (screen or "").split(","))


def _names(objectives: Any) -> tuple[str, ...]:
    if not isinstance(objectives, list | tuple) or not all(isinstance(name, str) for name in objectives):
        raise BadInput(f"objectives must be a list of names, such as ['accuracy', '-params']; got {objectives!r}")
    return tuple(objectives)


def _options(options: Any) -> dict[str, Any]:
    """The options that say something, None being nothing.

    Raises:
        BadInput: for an option that a TOML file cannot hold: the run could not be resumed.
    """
    if not isinstance(options, Mapping):
        raise BadInput(f"controller_options must map names to values; got {options!r}")
    said = {name: value for name, value in options.items() if value is not None}
    for name, value in said.items():
        if not isinstance(name, str) or not isinstance(value, str | bool | int | float):
            raise BadInput(f"controller_options hold text, numbers, true and false; got {name!r} = {value!r}")
    return said


def _check_number(name: str, value: Any, kind: type, low: int) -> None:
    allowed = (int, float) if kind is float else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed):
        raise BadInput(f"{name} must be a {'whole ' if kind is int else ''}number; got {value!r}")
    if not (value > low if kind is float else value >= low):
        raise BadInput(f"{name} must be {'above' if kind is float else 'at least'} {low}; got {value}")
