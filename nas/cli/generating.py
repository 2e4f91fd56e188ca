"""``nas generate`` and ``nas pretrain``."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import (
    brief,
    features_option,
    json_option,
    print_json,
    print_table,
    runs_option,
    said,
    shown,
    stderr,
    task_option,
    working,
)
from nas.cli.scoring import check_folder, given_flags
from nas.searchspace.errors import RunError

if TYPE_CHECKING:
    from nas.generation.generation import Generated, Generation
    from nas.searchspace.space import Space

space_option = click.option(
    "--space",
    default="nasbench-graph",
    show_default=True,
    help="Name of a search space (see nas spaces) or FILE.py:CLASS. A file is run as Python: name only files you "
    "trust.",
)
data_option = click.option(
    "--data",
    default="digits",
    show_default=True,
    help="Name or path of the data that networks are for, as in nas search.",
)
root_option = click.option(
    "--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]"
)


@click.command()
@space_option
@data_option
@task_option
@features_option
@click.option("--n", type=click.IntRange(min=1), default=64, show_default=True, help="So many different networks.")
@click.option(
    "--guide",
    metavar="RUN|FILE|DIR|pretrained",
    help="Where what is good is learned: a run, a JSON file of measured architectures (as nas show RUN --json prints "
    "them), a folder made by nas pretrain, or pretrained, which knows the space nasbench-graph from other data sets.",
)
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME",
    help="As in nas search.  [default: with a guide, by task]",
)
@click.option("--max-params", type=float, metavar="N", help="The most trainable parameters.")
@click.option(
    "--max-latency", type=float, metavar="SECONDS", help="The longest forward pass over the validation split."
)
@click.option("--method", default="em", show_default=True, help="em, pc, ode or heun: how the noise is taken away.")
@click.option("--steps", type=click.IntRange(min=1), default=20, show_default=True, help="From noise to architecture.")
@click.option("--scale", type=float, help="Of the guidance.  [default: automatic]")
@click.option("--preset", help="network, transformer, or published: DiffusionNAG's own, which takes days to train.")
@click.option("--seed", type=int, help="Of the draws.  [default: 0]")
@root_option
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of the table.")
@click.option("--csv", "to", type=click.Path(), metavar="FILE", help="Write all of them as CSV.")
@runs_option
@json_option
def generate(
    space: str, data: str, n: int, guide: str | None, top: int, to: str | None, runs: str | None, as_json: bool,
    **flags: Any,
) -> None:  # fmt: skip
    """Generate architectures with a diffusion model, without training any.

    Where a space needs a network to be generated from, it is trained once, for about a minute, and kept.
    """
    check_folder("--csv", to)
    console = stderr()
    with working("reading the data"):
        from nas.api.generating import generate as generated
        from nas.cli.progress import counter
        from nas.searchspace.spaces.registry import find

        of = find(space)
    with counter("", console) as progress:
        bars: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
            progress.update(bars[what], completed=done)

        found = generated(space, n=n, data=data, guide=guide, runs=runs, told=told, **given_flags(flags))
    if as_json:
        print_json(_json(found, of))
    else:
        _tell(found, n, top)
    if to is not None:
        _write_csv(found, Path(to), of)


def _tell(found: Generation, n: int, top: int) -> None:
    rows = found.rows[:top]
    names = [*found.rows[0].expected] if rows else []
    costs = [*found.rows[0].costs] if rows else []
    promised = bool(rows) and rows[0].promise is not None
    columns = [
        "rank",
        *(f"expected\n{said(name)}" for name in names),
        *(["promise"] if promised else []),
        *map(said, costs),
        "architecture",
    ]
    lines = [
        [
            place,
            *(f"{row.expected[name]:.4f} ± {row.deviation[name]:.4f}" for name in names),
            *([f"{row.promise:.2f}"] if promised else []),
            *(shown(row.costs.get(name), name) for name in costs),
            brief(row.architecture),
        ]
        for place, row in enumerate(rows, 1)
    ]
    best = "best " if names or promised else ""
    print_table(columns, lines, f"{best}{len(rows)} of {len(found.rows):,} generated architectures", cut=True)
    shares = [f"{found.valid:.1%} of the draws valid", f"{found.unique:.1%} of these unique"]
    if found.novel is not None:
        shares.append(f"{found.novel:.1%} new to the guide")
    if found.within is not None:
        shares.append(f"{found.within:.1%} within the limits")
    stderr().print(f"{', '.join(shares)}; {found.drawn:,} draws in {found.seconds:.1f} s", soft_wrap=True)
    if len(found.rows) < n:
        few = f"note: {found.drawn:,} draws gave no more than {len(found.rows):,} different ones"
        stderr().print(few, style="yellow", soft_wrap=True)


def _json(found: Generation, space: Space[Any]) -> dict[str, Any]:
    shares = {name: getattr(found, name) for name in ("drawn", "valid", "canonical", "unique", "novel", "within")}
    return {**shares, "seconds": found.seconds, "architectures": [_row(row, space) for row in found.rows]}


def _row(row: Generated, space: Space[Any]) -> dict[str, Any]:
    numbers = {"expected": row.expected, "deviation": row.deviation, "costs": row.costs, "promise": row.promise}
    return {**numbers, "architecture": space.to_json(row.architecture)}


def _write_csv(found: Generation, file: Path, space: Space[Any]) -> None:
    first = found.rows[0]
    names = [*first.expected]
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            head = [*names, *(f"deviation {name}" for name in names), *first.costs, "promise", "architecture"]
            writer.writerow(head)
            for row in found.rows:
                numbers = [*row.expected.values(), *row.deviation.values(), *row.costs.values(), row.promise]
                writer.writerow([*numbers, json.dumps(space.to_json(row.architecture))])
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error


@click.command()
@space_option
@data_option
@task_option
@features_option
@click.option("--preset", help="network, transformer, or published: DiffusionNAG's own, which takes days.")
@click.option("--table", metavar="NAME", help="Learn what is good on a data set from the others of this table.")
@click.option("--from", "learn_from", metavar="RUNS", help="The same from runs on different data sets, with commas.")
@click.option(
    "--to", type=click.Path(), metavar="DIR", help="Where what is learned is written: nas generate --guide DIR."
)
@click.option("--seed", type=int, help="Of the training.  [default: 0]")
@root_option
@runs_option
def pretrain(learn_from: str | None, **flags: Any) -> None:
    """Make the generator of a space, and predictors that know other data sets.

    The generator is kept, so that nas generate and the controller diffusion find it. Where nothing needs to be learned,
    because a space is small or its knobs do not depend on each other, this says so.
    """
    from nas.cli.progress import counter

    with working("reading the data"):
        from nas.api.generating import pretrain as made
    with counter("", stderr()) as progress:
        bars: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=total)
                if not stderr().is_terminal:
                    stderr().print(what, markup=False, soft_wrap=True)
            progress.update(bars[what], completed=done, total=total)

        names = tuple(name.strip() for name in (learn_from or "").split(",") if name.strip())
        found = made(learn_from=names, told=told, **given_flags(flags))
    kind = type(found.denoiser).__name__
    if found.weights is None or kind == "Listed":
        click.echo(f"the generator of {flags['space']} is exact: nothing needed to be trained")
    else:
        click.echo(f"the generator of {flags['space']} is a trained network ({kind.lower()}), kept for searches")
    if flags["to"] is not None:
        click.echo(
            f"predictors for new data sets: nas generate --space {flags['space']} --guide {flags['to']} --data NAME"
        )


COMMANDS = (generate, pretrain)
