"""Commands that print what there is: runs, trials, spaces, controllers, data sets."""

from __future__ import annotations

from typing import Any

import click

from nas.cli.output import json_option, print_architecture, print_json, print_table, print_trials, result_json, runs_option, stdout
from nas.searchspace.errors import BadInput, NasError


@click.command()
@runs_option
@json_option
def runs(runs: str | None, as_json: bool) -> None:
    """List the runs."""
    from nas.study.folder import RunFolder, names, runs_root

    root = runs_root(runs)
    rows: list[dict[str, Any]] = []
    for name in names(root):
        folder = RunFolder(root, name)
        try:
            settings = folder.settings()
            trials = "-" if settings.storage else str(sum(1 for line in folder.journal.open() if '"op_code":4,' in line))
        except (NasError, OSError) as error:
            rows.append({"run": name, "problem": str(error)})
            continue
        budget = "" if settings.trials is None else f" of {settings.trials}"
        rows.append(
            {
                "run": name,
                "data": settings.data,
                "space": settings.space,
                "controller": settings.controller,
                "objectives": ", ".join(settings.objectives) or "(the task's metric)",
                "trials": trials + budget,
            }
        )
    if as_json:
        print_json(rows)
    elif rows:
        columns = ["run", "data", "space", "controller", "objectives", "trials"]
        print_table(columns, [[row.get(c, row.get("problem", "") if c == "data" else "") for c in columns] for row in rows])
    else:
        click.echo(f"no runs in {root} yet; start one with nas search")


@click.command()
@click.argument("run")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="How many trials.")
@runs_option
@json_option
def show(run: str, top: int, runs: str | None, as_json: bool) -> None:
    """Show the best trials of a run, and its failures."""
    from nas.api import open_run
    from nas.study.records import front, ranked

    result = open_run(run, runs=runs)
    best = ranked(result.records)[:top]
    if as_json:
        print_json(result_json(result, best))
        return
    print_trials(result, best, f"{run}: best {len(best)} of {len(result.records)} trials")
    if len(result.plan.objectives) > 1:
        print_trials(result, front(result.records), "Pareto front")
    if best:
        print_architecture(result, best[0].trial.number)
    failures: dict[str, int] = {}
    for record in result.records:
        if record.trial.reason:
            failures[record.trial.reason] = failures.get(record.trial.reason, 0) + 1
    if failures:
        print_table(["failed", "reason"], [[count, reason] for reason, count in failures.items()])


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
        rows = [{"knob": path, "kind": type(domain).__name__.lower(), "values": str(domain)} for path, domain in knobs.items()]
        print_json({"space": name, "size": size, "knobs": rows})
        return
    print_table(["knob", "values"], [[path, str(domain)] for path, domain in knobs.items()])
    stdout().print(f"{size:,} architectures" if isinstance(size, int) else size)


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
    return "\n".join(f"{name}={'auto' if value is None else value}" for name, value in options.items()) or "-"


def _summary(of: type) -> str:
    import sys

    text = sys.modules[of.__module__].__doc__ or of.__doc__ or ""
    return text.strip().splitlines()[0] if text.strip() else ""


COMMANDS = (runs, show, spaces, space, controllers, datasets)
