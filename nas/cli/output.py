"""Tables for people on stdout, JSON for programs on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from nas.result import Result
    from nas.study.objectives import Objective
    from nas.study.records import Record

WIDTH = 160
"""Columns of a table that goes to a file or a pipe."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
runs_option = click.option(
    "--runs", metavar="DIR", help="Folder of all runs.  [default: $NAS_RUNS, else runs]", type=click.Path()
)


def print_json(value: Any) -> None:
    """One JSON document on stdout; numbers that are not finite become null."""
    click.echo(json.dumps(_finite(value), indent=2, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout; numbers are set right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        number = all(isinstance(row[i], int | float) or row[i] in ("", "-") for row in rows) and bool(rows)
        last = i == len(columns) - 1
        table.add_column(name, justify="right" if number else "left", no_wrap=True, overflow="ellipsis" if last else "fold")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row))
    stdout().print(table)


def stdout() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) >= 1000):
        return f"{int(value):,}"
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def record_json(record: Record, result: Result) -> dict[str, Any]:
    """One trial as JSON."""
    trial = record.trial
    return {
        "number": trial.number,
        "state": "failed" if trial.values is None else "complete",
        "objectives": None
        if trial.values is None
        else {o.name: o.value(v) for o, v in zip(result.plan.objectives, trial.values, strict=True)},
        "metrics": dict(trial.metrics),
        "seconds": trial.seconds,
        "origin": record.origin,
        "reason": trial.reason,
        "architecture": result.plan.space.to_json(trial.architecture),
    }


def result_json(result: Result, records: Sequence[Record]) -> dict[str, Any]:
    """A run and some of its trials as JSON."""
    failed = len(result.records) - len(result.succeeded())
    return {
        "run": result.name,
        "path": str(result.path),
        "complete": result.complete,
        "objectives": [str(o) for o in result.plan.objectives],
        "task": result.plan.task.describe(),
        "trials": len(result.records),
        "failed": failed,
        "top": [record_json(record, result) for record in records],
    }


def print_trials(result: Result, records: Sequence[Record], title: str) -> None:
    """The table of trials that ends a search."""
    objectives, metric = result.plan.objectives, result.plan.task.metric
    shown_metrics = [o.name for o in objectives if o.key != o.name] or [metric]
    costs = [name for name in ("params", "seconds") if name not in [o.name for o in objectives]]
    columns = ["trial", *(_heading(o) for o in objectives), *(f"test {m}" for m in shown_metrics), *costs, "architecture"]
    rows = []
    for record in records:
        metrics = record.trial.metrics
        numbers = [*(metrics.get(o.key) for o in objectives), *(metrics.get(f"test_{m}") for m in shown_metrics)]
        costs_of = [metrics.get(name) for name in costs]
        rows.append([record.trial.number, *numbers, *costs_of, brief(record.trial.architecture)])
    print_table(columns, rows, title)


def brief(architecture: Any) -> str:
    """The values of the knobs alone, the items of a repeat set apart: ``64 gat 8 | 16 gcn 1``."""
    from nas.searchspace.decode import walk

    groups: dict[str, list[str]] = {}
    for path, _, value in walk(architecture):
        groups.setdefault(path.rpartition(".")[0], []).append(str(value))
    return " | ".join(" ".join(values) for values in groups.values())


def print_architecture(result: Result, number: int) -> None:
    """The knobs of one trial by name, after the table of which it is the winner."""
    from nas.searchspace.encodings import text

    print_table([f"trial {number}"], [[part] for part in _wrapped(text(result.trial(number).architecture))])


def _wrapped(text: str) -> list[str]:
    """The knobs of one repeated item in a line."""
    lines: dict[str, list[str]] = {}
    for part in text.split(" "):
        lines.setdefault(part.partition("=")[0].rpartition(".")[0], []).append(part)
    return [" ".join(parts) for parts in lines.values()]


def _heading(objective: Objective) -> str:
    return objective.label.replace("validation", "valid")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
