"""Processes that share a study, killed one after the other at random moments."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest

import nas
from nas.study.records import Record
from nas.study.search import Silent
from tests.nas.study.test_shared_study import at_work, fork
from tests.nas.toys import Wide, graph, search

TRIALS, PROCESSES, KILLS = 40, 3, 15
DATA = graph()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


class Writes(Silent):
    def __init__(self, seen: Path) -> None:
        self.seen = seen

    def recorded(self, record: Record) -> None:
        with self.seen.open("a") as file:
            file.write(json.dumps([record.trial.number, str(record.trial.architecture), record.trial.values]) + "\n")


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_or_twice(where, tmp_path, seed):
    seen, rng = tmp_path / "seen", random.Random(seed)

    def work() -> None:
        given = {"controller": "evolution", "trials": TRIALS, "space": Wide, "storage": where, "keep": TRIALS}
        search(DATA, watcher=Writes(seen), **given)

    processes = [fork(work) for _ in range(PROCESSES)]
    for _ in range(KILLS):
        time.sleep(rng.uniform(0.05, 0.6))
        dead = rng.randrange(PROCESSES)
        processes[dead].kill()
        processes[dead].join()
        processes[dead] = fork(work)
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    records = nas.open_run("run", data=DATA, space=Wide).records
    assert [r.trial.number for r in records] == list(range(TRIALS))
    assert len({r.trial.architecture for r in records}) == TRIALS
    kept = {r.trial.number: [str(r.trial.architecture), r.trial.values and list(r.trial.values)] for r in records}
    for line in seen.read_text().splitlines():
        number, *rest = json.loads(line)
        assert kept[number] == rest
    failed = [r.trial.reason for r in records if r.trial.values is None]
    assert set(failed) <= {"2 processes were lost while they evaluated it"}
    assert "RUNNING" not in [t.state.name for t in at_work(where)]
    assert not list(tmp_path.glob("runs/run/weights/*running*"))
