"""Comparing controllers by the same searches with each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nas.comparison.beginning import begin
from nas.comparison.comparison import CSV, Comparison
from nas.comparison.contest import Contest
from nas.comparison.ledger import Found
from nas.comparison.means import comparison
from nas.report.comparison import render
from nas.report.page import save
from nas.study.folder import runs_root
from nas.study.plan import versions


def compare(
    data: str | Sequence[str] | None = None,
    *,
    controllers: Sequence[str] = ("random", "tpe"),
    table: str | None = None,
    space: str | None = None,
    trials: int | Sequence[int] | None = None,
    seeds: int | None = None,
    workers: int = 1,
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    told: Callable[[Found], None] | None = None,
    **settings: Any,
) -> Comparison:
    """Search with several controllers on the same data sets from the same seeds, and compare what they find.

    What is finished is kept in the comparison's folder: the same call goes on with it, and so does one with more
    controllers, data sets, seeds or trials. A page with curves is written there too.

    Args:
        data: a name or several; by default ``all`` of the table, else ``digits``.
        controllers: names, with options ``NAME:KEY=VALUE:KEY=VALUE``. Random search is always among them.
        table: looks architectures up there; None trains them, each search being a run in the comparison's folder.
        space: as in :func:`nas.search`, by its name.
        trials: distinct architectures after which controllers are compared; by default 50, 100 and 200 on a table and
            20 and 50 with trainings.
        seeds: searches with each controller on each data set; 30 on a table and 3 with trainings by default.
        workers: searches that run at the same time.
        name: of the comparison; by default made of table, or data and space.
        runs: as in :func:`nas.search`.
        told: hears of each finished search.
        settings: the other fields of :class:`nas.settings.Settings`, for all searches.

    Raises:
        BadInput: for anything that does not exist or does not fit, before any work.
        RunError: if a search fails, or the folder cannot be written.
    """
    contest = start_comparison(data, controllers, table, space, trials, seeds, workers, name, runs, settings)
    for found in contest.run():
        if told is not None:
            told(found)
    return finish_comparison(contest)


def start_comparison(
    data: str | Sequence[str] | None,
    controllers: Sequence[str],
    table: str | None,
    space: str | None,
    trials: int | Sequence[int] | None,
    seeds: int | None,
    workers: int,
    name: str | None,
    runs: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
) -> Contest:
    """What :func:`nas.compare` will do, everything checked and nothing done."""
    made = begin(data, controllers, table, space, trials, seeds, workers, name, runs_root(runs), settings)
    made.check()
    return made


def finish_comparison(contest: Contest) -> Comparison:
    """What the finished searches say; its page and its rows are written into the folder."""
    found = comparison(contest)
    save(found.csv(), found.path / CSV)
    save(render(found, contest.facts(), versions()), found.page)
    return found
