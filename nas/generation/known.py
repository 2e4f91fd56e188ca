"""What a guide learns from: architectures of a space and what was measured of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.data.naming import is_named
from nas.ranking.sample import LISTS, listed, read
from nas.searchspace.errors import BadInput
from nas.searchspace.parsing import json_of
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES
from nas.study.folder import RunFolder
from nas.study.plan import Plan, open_store, plan_of_run
from nas.study.records import searched

LEAST = 5
"""Measured architectures that a guide needs."""


@dataclass(frozen=True)
class Known:
    """Architectures in their canonical form, each once, and their metrics."""

    architectures: tuple[Any, ...]
    metrics: tuple[Mapping[str, float], ...]

    def values(self, key: str) -> tuple[list[Any], list[float]]:
        """The architectures of which something was measured, and that.

        Raises:
            BadInput: if these are too few.
        """
        measured = ((a, m.get(key)) for a, m in zip(self.architectures, self.metrics, strict=True))
        found = [(a, value) for a, value in measured if value is not None and math.isfinite(value)]
        if len(found) < LEAST:
            raise BadInput(
                f"a guide learns {key} from {LEAST} measured architectures or more, and here are {len(found)}"
            )
        return [a for a, _ in found], [value for _, value in found]


def run_of(name: str, root: Path) -> RunFolder | None:
    """The folder of a run, if there is one of that name."""
    try:
        folder = RunFolder(root, name)
    except BadInput:
        return None
    return folder if folder.exists() else None


def plan_of(folder: RunFolder, data: Any = None, space: Any = None) -> Plan:
    """What a run was of, to be read; ``data`` and ``space`` are objects that may have to stand for its own again."""
    settings = folder.settings()
    if settings.table is not None or is_named(settings.data):
        data = None
    if settings.table is not None or ":" in settings.space or settings.space in SPACES:
        space = None
    return plan_of_run(folder.name, settings, data=data, space=space, to_read=True)


def of_run(folder: RunFolder, space: Space[Any], theirs: Plan | None = None) -> Known:
    """What the trials of a run measured; of a space with the same knobs.

    Args:
        space: of the architectures.
        theirs: what the run was of.

    Raises:
        BadInput: if the run is of other knobs.
    """
    theirs = theirs or plan_of(folder)
    if theirs.space.knobs_fingerprint() != space.knobs_fingerprint():
        raise BadInput(
            f"the run {folder.name} is of the space {theirs.space.name}, whose knobs are not those of "
            f"{space.name}; give --space {theirs.space.name}"
        )
    trials = [record.trial for record in searched(open_store(theirs, folder).records())]
    good = [trial for trial in trials if trial.values is not None]
    ours = [space.from_json(theirs.space.to_json(t.architecture)) for t in good]  # a file's class is made at each look
    return _known(space, ours, [t.metrics for t in good])


def of_file(file: Path, space: Space[Any]) -> Known:
    """What a JSON file says that was measured: a list of objects with ``architecture`` and ``metrics``, or an object
    with such a list, as ``nas show RUN --json`` prints it.

    Raises:
        BadInput: if the file cannot be read, is of another form, or of another space.
    """
    architectures = read(space, listed(file))
    data = json_of(file.read_text(encoding="utf-8"))
    items = data if isinstance(data, list) else next(data[name] for name in LISTS if name in data)
    metrics = [item["metrics"] for item in items if isinstance(item, dict) and isinstance(item.get("metrics"), dict)]
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("metrics"), dict):
            raise BadInput(
                f"architecture {number} of {file} has no metrics; an item is an object with architecture and metrics, "
                "such as {'valid_accuracy': 0.8}, as nas show RUN --top 1000 --json prints them"
            )
        for name, value in item["metrics"].items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise BadInput(f"architecture {number} of {file} has the {name} {value!r}, which is no number")
    return _known(space, architectures, metrics)


def _known(space: Space[Any], architectures: Sequence[Any], metrics: Sequence[Mapping[str, float]]) -> Known:
    by_network = {space.canonical(a): m for a, m in zip(architectures, metrics, strict=True)}
    return Known(tuple(by_network), tuple(by_network.values()))
