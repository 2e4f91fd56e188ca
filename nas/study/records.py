"""What is known of each finished trial, and what follows from it: the best, the front, the curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas.controllers.base import Trial
from nas.settings import LOOKED_UP, proxy_of

FROM_SCRATCH = "train"
"""The evaluator that trains from scratch."""
AGAIN = "again"
"""The evaluator that trains from scratch with another seed than the search, see ``nas.study.confirming``."""
FINAL = (FROM_SCRATCH, LOOKED_UP, AGAIN)
"""The evaluators whose numbers are final: nothing is trained after such a search."""


REFUSED = -1
"""Of a proposal beyond the limits, in place of a trial's number."""


@dataclass(frozen=True)
class Repeat:
    """A proposal that is not trained and has no place in the budget.

    Attributes:
        architecture: what was proposed.
        of: the trial that says how good it is, the network being known; or ``REFUSED``, which is told as a failure.
    """

    architecture: Any
    of: int


@dataclass(frozen=True)
class Record:
    """A trial as the study keeps it.

    Attributes:
        trial: architecture, values (larger is better), metrics, seconds, reason of a failure.
        elapsed: seconds of searching until the trial was finished, interruptions left out.
        origin: who proposed it: the controller's name, or ``random`` where the controller only repeated itself.
        repeats: what the controller proposed, and was told at once, since the trial before this one.
        seed: of the training.
        bracket: the group of trials with which its learning curve is compared, see ``nas.study.fidelity``.
        evaluator: what its numbers come from: ``train``, a training from scratch, ``table``, one that was looked up,
            ``again``, one with another seed, ``shared`` weights, or the score of an untrained network, ``proxy:NAME``.
            Those of the last two cannot be compared with those of another.
    """

    trial: Trial
    elapsed: float
    origin: str
    repeats: tuple[Repeat, ...] = ()
    seed: int = 0
    bracket: int = 0
    evaluator: str = FROM_SCRATCH

    @property
    def from_scratch(self) -> bool:
        """Whether its numbers are those of a training from scratch, ours or that of a table."""
        return self.evaluator in FINAL

    @property
    def looked_up(self) -> bool:
        return self.evaluator == LOOKED_UP

    @property
    def proxy(self) -> str | None:
        """The proxy whose score stands for a training; None where there was one."""
        return proxy_of(self.evaluator)


def searched(records: Sequence[Record]) -> list[Record]:
    """Those that the search proposed; the others are its best ones, trained from scratch, or again, in the end.

    All that a search proposes is evaluated in one way, so the first trial tells.
    """
    return [r for r in records if r.evaluator == records[0].evaluator]


def finished(records: Sequence[Record]) -> list[Record]:
    """Those that did not fail."""
    return [r for r in records if r.trial.values is not None]


def stopped(records: Sequence[Record]) -> list[Record]:
    """Those whose training was stopped, because it was behind or its time was over."""
    return [r for r in records if r.trial.stopped is not None]


def ranked(records: Sequence[Record]) -> list[Record]:
    """Best first by the first objective, of equals the earlier one; those not trained from scratch come last."""
    return sorted(finished(records), key=lambda r: (not r.from_scratch, -_values(r)[0], r.trial.number))


def front(records: Sequence[Record]) -> list[Record]:
    """The Pareto front: records that no other one equals in all objectives and beats in one. Best first.

    It is the front of those that were trained from scratch, if any was.
    """
    done = finished(records)
    done = [r for r in done if r.from_scratch] or done
    best = list[Record]()
    for record in sorted(done, key=_values, reverse=True):  # whoever is beaten is so by one that stands before it
        if not any(_dominates(_values(other), _values(record)) for other in best):
            best.append(record)
    return ranked(best)


def _values(record: Record) -> tuple[float, ...]:
    assert record.trial.values is not None
    return record.trial.values


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b
