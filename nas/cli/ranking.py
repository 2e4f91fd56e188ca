"""``nas rank``, ``nas correlate`` and ``nas proxies``."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import brief, json_option, print_json, print_table, runs_option, shown, stderr, working
from nas.searchspace.errors import BadInput, RunError

if TYPE_CHECKING:
    from nas.ranking.correlation import Correlation
    from nas.ranking.ledger import Scored
    from nas.ranking.ranking import Ranking
    from nas.ranking.statistics import Estimate
    from nas.ranking.work import Work
    from nas.study.plan import Plan

INTERRUPTED = 130
LINES = 10
"""So many lines tell of the progress of a ranking where there is no terminal."""

Options = Callable[[Any], Any]


def data_options(command: Any) -> Any:
    """What is asked of data and machine, as nas search asks it."""
    for option in reversed(
        (
            click.option("--data", default="digits", show_default=True, help="Name of a data set; see nas datasets."),
            click.option(
                "--space",
                default="design",
                show_default=True,
                help="Name of a search space (see nas spaces) or FILE.py:CLASS. A file is run as Python: name only "
                "files you trust.",
            ),
            click.option("--metric", help="What validation is measured by.  [default: by task]"),
            click.option(
                "--split", help="public, given, random, random:TRAIN,VALID (per class) or fold:K.  [default: by data]"
            ),
            click.option("--split-seed", type=int, help="Seed of a random split.  [default: 0]"),
            click.option("--seed", type=int, help="Seed of the sample, the weights and the proxies.  [default: 0]"),
            click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: auto]"),
            click.option(
                "--workers",
                type=int,
                help="Processes that work at the same time; 0: one for every GPU or core.  [default: 1]",
            ),
            click.option(
                "--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]"
            ),
        )
    ):
        command = option(command)
    return command


def proxy_option(default: str) -> Options:
    """Names of proxies, several with commas or by several options."""
    return click.option(
        "--proxy", "named", multiple=True, metavar="NAMES", help=f"Proxies, see nas proxies.  [default: {default}]"
    )


@click.command()
@data_options
@proxy_option("ntk-krr")
@click.option("--n", type=click.IntRange(min=1), help="Random architectures of different networks.  [default: 500]")
@click.option(
    "--architectures",
    "file",
    type=click.Path(),
    metavar="FILE",
    help="Rank those of a JSON file instead: a list of them, or what nas show RUN --json prints.",
)
@click.option("--by", metavar="NAME", help="The proxy that orders.  [default: the sum of the ranks by all]")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of the table.")
@click.option("--out", type=click.Path(), metavar="FILE", help="Keep what is finished there, to go on after Ctrl-C.")
@click.option("--csv", "to", type=click.Path(), metavar="FILE", help="Write all of them as CSV.")
@json_option
def rank(
    data: str,
    space: str,
    named: tuple[str, ...],
    n: int | None,
    file: str | None,
    by: str | None,
    top: int,
    out: str | None,
    to: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Order architectures by proxies, without training any.

    Scores are of networks with fresh weights, larger is better, and a proxy may have none for some network. Stop with
    Ctrl-C at any time: what is scored until then is printed, and with --out FILE the same command goes on.
    """
    _check_folder("--csv", to)
    _check_folder("--out", out)
    given = None
    if file is not None:
        from nas.ranking.sample import listed

        given = listed(Path(file))
    with working("reading the data"):
        from nas.api import start_ranking

        proxies = _names(named) or ("ntk-krr",)
        work = start_ranking(data, space, proxies, n, given, by, out, _said(flags))
    from nas.ranking.ranking import ranking

    _announce(work, f"{_of(work.plan)}: {len(work.architectures):,} architectures scored by {', '.join(work.proxies)}")
    step = max(1, len(work.architectures) // LINES)
    interrupted = not _watch(work, "scoring", lambda row, done: done % step == 0, _progress)
    found = ranking(work, by)
    _tell_ranking(found, work, top, as_json)
    if to is not None:
        _write_csv(found, Path(to), work.plan)
    if not interrupted:
        return 0
    how = (
        "Go on with the same command" if out is not None else "They are not kept; with --out FILE they would have been"
    )
    stderr().print(f"Interrupted: {len(work.done):,} of {len(work.architectures):,} are scored. {how}.", soft_wrap=True)
    return INTERRUPTED


@click.command()
@data_options
@proxy_option("all of them")
@click.option("--n", type=click.IntRange(min=3), default=60, show_default=True, help="Random architectures to train.")
@click.option("--epochs", type=int, help="Most epochs of a training.  [default: by space]")
@click.option("--patience", type=int, help="Epochs without improvement that end a training.  [default: 30]")
@click.option("--name", help="Name of the run.  [default: made of data and space]")
@runs_option
@json_option
def correlate(
    data: str,
    space: str,
    named: tuple[str, ...],
    n: int,
    name: str | None,
    runs: str | None,
    as_json: bool,
    **flags: Any,
) -> int:
    """Train random architectures in full and see how well proxies would have ranked them.

    Rank correlations are with the validation metric, in brackets 95 % bootstrap intervals over architectures. What is
    finished is saved: after Ctrl-C the same command goes on, and so does one with a larger --n or another --proxy.
    """
    with working("reading the data"):
        from nas.api import finish_correlation, start_correlation

        work, folder = start_correlation(data, space, _names(named) or None, n, name, runs, _said(flags))
    from nas.ranking.correlation import held

    _announce(work, f"run [bold]{folder.name}[/]: {_of(work.plan)}: {len(work.architectures):,} architectures trained")
    metric = work.plan.task.metric
    with held(folder):
        if not _watch(work, "training", lambda row, done: True, lambda *it: _trained(metric, *it)):
            stderr().print(
                f"Interrupted: {len(work.done):,} of {len(work.architectures):,} architectures are saved. Go on with "
                "the same command",
                soft_wrap=True,
            )
            return INTERRUPTED
        with working("computing intervals, writing the page"):
            found = finish_correlation(work, folder)
    if as_json:
        print_json(_correlation_json(found, work.plan))
    else:
        _tell_correlation(found)
    _note(found.notes[len(work.notes) :])
    if found.failures:
        failed = sum(found.failures.values())
        stderr().print(f"{failed} of {len(work.done)} trainings failed and are left out", markup=False)
        for reason, count in found.failures.items():
            stderr().print(f"  {count}: {reason}", markup=False, soft_wrap=True)
    stderr().print(f"page: {found.page}", markup=False, soft_wrap=True)
    return 0


@click.command()
@json_option
def proxies(as_json: bool) -> None:
    """List the proxies."""
    from nas.evaluation.proxies import known, names

    rows = [known(name) for name in names()]
    if as_json:
        print_json([{key: getattr(row, key) for key in ("name", "needs", "cost", "summary", "paper")} for row in rows])
        return
    table = [[row.name, row.needs, f"{row.summary}; costs {row.cost}. {row.paper}"] for row in rows]
    print_table(["proxy", "reads", "what it is"], table)


# before and while


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    """The names of ``--proxy a,b --proxy c``."""
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def _said(flags: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flags.items() if value is not None}


def _check_folder(option: str, file: str | None) -> None:
    """Refuse now what could not be written in the end."""
    if file is None:
        return
    path = Path(file)
    if path.is_dir():
        raise BadInput(f"{option} names a file; {file} is a folder")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"{option} {file} cannot be written: there is no folder {path.parent}")


def _of(plan: Plan) -> str:
    task = plan.task
    return (
        f"{task.name} ({task.level} level, split {task.split}), space {plan.space.name}, seed {plan.settings.seed}, "
        f"on {plan.device}"
    )


def _announce(work: Work, what: str) -> None:
    already = len(work.architectures) - len(work.left())
    stderr().print(what + (f", {already:,} of them before" if already else ""), soft_wrap=True)
    _note((*work.plan.task.notes, *work.notes))


def _note(notes: Sequence[str]) -> None:
    for note in notes:
        stderr().print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def _watch(work: Work, doing: str, due: Callable[[Scored, int], bool], line: Callable[[Scored, int, int], str]) -> bool:
    """Do the work with a bar or, where there is no terminal, with lines; False if it was interrupted."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("architectures,"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    console, total = stderr(), len(work.architectures)
    done = total - len(work.left())
    failed = sum(row.reason is not None for row in work.finished())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(doing, total=total, completed=done)
        try:
            with closing(work.run()) as finished:
                for row in finished:
                    done, failed = done + 1, failed + (row.reason is not None)
                    progress.update(bar, advance=1, description=f"{doing} ({failed} failed)" if failed else doing)
                    if not console.is_terminal and due(row, done):
                        console.print(line(row, done, total), markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            return False
    return True


def _progress(row: Scored, done: int, total: int) -> str:
    return f"{done:,} of {total:,} architectures scored"


def _trained(metric: str, row: Scored, done: int, total: int) -> str:
    if row.reason is not None:
        return f"architecture {row.number}: failed: {row.reason} ({done} of {total})"
    quality, seconds = row.metrics[f"valid_{metric}"], row.metrics["seconds"]
    return f"architecture {row.number}: validation {metric} {shown(quality)}, {seconds:.1f} s ({done} of {total})"


# rankings


def _tell_ranking(found: Ranking, work: Work, top: int, as_json: bool) -> None:
    scored = [row for row in found.rows if row.scores]
    reasons = Counter(row.reason or "no proxy has a score for it" for row in found.rows if not row.scores)
    if as_json:
        print_json(_ranking_json(found, work.plan, reasons))
    elif scored:
        several = len(found.proxies) > 1
        sums = found.rank_sums()
        columns = ["rank", *found.proxies, *(["rank sum"] if several else []), "architecture"]
        rows = [
            [
                place,
                *(_score(row.scores.get(name)) for name in found.proxies),
                *([f"{sums[place - 1]:,.1f}".removesuffix(".0")] if several else []),
                brief(row.architecture),
            ]
            for place, row in enumerate(scored[:top], 1)
        ]
        by = f"by {found.by}" if found.by else "by the sum of their ranks"
        print_table(columns, rows, f"best {len(rows)} of {len(scored):,} architectures {by}", cut=True)
    _note(found.notes[len(work.notes) :])
    for reason, count in reasons.items():
        stderr().print(f"{count:,} could not be scored: {reason}", markup=False, soft_wrap=True)
    if cost := ", ".join(f"{name} {seconds:.3g}" for name, seconds in found.seconds.items()):
        stderr().print(f"seconds for an architecture: {cost}", markup=False, soft_wrap=True)
    if found.rows and not scored:
        raise RunError(f"no architecture has a score: {next(iter(reasons))}")


def _score(score: float | None) -> str:
    """A score of whatever size, with four digits that count."""
    if score is None:
        return "-"
    return f"{score:,.0f}" if 1e3 <= abs(score) < 1e9 else f"{score:#.4g}"


def _ranking_json(found: Ranking, plan: Plan, reasons: Counter[str]) -> dict[str, Any]:
    return {
        "data": plan.task.name,
        "space": plan.space.name,
        "seed": plan.settings.seed,
        "proxies": [
            {
                "name": name,
                "scored": sum(name in row.scores for row in found.rows),
                "seconds": found.seconds.get(name),
            }
            for name in found.proxies
        ],
        "by": found.by,
        "failures": dict(reasons),
        "notes": found.notes,
        "architectures": [
            {
                "rank": place if row.scores else None,
                "number": row.number,
                "scores": {name: row.scores.get(name) for name in found.proxies},
                "seconds": {name: row.seconds.get(name) for name in found.proxies},
                "params": row.metrics.get("params"),
                "reason": row.reason,
                "architecture": plan.space.to_json(row.architecture),
            }
            for place, row in enumerate(found.rows, 1)
        ],
    }


def _write_csv(found: Ranking, file: Path, plan: Plan) -> None:
    head = ["rank", "number", *found.proxies, *(f"seconds {name}" for name in found.proxies), "params", "reason"]
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([*head, "architecture"])
            for place, row in enumerate(found.rows, 1):
                numbers = [of.get(name) for of in (row.scores, row.seconds) for name in found.proxies]
                facts = [place if row.scores else None, row.number, *numbers, row.metrics.get("params"), row.reason]
                writer.writerow([*facts, json.dumps(plan.space.to_json(row.architecture))])
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error


# correlations


def _tell_correlation(found: Correlation) -> None:
    count = len(found.rows)
    print_table(
        ["proxy", "Spearman", "Kendall", "best tenth found"],
        [[a.proxy, *map(_interval, (a.spearman, a.kendall, a.hit_rate))] for a in found.agreements],
        f"agreement with validation {found.metric} after training, {count} architectures",
    )
    click.echo()
    rows = [
        [a.proxy, _interval(a.test), a.scored, shown(a.seconds), shown(round(100 * a.share, 1))]
        for a in found.agreements
    ]
    rows.append(["validation (ceiling for test)", _interval(found.ceiling), count, shown(found.seconds), "100.0"])
    columns = ["proxy", "Spearman", "scored", "seconds", "% of a\ntraining"]
    print_table(columns, rows, f"agreement with test {found.metric}, and what a score costs")


def _interval(of: Estimate) -> str:
    """``0.84 [0.70, 0.92]``; a dash where the statistic is not defined."""
    if of.value != of.value:
        return "-"
    return f"{of.value:5.2f} [{of.low:5.2f}, {of.high:5.2f}]" if of.low == of.low else f"{of.value:5.2f}"


def _correlation_json(found: Correlation, plan: Plan) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "run": found.name,
        "path": str(found.path),
        "page": str(found.page),
        "data": plan.task.name,
        "space": plan.space.name,
        "seed": plan.settings.seed,
        "metric": found.metric,
        "larger_is_better": found.larger_is_better,
        "trained": len(found.rows),
        "failed": sum(found.failures.values()),
        "failures": found.failures,
        "seconds": found.seconds,
        "ceiling": asdict(found.ceiling),
        "proxies": [asdict(agreement) for agreement in found.agreements],
        "notes": found.notes,
        "architectures": [
            {
                "number": row.number,
                "scores": dict(row.scores),
                "seconds": dict(row.seconds),
                "metrics": dict(row.metrics),
                "architecture": plan.space.to_json(row.architecture),
            }
            for row in found.rows
        ],
    }


COMMANDS = (rank, correlate, proxies)
