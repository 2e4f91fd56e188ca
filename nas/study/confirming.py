"""The best of many trainings was lucky, too: the best few are trained again with other seeds, and their means decide.

Fewer and fewer architectures are trained with more and more seeds, as in successive halving: all of ``confirm`` with
one fresh seed, the better half of them with two in all, and so on until two are left. The measurement that a search
chose by does not count, for it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from nas.searchspace.space import Space
from nas.study.records import AGAIN, Record, ranked, searched


@dataclass(frozen=True)
class Confirmed:
    """An architecture that was trained again.

    Attributes:
        original: the trial of the search.
        again: its trainings with other seeds, failed ones too.
    """

    original: Record
    again: tuple[Record, ...]

    @property
    def values(self) -> list[float]:
        """The first objective of each training, larger is better; minus infinity for one that failed."""
        return [-math.inf if r.trial.values is None else r.trial.values[0] for r in self.again]

    @property
    def representative(self) -> Record:
        """The training to take: that with the best validation; the original if all failed."""
        return max((r for r in self.again if r.trial.values), key=lambda r: _value(r), default=self.original)


def rounds(confirm: int) -> Iterator[tuple[int, int]]:
    """How many architectures, and how many fresh seeds of each, until two are left or there is one alone."""
    keep, seeds = confirm, 1
    while keep > 0:
        yield keep, seeds
        if keep <= 2:
            return
        keep, seeds = max(2, keep // 2), 2 * seeds


def trainings(confirm: int) -> int:
    """How many trainings that takes."""
    before, total = 0, 0
    for keep, seeds in rounds(confirm):
        total, before = total + keep * (seeds - before), seeds
    return total


def missing(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[tuple[Record, int]]:
    """The trainings of the present round that are not finished: a trial of the search, and the seed of its training.

    Args:
        confirm: how many architectures the first round has.
        seed: of the search; fresh ones are counted from it.
    """
    done = {(_key(r, space), r.seed) for r in records if r.evaluator == AGAIN}
    chosen = ranked(searched(records))[:confirm]
    for keep, seeds in rounds(confirm):
        chosen = sorted(chosen, key=lambda r: -_score(r, records, space))[:keep]
        left = [(r, seed + k) for k in range(1, seeds + 1) for r in chosen if (_key(r, space), seed + k) not in done]
        if left:
            return left
    return []


def confirmed(records: Sequence[Record], space: Space[Any]) -> list[Confirmed]:
    """What was trained again, the one to take first: of those with most seeds the one with the best mean."""
    originals: dict[Hashable, Record] = {_key(r, space): r for r in reversed(searched(records))}
    again: dict[Hashable, list[Record]] = {}
    for record in records:
        if record.evaluator == AGAIN:
            again.setdefault(_key(record, space), []).append(record)
    found = [Confirmed(originals[key], tuple(those)) for key, those in again.items() if key in originals]
    return sorted(found, key=lambda c: (-len(c.again), -fmean(c.values), c.original.trial.number))


def confirmed_as(records: Sequence[Record], number: int, space: Space[Any]) -> list[Record]:
    """The trainings with other seeds of the network of a trial."""
    key = _key(records[number], space)
    return [r for r in records if r.evaluator == AGAIN and _key(r, space) == key]


def in_confirmed_order(records: Sequence[Record], space: Space[Any]) -> list[Record]:
    """The trials that did not fail: first one of each confirmed architecture, then the others as measured."""
    first = [c.representative for c in confirmed(records, space) if any(v > -math.inf for v in c.values)]
    taken = {_key(r, space) for r in first}
    rest = ranked(records)
    others = [r for r in rest if _key(r, space) not in taken]
    numbers = {r.trial.number for r in (*first, *others)}
    return [*first, *others, *(r for r in rest if r.trial.number not in numbers)]


def board(result: Any) -> list[dict[str, Any]]:
    """Architectures of a run, the one to take first, with what is known of each: a row of a leaderboard.

    Args:
        result: a :class:`nas.result.Result`.
    """
    space, task = result.plan.space, result.plan.task
    of = {_key(c.original, space): c for c in confirmed(result.records, space)}
    rows, seen = list[dict[str, Any]](), set[Hashable]()
    for record in result.ranking:
        key = _key(record, space)
        if key in seen:
            continue
        seen.add(key)
        valid, again = f"valid_{task.metric}", of[key].again if key in of else ()
        values = [r.trial.metrics[valid] for r in again if r.trial.values] or [record.trial.metrics[valid]]
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


def _score(record: Record, records: Sequence[Record], space: Space[Any]) -> float:
    """The mean over fresh seeds; before there are any, what the search measured."""
    key = _key(record, space)
    fresh = [r for r in records if r.evaluator == AGAIN and _key(r, space) == key]
    return fmean(Confirmed(record, tuple(fresh)).values) if fresh else _value(record)


def _key(record: Record, space: Space[Any]) -> Hashable:
    found: Hashable = space.canonical(record.trial.architecture)
    return found


def _value(record: Record) -> float:
    assert record.trial.values is not None
    return record.trial.values[0]
