"""The end of a search whose trials were not trained from scratch: its best are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.searchspace.space import Space
from nas.study.keeping import worth_keeping
from nas.study.records import Record, searched


def finalists(records: Sequence[Record], best: int) -> list[Record]:
    """Those to be trained from scratch, best first: as many as keep their weights. None where all were."""
    return worth_keeping([r for r in searched(records) if not r.from_scratch], best)


def untrained(records: Sequence[Record], best: int, space: Space[Any]) -> list[Record]:
    """Those of the finalists that have not been trained from scratch yet; one that failed at it has been."""
    chosen = finalists(records, best)
    if not chosen:
        return []
    trained = {space.canonical(r.trial.architecture) for r in records if r.from_scratch}
    return [r for r in chosen if space.canonical(r.trial.architecture) not in trained]
