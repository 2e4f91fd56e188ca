"""The clock of the machine jumps, and no trial is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import optuna.trial._frozen as frozen

import nas
from tests.nas.toys import Toy, graph, search, told


def test_a_clock_that_jumps_changes_no_trial(monkeypatch):
    """The loop counts on the monotonic clock; the dates in the store are those of the other."""
    looked = []

    class Jumping(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            looked.append(1)
            return datetime.now(tz) + timedelta(days=[0, 2, -30, 1][len(looked) % 4])

    with monkeypatch.context() as patched:
        patched.setattr(frozen.datetime, "datetime", Jumping)
        jumped = search(trials=4)
    assert looked
    assert told(jumped.records) == told(search(name="whole", trials=4).records)
    assert all(record.elapsed >= 0 for record in jumped.records)
    assert told(nas.open_run("run", data=graph(), space=Toy).records) == told(jumped.records)
