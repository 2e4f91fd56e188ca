"""The best of many trainings was lucky, too: the best few are trained again with other seeds, and their means decide.

Fewer and fewer architectures are trained with more and more seeds, as in successive halving: all of them with two fresh
seeds, the better half with four in all, and so on until two are left. The measurement that a search chose by does not
count, for it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from nas.searchspace.space import Space
from nas.study.records import AGAIN, Record, finished, ranked, searched

FIRST = 2
"""Fresh seeds of the first round; one says hardly more than the search did."""


@dataclass(frozen=True)
class Confirmed:
    """An architecture that was trained again.

    Attributes:
        original: the trial of the search.
        again: its trainings with other seeds in the order of these, failed ones too.
    """

    original: Record
    again: tuple[Record, ...]

    @property
    def mean(self) -> float:
        """Of the first objective, larger is better; minus infinity where a training failed."""
        return fmean(map(_value, self.again))

    @property
    def succeeded(self) -> list[Record]:
        return finished(self.again)

    @property
    def representative(self) -> Record:
        """The training to take: that with the best validation; the original if all failed."""
        return max(self.succeeded, key=_value, default=self.original)


def rounds(count: int) -> Iterator[tuple[int, int]]:
    """How many of so many architectures, and how many fresh seeds of each, until two are left or there is one alone."""
    keep, seeds = count, FIRST
    while keep > 0:
        yield keep, seeds
        if keep <= 2:
            return
        keep, seeds = max(2, keep // 2), 2 * seeds


def trainings(count: int) -> int:
    """How many trainings that takes."""
    before, total = 0, 0
    for keep, seeds in rounds(count):
        total, before = total + keep * (seeds - before), seeds
    return total


def contestants(records: Sequence[Record], confirm: int) -> list[Record]:
    """The trials of the search whose architectures are trained again, the best first."""
    return ranked(searched(records))[:confirm]


def missing(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[tuple[Record, int]]:
    """The trainings of the present round that are not finished: a trial of the search, and the seed of its training.

    Args:
        confirm: how many architectures the first round has.
        seed: of the search; fresh ones are counted from it.
    """
    return next((left for _, left in _played(records, confirm, seed, space) if left), [])


def due(
    records: Sequence[Record], confirm: int, seed: int, space: Space[Any], left: float | None
) -> list[tuple[Record, int]]:
    """Those of ``missing`` for which there is as much time as the search gave their networks.

    Args:
        left: seconds until all have to be over; None for no end. A training may take all of it: there are few, and one
            of them is the network to take.
    """
    wanted = missing(records, confirm, seed, space)
    return wanted if left is None else [(record, s) for record, s in wanted if record.trial.seconds <= left]


def left_of(records: Sequence[Record], limit: float | None, elapsed: float) -> float | None:
    """Seconds until all trainings with other seeds have to be over; None for no end.

    Args:
        limit: seconds for all of them after the search.
        elapsed: seconds since the search began.
    """
    return None if limit is None else limit - (elapsed - searched(records)[-1].elapsed)


def confirmed(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[Confirmed]:
    """What was trained again, the one to take first: the later the round it came to the better, then by its mean.

    Last comes what is not among the best any more, after a search that went on. See ``missing`` for the arguments.
    """
    if not (fresh := _fresh(records, space)):
        return []
    originals: dict[Hashable, Record] = {_key(r, space): r for r in reversed(searched(records))}
    found = [Confirmed(originals[key], tuple(r for _, r in sorted(those.items()))) for key, those in fresh.items()]
    reached: dict[int, int] = {}
    for number, (chosen, _) in enumerate(_played(records, confirm, seed, space)):
        reached |= {r.trial.number: number for r in chosen}

    def place(one: Confirmed) -> tuple[float, ...]:
        number = one.original.trial.number
        return -reached.get(number, -1), -one.mean, number

    return sorted(found, key=place)


def _played(
    records: Sequence[Record], confirm: int, seed: int, space: Space[Any]
) -> Iterator[tuple[list[Record], list[tuple[Record, int]]]]:
    """Of each round up to the present one who takes part, and which of its trainings are not finished.

    Who goes on is decided by the trainings of the rounds before, so that it does not change while a round is played.
    """
    fresh = _fresh(records, space)

    def mean(record: Record, seeds: int) -> float:
        done = fresh[_key(record, space)]
        return fmean(_value(done[seed + k]) for k in range(1, seeds + 1))

    chosen, before = contestants(records, confirm), 0
    for keep, seeds in rounds(len(chosen)):
        if before:
            chosen = sorted(chosen, key=lambda r: -mean(r, before))[:keep]
        wanted = [(r, seed + k) for k in range(1, seeds + 1) for r in chosen]
        left = [(r, s) for r, s in wanted if s not in fresh.get(_key(r, space), {})]
        yield chosen, left
        if left:
            return
        before = seeds


def in_confirmed_order(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[Record]:
    """The trials that did not fail: first one of each confirmed architecture, then the others as measured.

    An architecture all of whose trainings with other seeds failed stands behind those that were not trained again.
    """
    found = confirmed(records, confirm, seed, space)
    first = [c.representative for c in found if c.succeeded]
    again = {_key(c.original, space) for c in found}
    others = [r for r in ranked(records) if _key(r, space) not in again]
    taken = {r.trial.number for r in (*first, *others)}
    return [*first, *others, *(r for r in ranked(records) if r.trial.number not in taken)]


def board(result: Any) -> list[dict[str, Any]]:
    """Architectures of a run, the one to take first, with what is known of each: a row of a leaderboard.

    Args:
        result: a :class:`nas.result.Result`.
    """
    space, valid = result.plan.space, f"valid_{result.plan.task.metric}"
    of = {_key(c.original, space): c.succeeded for c in result.confirmed}
    rows, seen = list[dict[str, Any]](), set[Hashable]()
    for record in result.ranking:
        if (key := _key(record, space)) in seen:
            continue
        seen.add(key)
        again = of.get(key, [])
        values = [r.trial.metrics[valid] for r in again or [record]]
        knobs = " ".join(f"{name}={value}" for name, value in space.knobs(record.trial.architecture).items())
        rows.append(
            {
                "trial": record.trial.number,
                valid: fmean(values),
                "deviation": stdev(values) if len(values) > 1 else math.nan,
                "seeds": len(again),
                "params": record.trial.metrics.get("params"),
                "seconds": record.trial.seconds,
                "architecture": knobs,
            }
        )
    return rows


def _fresh(records: Sequence[Record], space: Space[Any]) -> dict[Hashable, dict[int, Record]]:
    """The trainings with other seeds: those of each network, by their seeds."""
    found: dict[Hashable, dict[int, Record]] = {}
    for record in records:
        if record.evaluator == AGAIN:
            found.setdefault(_key(record, space), {})[record.seed] = record
    return found


def _key(record: Record, space: Space[Any]) -> Hashable:
    found: Hashable = space.canonical(record.trial.architecture)
    return found


def _value(record: Record) -> float:
    return -math.inf if record.trial.values is None else record.trial.values[0]
