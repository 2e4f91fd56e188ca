"""Searching from Python: the same as the command line, without a shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.comparison.beginning import begin
from nas.comparison.comparison import CSV, Comparison
from nas.comparison.contest import Contest
from nas.comparison.ledger import Found
from nas.comparison.means import comparison
from nas.evaluation.proxies import known
from nas.evaluation.proxies import names as all_proxies
from nas.ranking import correlation as correlations
from nas.ranking import ranking as rankings
from nas.ranking.correlation import Correlation
from nas.ranking.ledger import Scored
from nas.ranking.ranking import Ranking
from nas.ranking.statistics import Estimate
from nas.ranking.work import Work, checked
from nas.report import comparison as comparison_page
from nas.report import correlation as page
from nas.report.page import save
from nas.result import Result
from nas.searchspace.encodings import text
from nas.searchspace.errors import BadInput, NasError
from nas.settings import Settings
from nas.study import plan as plans
from nas.study.folder import RunFolder, free_name, runs_root
from nas.study.plan import Plan, make_plan, plan_of_run, versions
from nas.study.search import Search, Watcher


def search(
    data: Any = "digits",
    *,
    space: Any = None,
    controller: Any = "tpe",
    trials: int | None = None,
    seconds: float | None = None,
    objectives: Sequence[str] = (),
    name: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> Result:
    """Search for the best architecture.

    Args:
        data: name of a data set, or a torch_geometric ``Data``, ``Dataset``, list of graphs, or dict of splits.
        space: name of a search space, ``file.py:Class``, or a class decorated with ``@architecture``; by default
            ``design``, or that of the table.
        controller: name of a controller, a controller class, or any ``optuna.samplers.BaseSampler``.
        trials: distinct architectures to train; 50 if no budget is given.
        seconds: wall-clock seconds after which no trial is started.
        objectives: metrics and costs, ``-`` in front of what should be small; the task's metric by default.
        name: of the run; by default made of data, space and controller.
        runs: folder of all runs; by default ``$NAS_RUNS``, else ``runs`` here.
        watcher: hears of each trial.
        settings: the other fields of :class:`nas.settings.Settings`, such as ``seed``, ``device``, ``workers``, and
            ``table`` to look architectures up in place of training them.

    Raises:
        BadInput: for anything that does not exist or does not fit.
        RunError: if the run cannot be written.
    """
    made = Settings.of(
        {
            "data": data if isinstance(data, str) else _label(data),
            "space": "" if space is None else space if isinstance(space, str) else _label(space),
            "controller": controller if isinstance(controller, str) else _label(controller),
            "trials": 50 if trials is None and seconds is None else trials,
            "seconds": seconds,
            "objectives": (objectives,) if isinstance(objectives, str) else tuple(objectives),
            **settings,
        }
    )
    plan = make_plan(made, data=data, space=space, controller=controller)
    return run_new(plan, name, runs, watcher)


def resume(
    name: str,
    *,
    data: Any = None,
    space: Any = None,
    controller: Any = None,
    trials: int | None = None,
    seconds: float | None = None,
    runs: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Go on with a run; a larger budget may be given. Objects that were no names must be given again.

    Raises:
        BadInput: if there is no such run.
        RunError: if its folder is damaged, belongs to something else, or is in use.
    """
    folder = RunFolder(runs_root(runs), name)
    settings = folder.settings()
    changed = {k: v for k, v in {"trials": trials, "seconds": seconds}.items() if v is not None}
    settings = replace(settings, **changed)  # type: ignore[arg-type]
    plan = plan_of_run(name, settings, data=data, space=space, controller=controller)
    return run_on(plan, folder, watcher)


def open_run(name: str, *, data: Any = None, space: Any = None, runs: str | os.PathLike[str] | None = None) -> Result:
    """The result of a run so far, without going on with it.

    Raises:
        BadInput: if there is no such run.
        RunError: if its folder is damaged or belongs to something else.
    """
    folder = RunFolder(runs_root(runs), name)
    return Result(plan_of_run(name, folder.settings(), data=data, space=space, to_read=True), folder)


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
        data, space: as in :func:`search`.
        proxies: names, see ``nas proxies``.
        n: random architectures of so many different networks; 500 by default.
        architectures: to rank these instead: of the space, or as their JSON.
        by: the proxy that orders them; by default the sum of their ranks by all proxies.
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
    """What :func:`rank` will do, everything checked and nothing done."""
    made, names = _settings(data, space, settings), checked(proxies)
    rankings.check(n, architectures, by, names)
    plan = make_plan(made, data=data, space=space)
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
        data, space: as in :func:`search`.
        proxies: names, see ``nas proxies``; all of them by default.
        n: random architectures of so many different networks.
        name: of the run; without one it is found by its settings, or made of data and space.
        runs: as in :func:`search`.
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
    """What :func:`correlate` will do, and where: everything checked and nothing done."""
    made, names = _settings(data, space, settings), checked(all_proxies() if proxies is None else proxies)
    correlations.check(n)
    if name is not None:
        RunFolder(runs_root(runs), name)  # refuses a bad name
    plan = make_plan(made, data=data, space=space)
    folder = correlations.folder_of(plan, name, runs_root(runs))
    return correlations.begin(plan, names, n, folder), folder


def finish_correlation(work: Work, folder: RunFolder) -> Correlation:
    """What the finished part of the sample says, and its page written into the folder."""
    found = correlations.correlation(work, folder)
    save(page.render(_comparison(found, work.plan)), found.page)
    return found


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
        space: as in :func:`search`, by its name.
        trials: distinct architectures after which controllers are compared; by default 50, 100 and 200 on a table and
            20 and 50 with trainings.
        seeds: searches with each controller on each data set; 30 on a table and 3 with trainings by default.
        workers: searches that run at the same time.
        name: of the comparison; by default made of table, or data and space.
        runs: as in :func:`search`.
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
    """What :func:`compare` will do, everything checked and nothing done."""
    made = begin(data, controllers, table, space, trials, seeds, workers, name, runs_root(runs), settings)
    made.check()
    return made


def finish_comparison(contest: Contest) -> Comparison:
    """What the finished searches say; its page and its rows are written into the folder."""
    found = comparison(contest)
    save(found.csv(), found.path / CSV)
    save(comparison_page.render(found, contest.facts(), versions()), found.page)
    return found


def _comparison(found: Correlation, plan: Plan) -> page.Comparison:
    settings, rows = plan.settings, found.rows
    compared = [
        page.Compared(
            name=a.proxy,
            summary=known(a.proxy).summary,
            paper=known(a.proxy).paper,
            spearman=_interval(a.spearman),
            kendall=_interval(a.kendall),
            hit_rate=_interval(a.hit_rate),
            test=_interval(a.test),
            seconds=a.seconds,
            share=a.share,
            scores=[row.score(a.proxy) for row in rows],
        )
        for a in found.agreements
    ]
    asked = {"epochs": settings.epochs, "patience": settings.patience, "precision": settings.precision}
    return page.Comparison(
        name=found.name,
        data=plan.task.name,
        space=plan.space.name,
        metric=found.metric,
        valid=[row.metrics[f"valid_{found.metric}"] for row in rows],
        labels=[f"{row.number}: {text(row.architecture)}" for row in rows],
        proxies=compared,
        ceiling=_interval(found.ceiling),
        failures=found.failures,
        seconds=found.seconds,
        facts=[
            ("data set", plan.task.name),
            ("split", f"{plan.task.split}, seed {settings.split_seed}"),
            ("metric", found.metric),
            ("space", plan.space.name),
            ("seed", str(settings.seed)),
            *((name, "by the space" if value is None else str(value)) for name, value in asked.items()),
            ("device", plan.device),
            ("data fingerprint", plan.task.identity),
        ],
        versions=versions(),
        notes=(*plan.task.notes, *found.notes),
    )


def _interval(of: Estimate) -> page.Interval:
    return of.value, of.low, of.high


def _settings(data: Any, space: Any, settings: Mapping[str, Any]) -> Settings:
    """Of work that proposes nothing.

    Raises:
        BadInput: for what is no setting, or does not fit.
    """
    named = {"data": data if isinstance(data, str) else _label(data)}
    named["space"] = space if isinstance(space, str) else _label(space)
    made = Settings.of({**named, "controller": "random", **settings})
    if made.table is not None:
        raise BadInput("table is a setting of nas search and nas compare: proxies score networks on the data itself")
    return made


def run_new(
    plan: Plan, name: str | None, runs: str | os.PathLike[str] | None, watcher: Watcher | None = None
) -> Result:
    """Start a planned search in a new folder and see it through."""
    root = runs_root(runs)
    folder = RunFolder(root, name or default_name(plan, root))
    folder.create(plan.settings)
    with folder.lock():
        try:
            search = plans.start(plan, folder, watcher)
        except NasError:
            folder.undo()
            raise
        return _see_through(plan, folder, search)


def default_name(plan: Plan, root: Path) -> str:
    """A name that no run has yet: data, space, controller and a number."""
    return free_name(root, "-".join([plan.task.name, plan.space.name, plan.settings.controller]))


def run_on(plan: Plan, folder: RunFolder, watcher: Watcher | None = None) -> Result:
    """Go on with a planned search in its folder."""
    with folder.lock():
        search = plans.resume(plan, folder, watcher)
        folder.rewrite(plan.settings)
        return _see_through(plan, folder, search)


def _see_through(plan: Plan, folder: RunFolder, search: Search) -> Result:
    search.run(plan.executor())
    return Result(plan, folder, search.records)


def _label(value: Any) -> str:
    """What the settings say of an object that has no name there."""
    if isinstance(value, type):
        return value.__name__
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and name else type(value).__name__
