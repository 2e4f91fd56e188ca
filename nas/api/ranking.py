"""Ranking architectures without training them, and how well that agrees with training."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.api.searching import data_label, label
from nas.evaluation.proxies import check_prior, names_for
from nas.ranking import correlation as correlations
from nas.ranking import ranking as rankings
from nas.ranking.correlation import Correlation
from nas.ranking.ledger import Scored
from nas.ranking.ranking import Ranking
from nas.ranking.work import Work, checked
from nas.report.agreement import view
from nas.report.correlation import render
from nas.report.page import save
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study.folder import RunFolder, runs_root
from nas.study.plan import make_plan


def rank(
    data: Any = "digits",
    *,
    space: Any = "design",
    proxies: Sequence[str] = ("ntk-error",),
    n: int | None = None,
    architectures: Sequence[Any] | None = None,
    by: str | None = None,
    out: str | os.PathLike[str] | None = None,
    told: Callable[[Scored], None] | None = None,
    **settings: Any,
) -> Ranking:
    """Order architectures by proxies, without training any.

    Args:
        data, space: as in :func:`nas.search`.
        proxies: names, see ``nas proxies``.
        n: random architectures of so many different networks; 500 by default.
        architectures: to rank these instead: of the space, or as their JSON.
        by: the proxy that orders them; by default the sum of their ranks by all proxies, ``prior`` counting twice.
        out: file that keeps what is finished; with it an interrupted call goes on when it is repeated.
        told: hears of each finished architecture.
        settings: the other fields of :class:`nas.settings.Settings` that concern scores, such as ``seed``, ``workers``.

    Raises:
        BadInput: for anything that does not exist or does not fit, before any work.
        RunError: if the file cannot be written.
    """
    work = start_ranking(data, space, proxies, n, architectures, by, out, settings)
    for scored in work.run():
        if told is not None:
            told(scored)
    return rankings.ranking(work, by)


def start_ranking(
    data: Any,
    space: Any,
    proxies: Sequence[str],
    n: int | None,
    architectures: Sequence[Any] | None,
    by: str | None,
    out: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
) -> Work:
    """What :func:`nas.rank` will do, everything checked and nothing done."""
    made, names = _settings(data, space, settings), checked(proxies)
    rankings.check(n, architectures, by, names)
    plan = make_plan(made, data=data, space=space)
    check_prior(plan.space.of, plan.task, names)
    return rankings.begin(plan, names, n, architectures, None if out is None else Path(out))


def correlate(
    data: Any = "digits",
    *,
    space: Any = "design",
    proxies: Sequence[str] | None = None,
    n: int = correlations.TRAINED,
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    told: Callable[[Scored], None] | None = None,
    **settings: Any,
) -> Correlation:
    """Train random architectures in full and see how well proxies would have ranked them.

    What is finished is kept in the run's folder: the same call goes on with it, and so does one with a larger ``n`` or
    with other proxies. The scatter of every proxy is written there too.

    Args:
        data, space: as in :func:`nas.search`.
        proxies: names, see ``nas proxies``; by default all that know the space.
        n: random architectures of so many different networks.
        name: of the run; without one it is found by its settings, or made of data and space.
        runs: as in :func:`nas.search`.
        told: hears of each finished architecture.
        settings: the other fields of :class:`nas.settings.Settings` that concern training.

    Raises:
        BadInput: for anything that does not exist or does not fit, before any work.
        RunError: if the run cannot be written, or too few trainings succeed.
    """
    work, folder = start_correlation(data, space, proxies, n, name, runs, settings)
    with correlations.held(folder):
        for scored in work.run():
            if told is not None:
                told(scored)
        return finish_correlation(work, folder)


def start_correlation(
    data: Any,
    space: Any,
    proxies: Sequence[str] | None,
    n: int,
    name: str | None,
    runs: str | os.PathLike[str] | None,
    settings: Mapping[str, Any],
) -> tuple[Work, RunFolder]:
    """What :func:`nas.correlate` will do, and where: everything checked and nothing done."""
    made, names = _settings(data, space, settings), None if proxies is None else checked(proxies)
    correlations.check(n)
    if name is not None:
        RunFolder(runs_root(runs), name)  # refuses a bad name
    plan = make_plan(made, data=data, space=space)
    names = names or checked(names_for(plan.space.of, plan.task))
    check_prior(plan.space.of, plan.task, names)
    folder = correlations.folder_of(plan, name, runs_root(runs))
    return correlations.begin(plan, names, n, folder), folder


def finish_correlation(work: Work, folder: RunFolder) -> Correlation:
    """What the finished part of the sample says, and its page written into the folder."""
    found = correlations.correlation(work, folder)
    save(render(view(found, work.plan)), found.page)
    return found


def _settings(data: Any, space: Any, settings: Mapping[str, Any]) -> Settings:
    """Of work that proposes nothing.

    Raises:
        BadInput: for what is no setting, or does not fit.
    """
    made = Settings.of({"data": data_label(data), "space": label(space), "controller": "random", **settings})
    if made.table is not None:
        raise BadInput("table is a setting of nas search and nas compare: proxies score networks on the data itself")
    return made
