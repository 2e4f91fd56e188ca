"""``nas correlate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import json_option, print_json, print_table, runs_option, shown, stderr, working
from nas.cli.scoring import (
    INTERRUPTED,
    announce,
    data_options,
    described,
    given_flags,
    proxies_named,
    proxy_option,
    tell_notes,
    watched,
)

if TYPE_CHECKING:
    from nas.ranking.correlation import Correlation
    from nas.ranking.ledger import Scored
    from nas.ranking.statistics import Estimate
    from nas.study.plan import Plan


@click.command()
@data_options
@proxy_option("all of them")
@click.option("--n", type=click.IntRange(min=3), default=60, show_default=True, help="Random architectures to train.")
@click.option("--epochs", type=int, help="Most epochs of a training.  [default: by space]")
@click.option("--patience", type=int, help="Epochs without improvement that end a training.  [default: by space]")
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
        from nas.api.ranking import finish_correlation, start_correlation

        work, folder = start_correlation(data, space, proxies_named(named) or None, n, name, runs, given_flags(flags))
    from nas.ranking.correlation import held

    announce(
        work, f"run [bold]{folder.name}[/]: {described(work.plan)}: {len(work.architectures):,} architectures trained"
    )
    metric = work.plan.task.metric
    with held(folder):
        if not watched(work, "training", lambda row, done: True, lambda *it: _trained(metric, *it)):
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
    tell_notes(found.notes[len(work.notes) :])
    if found.failures:
        failed = sum(found.failures.values())
        stderr().print(f"{failed} of {len(work.done)} trainings failed and are left out", markup=False)
        for reason, count in found.failures.items():
            stderr().print(f"  {count}: {reason}", markup=False, soft_wrap=True)
    stderr().print(f"page: {found.page}", markup=False, soft_wrap=True)
    return 0


def _trained(metric: str, row: Scored, done: int, total: int) -> str:
    if row.reason is not None:
        return f"architecture {row.number}: failed: {row.reason} ({done} of {total})"
    quality, seconds = row.metrics[f"valid_{metric}"], row.metrics["seconds"]
    return f"architecture {row.number}: validation {metric} {shown(quality)}, {seconds:.1f} s ({done} of {total})"


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


COMMANDS = (correlate,)
