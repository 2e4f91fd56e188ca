"""Tables for people on stdout, JSON for programs on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from nas.cli.table import table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from nas.result import Result
    from nas.study.confirming import Confirmed
    from nas.study.objectives import Objective
    from nas.study.plan import Plan
    from nas.study.records import Record

WORDS = {
    "params": "parameters",
    "valid": "validation",
    "latency": "latency (s)",
    "buffer": "largest buffer (bytes)",
}
"""What numbers are called in a heading, where their names are short."""

task_option = click.option(
    "--task",
    type=click.Choice(["auto", "node", "graph", "link"]),
    help="What is predicted: node, graph, or link, which hides links of one graph.  [default: what the labels say]",
)
features_option = click.option(
    "--features",
    metavar="LIST",
    help="What a node is described by: own,degree,laplacian:K,random-walk:K, any of them.  [default: own, else degree]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
runs_option = click.option(
    "--runs", metavar="DIR", help="Folder of all runs.  [default: $NAS_RUNS, else runs]", type=click.Path()
)


def print_json(value: Any) -> None:
    """One JSON document on stdout; numbers that are not finite become null."""
    click.echo(json.dumps(_finite(value), indent=2, default=str))


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None, cut: bool = False
) -> None:
    """A table on stdout, as wide as the terminal at most; see :func:`nas.cli.table.table`."""
    if title:
        click.secho(title, bold=True)
    for line in table(columns, [[shown(value) for value in row] for row in rows], _width(), cut):
        click.echo(line)


def stderr() -> Console:
    """The console for what is no result: progress, notes, where files are."""
    from rich.console import Console

    console = Console(file=sys.stderr, highlight=False)
    return console if console.is_terminal else Console(file=sys.stderr, highlight=False, width=1000)


def working(text: str) -> Status:
    """A spinner beside ``text``, on a terminal, while the block runs."""
    return stderr().status(text)


def opened(run: str, runs: str | None) -> Result:
    """The result of a run so far."""
    with working("reading the run"):
        from nas.api.opening import open_run

        return open_run(run, runs=runs)


def looked_at(run: str, runs: str | None) -> Result:
    """The same, to be printed: its task may have no data, and nothing that reads them is loaded."""
    with working("reading the run"):
        from nas.result import Result
        from nas.study.folder import RunFolder, runs_root
        from nas.study.looking import look

        folder = RunFolder(runs_root(runs), run)
        plan, records = look(folder)
        return Result(plan, folder, records)


def shown(value: Any, name: str = "") -> str:
    """A value as a person reads it; ``name`` says of which metric or cost."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "-"
    if isinstance(value, int) or name in ("params", "bytes", "buffer") or (value.is_integer() and abs(value) >= 1000):
        return f"{round(value):,}"
    if name in ("seconds", "epochs", "best_epoch"):
        return f"{value:,.1f}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"


def said(name: str) -> str:
    """The name of a number in words: ``valid_accuracy`` is validation accuracy."""
    return " ".join(WORDS.get(word, word) for word in name.split("_"))


def headline(plan: Plan) -> str:
    """What a search is of, in one line."""
    task, settings = plan.task, plan.settings
    objectives = " and ".join(
        _aim(o) if (scored := o.by(settings.evaluator)) == o else f"{_aim(o)} by the {_aim(scored)}"
        for o in plan.objectives
    )
    screen = "" if settings.screen is None else f", screened by {settings.screen}"
    looked_up = "" if plan.column is None else f", looked up in {plan.column.table}"
    simulated = " in simulated time" if settings.simulated else ""
    return (
        f"{task.name} ({task.level} level, split {task.split}), space {plan.space.name}, controller "
        f"{settings.controller}{screen}, seed {settings.seed}, for {objectives}{looked_up}{simulated}"
    )


def _aim(objective: Objective) -> str:
    if objective.maximise or objective.key != objective.name:
        return objective.label
    return f"few {said(objective.name)}"


def trained(record: Record) -> str:
    """How the network of a trial was trained, for a table."""
    if record.looked_up:
        return "looked up"
    if record.proxy is not None:
        return f"scored by {record.proxy}"
    return "from scratch" if record.from_scratch else "with shared weights"


def record_json(record: Record, result: Result) -> dict[str, Any]:
    """One trial as JSON; a score in place of a metric stands under the name that it has among the metrics."""
    trial, objectives = record.trial, result.plan.objectives
    return {
        "number": trial.number,
        "evaluator": record.evaluator,
        "state": "failed" if trial.values is None else "complete" if trial.stopped is None else "stopped",
        "stopped": trial.stopped,
        "objectives": None
        if trial.values is None
        else {_key(o, record): o.by(record.evaluator).value(v) for o, v in zip(objectives, trial.values, strict=True)},
        "metrics": dict(trial.metrics),
        "curve": trial.curve,
        "seconds": trial.seconds,
        "origin": record.origin,
        "reason": trial.reason,
        "architecture": result.plan.space.to_json(trial.architecture),
    }


def _key(objective: Objective, record: Record) -> str:
    found = objective.by(record.evaluator)
    return found.key if found.scored else found.name


def result_json(result: Result, records: Sequence[Record]) -> dict[str, Any]:
    """A run and some of its trials as JSON."""
    from nas.study.records import front, searched, stopped

    several = len(result.plan.objectives) > 1
    return {
        "run": result.name,
        "path": str(result.path),
        "complete": result.complete,
        "objectives": [str(o) for o in result.plan.objectives],
        "task": result.plan.task.describe(),
        "trials": len(result.records),
        "searched": len(searched(result.records)),
        "failed": len(result.records) - len(result.succeeded()),
        "failures": failures(result.records),
        "stopped": len(stopped(result.records)),
        "top": [record_json(record, result) for record in records],
        **({"pareto": [record.trial.number for record in front(result.records)]} if several else {}),
        **({"confirmed": [_confirmed_json(found, result) for found in result.confirmed]} if result.confirmed else {}),
    }


def _confirmed_json(found: Confirmed, result: Result) -> dict[str, Any]:
    """An architecture that was trained again, as JSON; the mean is null where a training failed."""
    return {
        "original": found.original.trial.number,
        "take": found.representative.trial.number,
        "trials": [record.trial.number for record in found.again],
        "seeds": [record.seed for record in found.again],
        "mean": result.plan.objectives[0].value(found.mean),
    }


def failures(records: Sequence[Record]) -> dict[str, int]:
    """How often trials failed for which reason."""
    counted: dict[str, int] = {}
    for record in records:
        if record.trial.reason:
            counted[record.trial.reason] = counted.get(record.trial.reason, 0) + 1
    return counted


def print_trials(result: Result, records: Sequence[Record], title: str) -> None:
    """The table of trials that ends a search.

    It says which were stopped early where any was, and what the numbers come from where that is not always a training
    from scratch. Where networks were not trained it has their scores, and no metrics if none was; where the best were
    trained again, the means over their seeds, which decide, beside the numbers of the one training.
    """
    metric, scored = result.plan.task.metric, [r for r in records if r.proxy is not None]
    objectives = list(result.plan.objectives)
    tested, measured = [o.name for o in objectives if o.key != o.name] or [metric], ["params", "seconds"]
    if result.plan.column is not None:
        measured = ["params", "latency"]
    if scored:
        by = [o.by(scored[0].evaluator) for o in objectives]
        if len(scored) == len(records):
            objectives, tested, measured = by, [], ["params"]
        else:
            objectives = [*(o for o in by if o.scored), *objectives]
    costs = [name for name in measured if name not in [o.key for o in objectives]]
    early = any(record.trial.stopped is not None for record in records)
    shared = not all(record.from_scratch for record in records)
    again = [result.confirmed_as(record.trial.number) for record in records] if result.confirmed else []
    columns = [
        "trial",
        *(["trained"] if shared else []),
        *(["mean of\nother seeds"] if again else []),
        *(_heading(o) for o in objectives),
        *(f"test\n{name}" for name in tested),
        *map(said, costs),
        *(["stopped\nat epoch"] if early else []),
        "architecture",
    ]
    names = [*(o.key for o in objectives), *(f"test_{name}" for name in tested), *costs]
    rows = [
        [
            record.trial.number,
            *([trained(record)] if shared else []),
            *([_mean(again[row], objectives[0])] if again else []),
            *(shown(record.trial.metrics.get(name), name) for name in names),
            *([shown(record.trial.stopped)] if early else []),
            brief(record.trial.architecture),
        ]
        for row, record in enumerate(records)
    ]
    print_table(columns, rows, title, cut=True)


def _mean(found: Confirmed | None, objective: Objective) -> str:
    """Of the objective over the trainings with other seeds, and their number."""
    if found is None or not found.succeeded:
        return "-" if found is None else "failed"
    failed = len(found.again) - len(found.succeeded)
    mean = fmean(objective.value(r.trial.values[0]) for r in found.succeeded if r.trial.values)
    return f"{shown(mean, objective.name)} of {len(found.succeeded)}" + (f", {failed} failed" if failed else "")


def brief(architecture: Any) -> str:
    """The values of the knobs alone, the items of a repeat set apart: ``64 gat 8 | 16 gcn 1``."""
    return " | ".join(" ".join(str(value) for _, value in knobs) for knobs in _groups(architecture).values())


def confirmation(result: Result, number: int) -> str:
    """What the trainings of a trial's network with other seeds gave; empty where there were none."""
    if (found := result.confirmed_as(number)) is None or not found.succeeded:
        return ""
    from nas.study.summary import Summary

    metric, parts, count = result.plan.task.metric, [], len(found.succeeded)
    for split, name in (("valid", "validation"), ("test", "test")):
        over = Summary.of([r.trial.metrics[f"{split}_{metric}"] for r in found.succeeded])
        deviation = "" if count == 1 else f" ± {shown(over.deviation, metric)}"
        parts.append(f"{name} {shown(over.mean, metric)}{deviation}")
    trainings = "one training with another seed" if count == 1 else f"{count} trainings with other seeds"
    return f"{trainings}: {metric} {', '.join(parts)}"


def print_architecture(result: Result, number: int) -> None:
    """The knobs of one trial by name, the items of a repeat on lines of their own."""
    width = _width()
    click.secho(f"trial {number}", bold=True)
    for path, knobs in _groups(result.trial(number).architecture).items():
        text = f"{path}: " * bool(path) + " ".join(f"{name}={value}" for name, value in knobs)
        lines = (
            [text] if width is None else textwrap.wrap(text, width - 2, break_on_hyphens=False, subsequent_indent="  ")
        )
        for line in lines:
            click.echo(f"  {line}")
    from nas.study.records import AGAIN

    metrics, proxy = result.trial(number).metrics, result.records[number].proxy
    if said := confirmation(result, number):
        click.echo(f"  {said}")
        if result.records[number].evaluator == AGAIN:
            click.echo(f"  this one has seed {result.records[number].seed}; nas export takes its weights")
    if proxy is not None:
        click.echo(f"  not trained, its number is its {proxy} score; nas train and nas export train it")
    if result.plan.column is not None:
        click.echo(f"  looked up in {result.plan.column.table}: {result.plan.column.about}, none of them here")
    if "screened" in metrics:
        click.echo(f"  the best of {metrics['screened']:.0f} proposals by the screen {result.plan.settings.screen}")
    if "inherited" in metrics:
        click.echo(
            f"  {metrics['inherited']:.0%} of its weights were inherited; nas train and nas export train it anew"
        )
    if metrics.get("parts", 1) > 1:
        how = "on portions too, so its numbers are approximate" if metrics["approximate_evaluation"] else "as a whole"
        click.echo(f"  the graph was trained on in {metrics['parts']:.0f} portions an epoch and scored {how}")


def _groups(architecture: Any) -> dict[str, list[tuple[str, Any]]]:
    """The active knobs by the path of what they belong to: ``layers.0`` to hidden, attention, heads."""
    from nas.searchspace.decode import walk

    groups: dict[str, list[tuple[str, Any]]] = {}
    for path, _, value in walk(architecture):
        of, _, name = path.rpartition(".")
        groups.setdefault(of, []).append((name, value))
    return groups


def _heading(objective: Objective) -> str:
    return said(objective.name) if objective.key == objective.name else objective.label.replace(" ", "\n", 1)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
