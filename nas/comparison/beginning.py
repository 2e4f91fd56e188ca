"""From what the user says to a comparison that can start: what does not fit is refused here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.comparison.contest import Contest
from nas.comparison.entries import parse
from nas.evaluation.tables import registry as tables
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study.folder import RunFolder

ON_TABLE: tuple[tuple[int, ...], int] = (50, 100, 200), 30
TRAINED: tuple[tuple[int, ...], int] = (20, 50), 3
"""Budgets and seeds where the user does not say."""
ALL = "all"
OWN = ("controller", "controller_options", "objectives", "seed", "seconds", "storage", "simulated", "choose")
"""Settings that a comparison decides itself."""


def begin(
    data: str | Sequence[str] | None,
    controllers: str | Sequence[str],
    table: str | None,
    space: str | None,
    trials: int | Sequence[int] | None,
    seeds: int | None,
    workers: int,
    name: str | None,
    root: Path,
    settings: Mapping[str, Any],
) -> Contest:
    """What is compared, and what the folder knows of it.

    Raises:
        BadInput: for anything that does not exist or does not fit, or if the folder holds another comparison.
        RunError: if it cannot be read.
    """
    if named := [setting for setting in OWN if setting in settings]:
        raise BadInput(f"{named[0]} is no setting of a comparison: it compares all controllers in one way")
    made = Settings.of({**settings, "table": table, "space": space or ""})
    default, count = ON_TABLE if table is not None else TRAINED
    budgets = _budgets(default if trials is None else trials)
    for what, number in {"seeds": seeds, "workers": workers}.items():
        if number is not None and (type(number) is not int or number < 1):
            raise BadInput(f"{what} must be a whole number, 1 or more; got {number!r}")
    sets = _data(data, made)
    entries, notes = parse([controllers] if isinstance(controllers, str) else controllers)
    stem = Path(table).stem if table is not None else f"{sets[0] if len(sets) == 1 else 'data'}-{made.space}"
    chosen = name or re.sub(r"[^A-Za-z0-9._-]+", "-", f"{stem}-comparison").lstrip("-._")
    return Contest(
        settings=replace(made, trials=budgets[-1]),
        entries=entries,
        data=sets,
        budgets=budgets,
        seeds=seeds or count,
        folder=RunFolder(root, chosen),
        workers=workers,
        notes=notes,
    )


def _budgets(trials: int | Sequence[int]) -> tuple[int, ...]:
    budgets = [trials] if isinstance(trials, int) else list(trials)
    if not budgets or any(type(budget) is not int or budget < 1 for budget in budgets):
        raise BadInput(f"trials must be whole numbers, 1 or more, such as 50,100; got {trials!r}")
    return tuple(sorted(set(budgets)))


def _data(data: str | Sequence[str] | None, settings: Settings) -> tuple[str, ...]:
    names = [data] if isinstance(data, str) else list(data or ())
    if not all(isinstance(name, str) for name in names):
        raise BadInput("data sets are compared by their names; search on data of your own with nas.search")
    if settings.table is None:
        if ALL in names:
            raise BadInput("all data sets are those of a table; give --table nasbench-graph, or name the data sets")
        return tuple(dict.fromkeys(name.lower() for name in names or [Settings.data]))
    known = tables.find(settings.table, settings.data_root).datasets
    return known if ALL in (names or [ALL]) else tuple(dict.fromkeys(name.lower() for name in names))
