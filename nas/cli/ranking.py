"""``nas rank`` and ``nas proxies``."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import brief, json_option, print_json, print_table, stderr, working
from nas.cli.scoring import (
    INTERRUPTED,
    announce,
    check_folder,
    data_options,
    described,
    given_flags,
    proxies_named,
    proxy_option,
    tell_notes,
    watched,
)
from nas.searchspace.errors import RunError

if TYPE_CHECKING:
    from nas.ranking.ledger import Scored
    from nas.ranking.ranking import Ranking
    from nas.ranking.work import Work
    from nas.study.plan import Plan

LINES = 10
"""So many lines tell of the progress of a ranking where there is no terminal."""


@click.command()
@data_options
@proxy_option("ntk-error")
@click.option("--n", type=click.IntRange(min=1), help="Random architectures of different networks.  [default: 500]")
@click.option(
    "--architectures",
    "file",
    type=click.Path(),
    metavar="FILE",
    help="Rank those of a JSON file instead: a list of them, or what nas show RUN --json prints.",
)
@click.option(
    "--by", metavar="NAME", help="The proxy that orders.  [default: the sum of the ranks by all, prior counting twice]"
)
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
    check_folder("--csv", to)
    check_folder("--out", out)
    given = None
    if file is not None:
        from nas.ranking.sample import listed

        given = listed(Path(file))
    with working("reading the data"):
        from nas.api.ranking import start_ranking

        proxies = proxies_named(named) or ("ntk-error",)
        work = start_ranking(data, space, proxies, n, given, by, out, given_flags(flags))
    from nas.ranking.ranking import ranking

    announce(
        work, f"{described(work.plan)}: {len(work.architectures):,} architectures scored by {', '.join(work.proxies)}"
    )
    step = max(1, len(work.architectures) // LINES)
    interrupted = not watched(work, "scoring", lambda row, done: done % step == 0, _progress)
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


def _progress(row: Scored, done: int, total: int) -> str:
    return f"{done:,} of {total:,} architectures scored"


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
    tell_notes(found.notes[len(work.notes) :])
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


COMMANDS = (rank, proxies)
