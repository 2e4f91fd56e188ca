"""``nas compare``."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import (
    features_option,
    json_option,
    print_json,
    print_table,
    runs_option,
    stderr,
    task_option,
    working,
)
from nas.cli.scoring import INTERRUPTED, given_flags, tell_notes
from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    from nas.comparison.comparison import Comparison
    from nas.comparison.contest import Contest
    from nas.comparison.ledger import Found


@click.command()
@click.option("--data", help="Names of data sets, with commas; all of --table.  [default: all, or digits]")
@click.option(
    "--table", metavar="NAME", help="Look architectures up in this table, such as nasbench-graph, or its file."
)
@click.option("--space", help="Name of a search space or FILE.py:CLASS, as in nas search.  [default: design]")
@click.option(
    "--controllers",
    default="random,tpe",
    show_default=True,
    metavar="NAMES",
    help="With commas; options as NAME:KEY=VALUE:KEY=VALUE. Random search is always compared.",
)
@click.option(
    "--trials", metavar="NUMBERS", help="Where they are compared, with commas.  [default: 50,100,200, or 20,50]"
)
@click.option("--seeds", type=int, help="Searches with each controller on each data set.  [default: 30, or 3]")
@click.option("--workers", type=int, default=1, show_default=True, help="Searches that run at the same time.")
@click.option("--metric", help="What validation selects by.  [default: by task]")
@task_option
@features_option
@click.option("--split", help="As in nas search.  [default: by data]")
@click.option("--split-seed", type=int, help="Seed of a random split.  [default: 0]")
@click.option("--epochs", type=int, help="Most epochs of a training.  [default: by space]")
@click.option("--patience", type=int, help="Epochs without improvement that end a training.  [default: by space]")
@click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: auto]")
@click.option("--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]")
@click.option("--name", help="Name of the comparison.  [default: made of table, or data and space]")
@runs_option
@json_option
def compare(
    data: str | None,
    table: str | None,
    space: str | None,
    controllers: str,
    trials: str | None,
    seeds: int | None,
    workers: int,
    name: str | None,
    runs: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Search with several controllers on the same data, from the same seeds, and compare what they find.

    On a table thousands of searches take minutes, and the numbers are normalised regrets. With trainings each search
    is an ordinary run in the comparison's folder. What is finished is saved: after Ctrl-C the same command goes on, and
    so does one with more controllers, data sets, seeds or trials.
    """
    with working("reading the data"):
        from nas.api.comparing import finish_comparison, start_comparison

        named = None if data is None else _listed(data)
        contest = start_comparison(
            named, _listed(controllers), table, space, _numbers(trials), seeds, workers, name, runs, given_flags(flags)
        )
    already = contest.total - len(contest.left())
    stderr().print(
        f"comparison [bold]{contest.folder.name}[/]: {len(contest.entries)} controllers on {', '.join(contest.data)}, "
        f"{contest.seeds} {'seed' if contest.seeds == 1 else 'seeds'}, {contest.trials} trials: {contest.total:,} "
        f"searches" + (f", {already:,} of them before" if already else ""),
        soft_wrap=True,
    )
    tell_notes([*contest.notes, *dict.fromkeys(note for plan in contest.plans.values() for note in plan.task.notes)])
    if not _watched(contest, already):
        saved = contest.total - len(contest.left())
        stderr().print(
            f"Interrupted: {saved:,} of {contest.total:,} searches are saved. Go on with the same command",
            soft_wrap=True,
        )
        return INTERRUPTED
    with working("writing the page"):
        found = finish_comparison(contest)
    if as_json:
        print_json(_json(found))
    else:
        _tell(found)
    stderr().print(f"page: {found.page}", markup=False, soft_wrap=True)
    return 0


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(number) for number in _listed(text)]
    except ValueError:
        raise BadInput(f"--trials takes whole numbers with commas, such as 50,100,200; got {text!r}") from None


def _watched(contest: Contest, done: int) -> bool:
    """Do the searches with a bar or, where there is no terminal, with lines; False if they were interrupted."""
    from nas.cli.progress import counter

    console, total = stderr(), contest.total
    every = max(1, total // 20)
    with counter("searches", console) as progress:
        bar = progress.add_task("searching", total=total, completed=done)
        try:
            with closing(contest.run()) as finished:
                for found in finished:
                    done += 1
                    progress.advance(bar)
                    if not console.is_terminal and (done % every == 0 or done == total):
                        console.print(_line(found, done, total), markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            return False
    return True


def _line(found: Found, done: int, total: int) -> str:
    which = f"{found.controller} on {found.data}, seed {found.seed}"
    return f"{which}: {found.trials:,} trials ({done:,} of {total:,} searches)"


def _tell(found: Comparison) -> None:
    from nas.report.comparison import written

    for number, table in enumerate(found.tables):
        if number:
            click.echo()
        costs = [f"{1000 * found.seconds[label]:,.2g}" for label in table.rows] if not number else []
        rows = [[label, *(written(mean, table.name) for mean in means)] for label, means in table.rows.items()]
        rows = [[*row, *costs[i : i + 1]] for i, row in enumerate(rows)]
        columns = ["controller", *(f"{budget:,}" for budget in found.budgets), *(["ms a\ntrial"] if costs else [])]
        print_table(columns, rows, f"{table.title} after so many trials, mean ± {table.spread}")


def _json(found: Comparison) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "comparison": found.name,
        "path": str(found.path),
        "page": str(found.page),
        "data": found.data,
        "trials": found.budgets,
        "seeds": found.seeds,
        "tables": [
            {
                "title": table.title,
                "larger_is_better": table.larger,
                "spread": table.spread,
                "controllers": {
                    label: [{"trials": k, **asdict(mean)} for k, mean in zip(found.budgets, means, strict=True)]
                    for label, means in table.rows.items()
                },
            }
            for table in found.tables
        ],
        "seconds": dict(found.seconds),
        "failures": dict(found.failures),
        "rows": found.frame.to_dict("records"),
        "notes": found.notes,
    }


COMMANDS = (compare,)
