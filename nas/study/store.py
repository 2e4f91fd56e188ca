"""Trials on disk: an ordinary Optuna study, so that its dashboard and plots work on ours.

Each finished trial is written once and whole; nothing is ever left running in the store. Trials that were stopped
early are pruned ones there, with their value, and learning curves are intermediate values, as Optuna's plots expect.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from nas.controllers.base import Trial
from nas.controllers.optuna_knobs import distribution
from nas.searchspace.errors import BadInput, NasError, RunError
from nas.searchspace.space import Space
from nas.study.objectives import Objective
from nas.study.places import shown
from nas.study.records import FROM_SCRATCH, Record, Repeat
from nas.study.storages import storage, why

HEADER = "nas"
"""The study attribute that says what the study is of."""

ANOTHER = {
    "knobs": "a search space with other knobs",
    "space": "a search space that writes other networks",
    "task": "another data set, split or metric",
    "objectives": "other objectives",
    "settings": "another choice of settings",
}


class InMemory:
    """The trials of a study that is not written down."""

    def __init__(self) -> None:
        self._records: list[Record] = []

    def records(self) -> list[Record]:
        """All trials so far."""
        return list(self._records)

    def add(self, record: Record) -> None:
        """Keep it as long as this object."""
        self._records.append(record)


class Store:
    """The trials of one study.

    Only one process writes, and it holds the run's lock; or several do that share the study, see ``nas.study.peers``.
    """

    def __init__(self, study: optuna.Study, space: Space[Any], objectives: Sequence[Objective]) -> None:
        self._study = study
        self._space = space
        self._objectives = tuple(objectives)

    @staticmethod
    def create(
        where: Path | str,
        name: str,
        header: Mapping[str, Any],
        space: Space[Any],
        objectives: Sequence[Objective],
        evaluator: str = FROM_SCRATCH,
    ) -> Store:
        """A new, empty store: a journal file if ``where`` is a path, else the storage of that URL.

        Args:
            evaluator: of the search, from which Optuna's plots know what the values are.

        Raises:
            RunError: if there is a study of that name already, or the place cannot be written.
        """
        backend = storage(where)
        directions = [StudyDirection.MAXIMIZE if o.maximise else StudyDirection.MINIMIZE for o in objectives]
        try:
            with Quiet():
                study = optuna.create_study(
                    storage=backend, study_name=name, directions=directions, load_if_exists=True
                )
                if study.user_attrs or study.trials or study.directions != directions:
                    raise RunError(f"the storage has a study {name!r} already; choose another --name")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names([_named(o, evaluator) for o in objectives])
            study.set_user_attr(HEADER, dict(header))
        except NasError:
            raise
        except Exception as error:
            raise RunError(f"the store {shown(where)} cannot be written: {why(error, str(where))}") from error
        return Store(study, space, objectives)

    @staticmethod
    def begun(where: Path | str, name: str) -> bool:
        """Whether ``create`` was seen through; a process that was killed before left nothing to lose."""
        if isinstance(where, Path) and not where.is_file():
            return False
        study = _find(where, name)
        return study is not None and bool(study.user_attrs or study.get_trials(deepcopy=False))

    @staticmethod
    def open(
        where: Path | str,
        name: str,
        header: Mapping[str, Any],
        space: Space[Any],
        objectives: Sequence[Objective],
        *,
        checked: Sequence[str] = ("knobs", "space", "task", "objectives"),
    ) -> Store:
        """The store of an earlier search.

        Args:
            checked: entries of the header that must be what they were.

        Raises:
            RunError: if it is not there, is damaged, or belongs to another space, task or objective.
        """
        return Kept(where, name).opened(header, space, objectives, checked)

    def add(self, record: Record) -> None:
        """Write a finished trial.

        Raises:
            RunError: if it cannot be written; the trials before it are safe.
        """
        frozen = self._frozen(record)
        try:
            self._study.add_trial(frozen)
        except Exception as error:  # each kind of storage has errors of its own
            raise RunError(
                f"trial {record.trial.number} could not be written ({why(error)}); the trials before it are safe. Make "
                "room, then continue with nas resume"
            ) from error

    def records(self) -> list[Record]:
        """All trials in the order in which they were finished.

        Raises:
            RunError: if a trial is not an architecture of the space.
        """
        return self.since(0)

    def since(self, number: int) -> list[Record]:
        """Those from a number on.

        Raises:
            RunError: if a trial is not an architecture of the space, or the storage cannot be read.
        """
        try:
            found = self._study.get_trials(deepcopy=False)[number:]
        except Exception as error:
            raise RunError(f"the trials cannot be read ({why(error)}); those that are finished are safe") from error
        return [self._record(frozen) for frozen in found]

    @property
    def study(self) -> optuna.Study:
        """The Optuna study itself."""
        return self._study

    def _frozen(self, record: Record) -> FrozenTrial:
        trial = record.trial
        domains = self._space.domains(trial.architecture)
        values = None
        if trial.values is not None:
            values = [o.value(v) for o, v in zip(self._objectives, trial.values, strict=True)]
        state = TrialState.COMPLETE if trial.stopped is None else TrialState.PRUNED
        frozen = create_trial(
            state=TrialState.FAIL if values is None else state,
            values=values,
            intermediate_values=dict(trial.curve),
            params=self._space.knobs(trial.architecture),
            distributions={path: distribution(domain) for path, domain in domains.items()},
            user_attrs={
                "architecture": self._space.to_json(trial.architecture),
                "metrics": dict(trial.metrics),
                "seconds": trial.seconds,
                "elapsed": record.elapsed,
                "origin": record.origin,
                "seed": record.seed,
                **({"reason": trial.reason} if trial.reason else {}),
                **({"bracket": record.bracket} if record.bracket else {}),
                **({} if record.evaluator == FROM_SCRATCH else {"evaluator": record.evaluator}),
                **(
                    {"repeats": [[self._space.to_json(r.architecture), r.of] for r in record.repeats]}
                    if record.repeats
                    else {}
                ),
            },
        )
        if frozen.datetime_complete is not None:
            frozen.datetime_start = frozen.datetime_complete - timedelta(seconds=trial.seconds)
        return frozen

    def _record(self, frozen: FrozenTrial) -> Record:
        kept = frozen.user_attrs
        try:
            architecture = self._space.from_json(kept["architecture"])
            repeats = tuple(Repeat(self._space.from_json(a), of) for a, of in kept.get("repeats", ()))
            values = None
            if frozen.state != TrialState.FAIL:
                values = tuple(o.value(v) for o, v in zip(self._objectives, frozen.values, strict=True))
            curve = tuple(sorted(frozen.intermediate_values.items()))
            stopped = curve[-1][0] if frozen.state == TrialState.PRUNED else None
            measured, seconds, reason = kept["metrics"], kept["seconds"], kept.get("reason")
            trial = Trial(frozen.number, architecture, values, measured, seconds, reason, curve, stopped)
            return Record(
                trial,
                kept["elapsed"],
                kept["origin"],
                repeats,
                kept["seed"],
                kept.get("bracket", 0),
                kept.get("evaluator", FROM_SCRATCH),
            )
        except (KeyError, TypeError, BadInput) as error:
            raise RunError(f"trial {frozen.number} of the store is not one of this space: {error}") from error


class Kept:
    """A study that is written somewhere, before it is said what its trials are of.

    Attributes:
        header: what it is remembered by, see ``Store.create``.

    Raises:
        RunError: if it is not there, or is damaged.
    """

    def __init__(self, where: Path | str, name: str) -> None:
        self._where, self._name, self._study = where, name, _load(where, name)
        recorded = self._study.user_attrs.get(HEADER)
        if not isinstance(recorded, dict):
            raise RunError(f"the study {name!r} in {shown(where)} was not written by nas")
        self.header: dict[str, Any] = recorded

    def opened(
        self, header: Mapping[str, Any], space: Space[Any], objectives: Sequence[Objective], checked: Sequence[str]
    ) -> Store:
        """Its store, as ``Store.open``; ``header`` needs the entries that are checked and no others.

        Raises:
            RunError: if one of them is not what it was.
        """
        for key in checked:
            there, here = self.header.get(key), header[key]
            if there == here or (key == "settings" and there is None):  # of a version that did not keep them
                continue
            if key == "settings" and isinstance(there, Mapping):
                there, here = _differing(there, here), _differing(here, there)
            raise RunError(
                f"the store of {self._name!r} belongs to {ANOTHER[key]} than the one given now ({there!r} there, "
                f"{here!r} here); start a new run with another --name"
            )
        return Store(self._study, space, objectives)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if value != other.get(name)}


def _named(objective: Objective, evaluator: str) -> str:
    """What Optuna calls an objective. Values have its direction, scores too."""
    found = objective.by(evaluator)
    if not found.scored:
        return objective.label
    return f"{'' if objective.maximise else 'minus '}{found.label} (of those trained: {objective.label})"


class Quiet:
    """Optuna's own messages off, and back to what they were."""

    def __enter__(self) -> None:
        self._before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def __exit__(self, *_: object) -> None:
        optuna.logging.set_verbosity(self._before)


def _load(where: Path | str, name: str) -> optuna.Study:
    if isinstance(where, Path) and not where.is_file():
        raise RunError(f"there is no store at {where}; the run folder is incomplete")
    study = _find(where, name)
    if study is None:
        raise RunError(f"there is no study {name!r} in {shown(where)}")
    return study


def _find(where: Path | str, name: str) -> optuna.Study | None:
    try:
        with Quiet():
            return optuna.load_study(study_name=name, storage=storage(where))
    except KeyError:
        return None
    except NasError:
        raise
    except Exception as error:
        raise RunError(f"the store {shown(where)} is damaged and cannot be read: {why(error, str(where))}") from error
