"""``nas fit`` and ``nas predict``: a good model of one's own data, and its predictions on new data."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import click

from nas.cli.output import json_option, runs_option, stderr, task_option, working
from nas.cli.searching import watched
from nas.searchspace.errors import BadInput, RunError


@click.command()
@click.option(
    "--data",
    required=True,
    help="Name of a data set (see nas datasets), a .pt or .npz file, a folder with nodes.csv and edges.csv, or "
    "ogb:NAME; nas inspect says how it is understood.",
)
@click.option("--seconds", type=float, default=300, show_default=True, help="For everything.")
@task_option
@click.option("--metric", help="What validation chooses by.  [default: by task and balance of the classes]")
@click.option("--split", help="As in nas search.  [default: by data]")
@click.option("--split-seed", type=int, help="Seed of a random split.  [default: 0]")
@click.option("--space", help="As in nas search.  [default: classic]")
@click.option("--controller", help="As in nas search.  [default: evolution]")
@click.option("--seed", type=int, help="Of everything but the split.  [default: 0]")
@click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: auto]")
@click.option("--workers", type=int, help="Trainings at the same time.  [default: by machine and time]")
@click.option("--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]")
@click.option("--name", help="Name of the run.  [default: made of data, space and controller]")
@click.option("--to", type=click.Path(), metavar="DIR", help="Export the model into this folder.")
@runs_option
@json_option
def fit(seconds: float, name: str | None, to: str | None, runs: str | None, as_json: bool, **flags: Any) -> int:
    """Find a good model for your data within a given time, with nothing else to set.

    The search takes a part of the time; then its best are trained again with other seeds, and the best mean is taken.
    All is chosen on validation; test is only reported. The run is one like any other: nas show, nas export, nas report.
    """
    from nas.data.naming import absolute
    from nas.study.folder import RunFolder, runs_root

    given = {key: value for key, value in flags.items() if value is not None}
    given["data"] = absolute(given["data"])
    if name is not None and RunFolder(runs_root(runs), name).exists():
        raise BadInput(f"there is a run {name!r} already; choose another --name, or go on with nas resume {name}")
    with working("reading the data"):
        from nas.api.searching import default_name, run_new
        from nas.export.files import check_folder
        from nas.study.automatic import automatic_plan

        if to is not None:
            check_folder(Path(to))
        plan = automatic_plan(seconds, given)
    for reason in plan.why:
        stderr().print(f"automatic: {reason}", markup=False)
    folder = RunFolder(runs_root(runs), name or default_name(plan, runs_root(runs)))
    code = watched(plan, folder, as_json, lambda watcher: run_new(plan, folder.name, folder.root, watcher))
    if code == 0 and to is not None:
        from nas.result import Result

        with working("exporting"):
            Result(plan, folder).export(Path(to))
        stderr().print(f"exported to {to}; nas predict {to} --data NEW predicts", markup=False, soft_wrap=True)
    return code


@click.command()
@click.argument("export", type=click.Path(exists=True, file_okay=False))
@click.option("--data", required=True, help="What to predict on, as in nas search; it needs no labels.")
@click.option(
    "--pairs",
    type=click.Path(exists=True, dir_okay=False),
    help="CSV file with the columns source and target, where links are predicted: ids of nodes, or their numbers where "
    "they have no ids.",
)
@click.option("--out", type=click.Path(dir_okay=False), help="CSV file to write; without it they are printed.")
@click.option("--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]")
def predict(export: str, data: str, pairs: str | None, out: str | None, data_root: str | None) -> None:
    """Predict with an exported model: a CSV table of classes and probabilities, or values.

    EXPORT is a folder that nas export or nas fit wrote. Its model.py is Python and is run as such: name only exports
    that you trust.
    """
    folder = Path(export)
    if not (folder / "architecture.json").is_file():
        raise BadInput(f"{folder} is not an export: it has no readable architecture.json; nas export writes one")
    with working("reading the data"):
        import torch

        from nas.data.called import in_place
        from nas.data.graphs import graphs_of, ids_of, side_by_side
        from nas.export.predict import lines, load_model, prepare, read_pairs, read_task

        try:
            task = read_task(folder)
        except SystemExit as error:  # as predict.py of the export says it
            raise BadInput(str(error)) from None
        graphs, notes = in_place(graphs_of(data, data_root), task, data)
        ids = ids_of(graphs, task["level"])
    for note in notes:
        stderr().print(f"note: {note}", style="yellow", markup=False)
    try:
        wanted = None if pairs is None else read_pairs(pairs, ids)
        arguments = prepare(side_by_side(graphs, task["level"]), task, wanted)
        with torch.no_grad():
            rows = lines(load_model(folder)(*arguments), task, arguments, ids)
    except SystemExit as error:  # as predict.py of the export says it
        raise BadInput(str(error)) from None
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror or error}") from error
    if out is None:
        csv.writer(sys.stdout).writerows(rows)
        return
    try:
        with open(out, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror or error}") from error
    click.echo(f"{len(rows) - 1} predictions written to {out}", err=True)


COMMANDS = (fit, predict)
