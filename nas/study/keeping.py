"""Which trials keep their weights: the best few, and the Pareto front."""

from __future__ import annotations

from collections.abc import Iterable

from nas.study.folder import RunFolder
from nas.study.records import Record, front, ranked

FRONT = 50
"""The most trials of the Pareto front that keep their weights."""


class Keeper:
    """Keeps the weights of the best trials so far and deletes those of the others.

    Trials that were stopped early keep none: whoever asks for their weights wants them trained in full.
    """

    def __init__(self, folder: RunFolder, best: int, records: Iterable[Record]) -> None:
        self._folder = folder
        self._best = best
        self._kept: list[Record] = []
        for record in records:
            self._kept = self._chosen(record)

    def add(self, record: Record) -> None:
        """Hear of a finished trial; its weights, if it has any, are in the folder."""
        before, self._kept = [*self._kept, record], self._chosen(record)
        kept = {r.trial.number for r in self._kept}
        for old in before:
            if old.trial.number not in kept:
                self._folder.weights(old.trial.number).unlink(missing_ok=True)

    def _chosen(self, record: Record) -> list[Record]:
        candidates = [r for r in (*self._kept, record) if r.trial.stopped is None]
        best = ranked(candidates)
        several = bool(best) and len(best[0].trial.values or ()) > 1  # of one objective the front is its ties
        chosen = [*best[: self._best], *(front(candidates)[:FRONT] if several else ())]
        return list({r.trial.number: r for r in chosen}.values())
