"""Commands that print what there is: runs, trials, spaces, controllers, data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import (
    failures,
    headline,
    json_option,
    looked_at,
    print_architecture,
    print_json,
    print_table,
    print_trials,
    result_json,
    runs_option,
)
from nas.searchspace.errors import BadInput, NasError, RunError

if TYPE_CHECKING:
    from nas.study.folder import RunFolder


@click.command()
@runs_option
@json_option
def runs(runs: str | None, as_json: bool) -> None:
    """List the runs, the oldest first."""
    from nas.study.folder import RunFolder, names, runs_root

    root = runs_root(runs)
    rows = [_run(RunFolder(root, name)) for name in names(root)]
    if as_json:
        print_json(rows)
        return
    whole = [row for row in rows if "problem" not in row]
    if whole:
        columns = ["run", "data", "space", "controller", "trials", "objectives"]
        print_table(
            columns,
            [
                [row["run"], _data(row), row["space"], row["controller"], _trials(row), ", ".join(row["objectives"])]
                for row in whole
            ],
        )
    for row in rows:
        if "problem" in row:
            click.echo(f"{row['run']}: {row['problem']}", err=True)
    if not rows:
        click.echo(f"no runs in {root} yet; start one with nas search", err=True)


def _run(folder: RunFolder) -> dict[str, Any]:
    """A run for the list, or what is wrong with it."""
    try:
        settings = folder.settings()
        trials = None if settings.storage else finished_trials(folder, settings.evaluator)
    except NasError as error:
        return {"run": folder.name, "problem": str(error)}
    return {
        "run": folder.name,
        "data": settings.data,
        "table": settings.table,
        "space": settings.space,
        "controller": settings.controller,
        "objectives": list(settings.objectives) or [settings.metric or "the task's metric"],
        "trials": trials,
        "budget": {"trials": settings.trials, "seconds": settings.seconds},
    }


def finished_trials(folder: RunFolder, evaluator: str) -> int:
    """How many trials of the search the journal holds, without loading them; 0 where there is none yet."""
    marks = ['"op_code":4,']  # Optuna's JournalOperation.CREATE_TRIAL
    if evaluator != "train":  # the others were trained from scratch in the end
        marks.append(f'"evaluator":"{evaluator}"')
    try:
        with folder.journal.open(encoding="utf-8", errors="replace") as lines:
            return sum(all(mark in line for mark in marks) for line in lines)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise RunError(f"{folder.journal} cannot be read: {error.strerror or error}") from error


def _data(row: dict[str, Any]) -> str:
    return row["data"] if row["table"] is None else f"{row['data']} in {row['table']}"


def _trials(row: dict[str, Any]) -> str:
    count, budget = "-" if row["trials"] is None else str(row["trials"]), row["budget"]
    return count if budget["trials"] is None else f"{count} of {budget['trials']}"


@click.command()
@click.argument("run")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many trials.")
@runs_option
@json_option
def show(run: str, top: int, runs: str | None, as_json: bool) -> None:
    """Show the best trials of a run, and its failures."""
    from nas.study.choosing import by_posterior
    from nas.study.records import front, searched, stopped

    result = looked_at(run, runs)
    best = result.ranking[:top]
    if as_json:
        print_json(result_json(result, best))
        return
    click.echo(f"{run}: {headline(result.plan)}")
    if len(result.plan.objectives) > 1:
        print_trials(result, front(result.records), "\nPareto front")
    settings = result.plan.settings
    count, budget = len(searched(result.records)), settings.trials
    of = f"{count} trials" if budget is None or count >= budget else f"{count} trials so far; the budget is {budget}"
    if anew := len(result.records) - count:
        of += (
            f", and {anew} trained again with other seeds" if settings.confirm else f", and {anew} trained from scratch"
        )
    if early := len(stopped(result.records)):
        of += f", {early} of them stopped early"
    if best:
        how = " (as a predictor expects)" if by_posterior(result.plan.settings, result.records) else ""
        print_trials(result, best, f"\nbest {len(best)}{how} of {of}")
        click.echo()
        print_architecture(result, best[0].trial.number)
    else:
        click.echo(f"\n{of}, none with a result")
    failed = failures(result.records)
    if failed:
        rows = [[count, reason] for reason, count in failed.items()]
        print_table(["trials", "reason"], rows, f"\n{sum(failed.values())} failed")


@click.command()
@json_option
def spaces(as_json: bool) -> None:
    """List the built-in search spaces."""
    from nas.searchspace.spaces.registry import SPACES, find

    rows = [[name, _size(find(name)), _summary(find(name).of)] for name in SPACES.names()]
    if as_json:
        print_json([{"space": name, "size": size, "summary": summary} for name, size, summary in rows])
    else:
        print_table(["space", "architectures", "what it is"], rows)


@click.command()
@click.argument("name")
@json_option
def space(name: str, as_json: bool) -> None:
    """Print the knobs of a search space and its exact size.

    NAME is a built-in space or FILE.py:CLASS; a file is run as Python.
    """
    from nas.searchspace.spaces.registry import find

    found = find(name)
    knobs = found.every_knob()
    size = _size(found)
    if as_json:
        rows = [
            {"knob": path, "kind": type(domain).__name__.lower(), "values": str(domain)}
            for path, domain in knobs.items()
        ]
        print_json({"space": name, "size": size, "knobs": rows})
        return
    print_table(["knob", "values"], [[path, str(domain)] for path, domain in knobs.items()])
    click.echo(f"\n{size:,} architectures" if isinstance(size, int) else f"\n{size}")


@click.command()
@json_option
def controllers(as_json: bool) -> None:
    """List the controllers."""
    from dataclasses import asdict

    from nas.controllers.registry import rows

    if as_json:
        print_json([asdict(row) for row in rows()])
        return
    table = [
        [row.name, "several" if row.multi_objective else "one", _options(row.options), row.summary] for row in rows()
    ]
    print_table(["controller", "objectives", "options", "what it does"], table)


@click.command()
@json_option
def predictors(as_json: bool) -> None:
    """List the predictors, which bo and --choose posterior learn with."""
    from dataclasses import asdict

    from nas.predictors.registry import rows

    if as_json:
        print_json([asdict(row) for row in rows()])
        return
    table = [[row.name, row.encoding, _options(row.options), row.summary] for row in rows()]
    print_table(["predictor", "learns from", "options", "what it is"], table)


@click.command()
@json_option
def datasets(as_json: bool) -> None:
    """List the data sets that have a name."""
    from dataclasses import asdict

    from nas.data.catalogue import CATALOGUE

    if as_json:
        print_json([asdict(entry) for entry in CATALOGUE.values()])
        return
    columns = ["data set", "level", "graphs", "nodes", "features", "classes", "split", "what it is"]
    rows = [
        [e.name, e.level, e.graphs, e.nodes, e.features, e.classes, e.split, e.description] for e in CATALOGUE.values()
    ]
    print_table(columns, rows)


def _size(space: Any) -> int | str:
    try:
        return int(space.size())
    except BadInput as error:
        return str(error)


def _options(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={'auto' if value is None else value}" for name, value in options.items()) or "-"


def _summary(of: type) -> str:
    import sys

    text = sys.modules[of.__module__].__doc__ or of.__doc__ or ""
    return text.strip().splitlines()[0] if text.strip() else ""


COMMANDS = (runs, show, spaces, space, controllers, predictors, datasets)
