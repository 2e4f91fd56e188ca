"""Architectures in the order of their scores, without training any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from nas.evaluation.proxies import known
from nas.ranking.ledger import Ledger, Scored
from nas.ranking.sample import distinct, read
from nas.ranking.statistics import rank_sum
from nas.ranking.work import Work, header
from nas.searchspace.errors import BadInput
from nas.study.plan import Plan

DRAWN = 500
"""Random architectures, where the user does not say."""


@dataclass(frozen=True)
class Ranking:
    """Architectures, the best first.

    Attributes:
        proxies: what scored them.
        by: the proxy that orders them; None is the sum of their ranks by all, weighed by ``Proxy.weight``.
        rows: best first; those without any score come last.
        notes: what the user should know.
    """

    proxies: tuple[str, ...]
    by: str | None
    rows: tuple[Scored, ...]
    notes: tuple[str, ...] = ()

    @property
    def architectures(self) -> list[Any]:
        """Best first, those that were scored."""
        return [row.architecture for row in self.rows if row.scores]

    @property
    def seconds(self) -> dict[str, float]:
        """Mean wall-clock seconds of a score, by proxy; one that scored nothing is absent."""
        took = {name: [row.seconds[name] for row in self.rows if name in row.seconds] for name in self.proxies}
        return {name: fmean(seconds) for name, seconds in took.items() if seconds}

    def rank_sums(self) -> list[float]:
        """Of each row: the sum of its ranks by all proxies."""
        return _sums({name: [row.score(name) for row in self.rows] for name in self.proxies})


def check(n: int | None, architectures: Sequence[Any] | None, by: str | None, proxies: tuple[str, ...]) -> None:
    """What can be refused before the data is read.

    Raises:
        BadInput: if nothing is to be ranked, or two things, or by what is not scored.
    """
    if n is not None and architectures is not None:
        raise BadInput("n draws random architectures and architectures names them; give one of the two")
    if n is not None and n < 1:
        raise BadInput(f"n must be at least 1; got {n}")
    if architectures is not None and not len(architectures):
        raise BadInput("there are no architectures to rank")
    if by is not None and by not in proxies:
        raise BadInput(f"cannot order by {by!r}, which is not scored; the proxies are {', '.join(proxies)}")


def begin(
    plan: Plan, proxies: tuple[str, ...], n: int | None, architectures: Sequence[Any] | None, out: Path | None
) -> Work:
    """What there is to score: ``n`` random architectures of different networks, or those given.

    Args:
        architectures: of the space, or as their JSON.
        out: file that keeps what is finished.

    Raises:
        BadInput: if an architecture does not belong to the space, or the file was made with something else.
        RunError: if the file cannot be read.
    """
    notes: tuple[str, ...] = ()
    if architectures is None:
        n = DRAWN if n is None else n
        chosen = distinct(plan.space, n, plan.settings.seed)
        if len(chosen) < n:
            notes = (f"the space has {len(chosen):,} different networks, fewer than {n:,}: all of them are ranked",)
    else:
        chosen = read(plan.space, list(architectures))
    ledger = None if out is None else Ledger(out, header(plan, trains=False), "--out")
    return Work(plan, chosen, proxies, trains=False, ledger=ledger, notes=notes)


def ranking(work: Work, by: str | None) -> Ranking:
    """What is finished, in order."""
    rows = work.finished()
    by = work.proxies[0] if len(work.proxies) == 1 else by
    columns = {name: [row.score(name) for row in rows] for name in (work.proxies if by is None else (by,))}
    places = _sums(columns) if rows else []
    order = sorted(range(len(rows)), key=lambda i: (not rows[i].scores, places[i], rows[i].number))
    return Ranking(work.proxies, by, tuple(rows[i] for i in order), (*work.notes, *work.slow_ways()))


def _sums(columns: dict[str, list[float]]) -> list[float]:
    """The weighed sums of ranks by proxies."""
    return rank_sum(columns, {name: known(name).weight for name in columns})
