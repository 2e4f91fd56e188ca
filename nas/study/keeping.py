"""Which trials are worth keeping: the best few, and the Pareto front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nas.study.folder import RunFolder
from nas.study.records import AGAIN, Record, front, ranked

FRONT = 50
"""The most trials of the Pareto front that are kept."""


def worth_keeping(records: Sequence[Record], best: int) -> list[Record]:
    """The best so many by the first objective; of several objectives also the front. None if ``best`` is 0."""
    if not best:
        return []
    first = ranked(records)
    several = bool(first) and len(first[0].trial.values or ()) > 1  # of one objective the front is its ties
    chosen = [*first[:best], *(front(records)[:FRONT] if several else ())]
    return list({r.trial.number: r for r in chosen}.values())


class Keeper:
    """Keeps the weights of the best trials so far and deletes those of the others.

    Trials that were stopped because they were behind or had shared weights keep none: whoever asks for their weights
    wants them trained in full. Those that were trained again are few and keep theirs.

    Args:
        timed: whether what was stopped was stopped at its time limit, which would stop it again.
    """

    def __init__(self, folder: RunFolder, best: int, records: Iterable[Record], timed: bool = False) -> None:
        self._folder = folder
        self._best = best
        self._timed = timed
        self._kept: list[Record] = []
        known = list(records)
        for record in known[:-1]:
            if record.evaluator != AGAIN:
                self._kept = self._chosen(record)
        for record in known[-1:]:
            self.add(record)  # who stored it may have been killed before it deleted what it displaces

    def add(self, record: Record) -> None:
        """Hear of a finished trial; its weights, if it has any, are in the folder."""
        if record.evaluator == AGAIN:
            return
        before, self._kept = [*self._kept, record], self._chosen(record)
        kept = {r.trial.number for r in self._kept}
        for old in before:
            if old.trial.number not in kept:
                self._folder.weights(old.trial.number).unlink(missing_ok=True)

    def _chosen(self, record: Record) -> list[Record]:
        candidates = [r for r in (*self._kept, record) if r.from_scratch and (self._timed or r.trial.stopped is None)]
        return worth_keeping(candidates, self._best)
