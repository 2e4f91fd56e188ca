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
    return next((left for _, left in _played(records, confirm, seed, space) if left), [])


def confirmed(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[Confirmed]:
    """What was trained again, the one to take first: the later the round it came to the better, then by its mean.

    See ``missing`` for the arguments.
    """
    again: dict[Hashable, list[Record]] = {}
    for record in records:
        if record.evaluator == AGAIN:
            again.setdefault(_key(record, space), []).append(record)
    reached: dict[Hashable, tuple[int, Record]] = {}
    for number, (chosen, _) in enumerate(_played(records, confirm, seed, space)):
        reached |= {_key(r, space): (number, r) for r in chosen}
    found = [(reached[key][0], Confirmed(reached[key][1], tuple(those))) for key, those in again.items()]
    return [c for _, c in sorted(found, key=lambda it: (-it[0], -fmean(it[1].values), it[1].original.trial.number))]


def _played(
    records: Sequence[Record], confirm: int, seed: int, space: Space[Any]
) -> Iterator[tuple[list[Record], list[tuple[Record, int]]]]:
    """Of each round up to the present one who takes part, and which of its trainings are not finished.

    Who goes on is decided by the trainings of the rounds before, so that it does not change while a round is played.
    """
    values: dict[Hashable, dict[int, float]] = {}
    for record in records:
        if record.evaluator == AGAIN:
            value = -math.inf if record.trial.values is None else record.trial.values[0]
            values.setdefault(_key(record, space), {})[record.seed] = value

    def mean(record: Record, seeds: int) -> float:
        done = values[_key(record, space)]
        return fmean(done[seed + k] for k in range(1, seeds + 1))

    chosen, before = ranked(searched(records))[:confirm], 0
    for keep, seeds in rounds(confirm):
        if before:
            chosen = sorted(chosen, key=lambda r: -mean(r, before))[:keep]
        fresh = [(r, seed + k) for k in range(1, seeds + 1) for r in chosen]
        left = [(r, s) for r, s in fresh if s not in values.get(_key(r, space), {})]
        yield chosen, left
        if left:
            return
        before = seeds


def confirmed_as(records: Sequence[Record], number: int, space: Space[Any]) -> list[Record]:
    """The trainings with other seeds of the network of a trial."""
    key = _key(records[number], space)
    return [r for r in records if r.evaluator == AGAIN and _key(r, space) == key]


def in_confirmed_order(records: Sequence[Record], confirm: int, seed: int, space: Space[Any]) -> list[Record]:
    """The trials that did not fail: first one of each confirmed architecture, then the others as measured."""
    found = confirmed(records, confirm, seed, space)
    first = [c.representative for c in found if any(v > -math.inf for v in c.values)]
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
    space, task, settings = result.plan.space, result.plan.task, result.plan.settings
    found = confirmed(result.records, settings.confirm, settings.seed, space)
    of = {_key(c.original, space): c for c in found}
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


def _key(record: Record, space: Space[Any]) -> Hashable:
    found: Hashable = space.canonical(record.trial.architecture)
    return found


def _value(record: Record) -> float:
    assert record.trial.values is not None
    return record.trial.values[0]
