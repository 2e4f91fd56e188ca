"""``nas inspect``: how data is understood, before anything is searched on it."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import json_option, print_json, print_table, task_option, working
from nas.cli.table import table
from nas.searchspace.task import SPLITS, Split

if TYPE_CHECKING:
    from nas.data.inspecting import Inspection
    from nas.data.inspecting.kinds import Kinds

BAR = 20
"""Cells of the bar of the largest class."""
MOST = 40
"""Classes or questions that are printed."""
ITEMS = {"node": "nodes", "graph": "graphs", "link": "pairs of nodes"}
HEADINGS: dict[Split, str] = {"train": "training", "valid": "validation", "test": "test"}
ASKED = {"multiclass": "the class", "multilabel": "yes or no", "regression": "a number"}


@click.command()
@click.option(
    "--data",
    required=True,
    help="Name of a data set (see nas datasets), .pt or .npz file, folder with nodes.csv and edges.csv, or ogb:NAME.",
)
@click.option("--split", help="As in nas search.  [default: by data]")
@click.option("--split-seed", "seed", type=int, default=0, show_default=True, help="Seed of a random split.")
@click.option("--metric", help="As in nas search.  [default: by task]")
@task_option
@click.option(
    "--data-root", "root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, or a cache]"
)
@json_option
def inspect(data: str, as_json: bool, task: str | None, **settings: Any) -> None:
    """Print how data is understood: task, splits, features, edges, classes, and what deserves attention.

    Nothing is trained and nothing is written.
    """
    with working("reading the data"):
        from nas.data import load
        from nas.data.inspecting import inspect

        found = inspect(load(data, task=task or "auto", **settings))
    if as_json:
        from dataclasses import asdict

        print_json(asdict(found))
        return
    click.secho(f"{found.name}: {_question(found)}", bold=True)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(["", ""], [list(fact) for fact in _facts(found)], width)[1:]:
        click.echo(line)
    _print_outputs(found)
    for title, mark, colour, lines in (
        ("deserves attention", "!", "yellow", found.warnings),
        ("how it was read", "·", None, found.notes),
    ):
        if lines:
            click.secho(f"\n{title}", bold=True)
        for line in lines:
            _print_item(mark, colour, line)
    click.echo(f"\na model of it: nas fit --data {shlex.quote(data)}; a search of your own: nas search", err=True)


def _question(found: Inspection) -> str:
    if found.level == "link":
        return "is there a link between two nodes?"
    many = len(found.outputs)
    if found.target == "multiclass":
        return f"the class of each {found.level}, one of {many}"
    names = (
        ""
        if many > 4 or any(o.name.isdigit() for o in found.outputs)
        else f": {', '.join(o.name for o in found.outputs)}"
    )
    what = {"multilabel": "yes/no question", "regression": "number"}[found.target]
    return f"{many} {what}{'s' * (many > 1)} of each {found.level}{names}"


def _facts(found: Inspection) -> Iterator[tuple[str, str]]:
    """What each fact is called, and the fact."""
    shape = found.structure
    if found.graphs > 1:
        least, median, most = found.sizes
        yield "graphs", f"{found.graphs:,} of {least:,} to {most:,} nodes, median {median:g}"
    yield "nodes", f"{shape.nodes:,}" + (f" in {_parts(found)}" if found.graphs == 1 else "")
    yield "edges", _edges(found)
    if shape.edges:
        yield "degree", f"{shape.least:,} to {shape.most:,}, median {shape.median:g}, mean {shape.mean:.1f}"
    done = " (made from the graph, which has none)" if found.made else ""
    yield (
        "features",
        _columns(found.features) + done + ("; rows sum to 1" if "row-normalise" in found.transforms else ""),
    )
    if found.edge_features is not None:
        yield "edge features", _columns(found.edge_features)
    if found.edge_weights is not None:
        yield "edge weights", f"{found.edge_weights[0]:g} to {found.edge_weights[1]:g}"
    sizes = ", ".join(f"{HEADINGS[split]} {found.items[split]:,}" for split in SPLITS)
    yield (
        "split",
        f"{found.split}: {sizes} {ITEMS[found.level]}"
        + (f"; {found.unscored:,} are in none" if found.unscored else ""),
    )
    if found.homophily is not None:
        edge, adjusted = found.homophily.edge, round(found.homophily.adjusted, 2) + 0.0
        words = {0.3: "neighbours are alike", 0.05: "a little more than chance", -0.05: "as by chance"}
        word = next((word for least, word in words.items() if adjusted >= least), "neighbours differ")
        yield "homophily", f"{edge:.2f} of the edges join one class; {adjusted:.2f} adjusted for chance ({word})"
    yield "metric", f"{found.metric} (others with --metric)"


def _parts(found: Inspection) -> str:
    shape = found.structure
    if shape.components <= 1:
        return "one connected part"
    return f"{shape.components:,} connected parts, the largest of {shape.largest:,}"


def _edges(found: Inspection) -> str:
    shape = found.structure
    if not shape.edges:
        return "none"
    if shape.directed:
        return f"{shape.edges:,}, some of them one way"
    once = (shape.edges - shape.loops) // 2 + shape.loops
    hidden = ", without those that are hidden" if found.level == "link" else ""
    return f"{once:,} that go both ways ({shape.edges:,} messages){hidden}"


def _columns(found: Kinds) -> str:
    if found.one_hot:
        return f"{found.width:,}, one-hot"
    kinds = [
        (found.binary, "of 0 and 1"),
        (found.whole, "of whole numbers"),
        (found.real, "of real numbers"),
        (found.constant, "constant"),
    ]
    there = [f"{count:,} {kind}" for count, kind in kinds if count]
    kind = there[0].partition(" ")[2] if len(there) == 1 else "; ".join(there)
    joined = f"{found.width:,} {kind}" if len(there) == 1 else f"{found.width:,}: {kind}"
    return joined + (f"; {found.filled:.1%} of the entries are not zero" if found.filled < 0.5 else "")


def _print_outputs(found: Inspection) -> None:
    """A table of the classes, questions or numbers, with what each split has of them."""
    rows: list[list[Any]] = []
    most = max(output.total for output in found.outputs)
    every = sum(output.total for output in found.outputs)
    for output in found.outputs[:MOST]:
        counts = [output.counts[split] for split in SPLITS]
        if found.target == "regression":
            numbers = (output.mean, output.deviation, output.least, output.most)
            rows.append([output.name, *counts, *("-" if n is None else f"{n:.4g}" for n in numbers)])
        elif found.target == "multilabel":
            known = [output.known[split] for split in SPLITS]
            share = output.total / max(sum(known), 1)
            answers = [f"{yes:,} of {of:,}" for yes, of in zip(counts, known, strict=True)]
            rows.append([output.name, *answers, f"{share:.1%}", "█" * round(BAR * share)])
        else:
            rows.append([output.name, *counts, f"{output.total / every:.1%}", "█" * round(BAR * output.total / most)])
    title, first, under, last = {
        "regression": ("numbers", "number", "\nknown", ["mean", "deviation", "least", "most"]),
        "multilabel": ("questions", "question", "\nyes of known", ["yes", ""]),
        "multiclass": ("classes", "class", "", ["share", ""]),
    }[found.target]
    print_table([first, *(HEADINGS[split] + under for split in SPLITS), *last], rows, f"\n{title}")
    if (more := len(found.outputs) - MOST) > 0:
        click.echo(f"... and {more:,} more; --json prints all")


def _print_item(mark: str, colour: str | None, text: str) -> None:
    """A sentence with a mark before it, in as many lines as the terminal asks for."""
    width = shutil.get_terminal_size().columns - 2 if sys.stdout.isatty() else None
    lines = [text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False)
    click.echo(f"{click.style(mark, fg=colour, bold=colour is not None)} {lines[0]}")
    for line in lines[1:]:
        click.echo(f"  {line}")


COMMANDS = (inspect,)
