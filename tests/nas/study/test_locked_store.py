"""A store that another program has locked for a while: the search waits, and goes on as if nothing had been."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import nas
from nas.study.records import Record
from nas.study.search import Silent
from tests.nas.toys import Toy, graph, search, told

LOCKS = {
    "journal": "os.symlink(path, path + '.lock')\nheld()\nos.unlink(path + '.lock')",
    "shared journal": "import filelock\nwith filelock.FileLock(path + '.writing'):\n    held()",
    "sqlite": "import sqlite3\nit = sqlite3.connect(path, isolation_level=None)\nit.execute('BEGIN EXCLUSIVE')\n"
    "held()\nit.execute('COMMIT')",
}
"""How others lock: Optuna the journal of a run, several of our processes one that they share, SQLite its file."""
HELD = """
import os, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
def held():
    print("held", flush=True)
    time.sleep(seconds)
"""


class Locks(Silent):
    """Lets another process lock the store as soon as two trials are in it."""

    def __init__(self, kind: str, file: Path, seconds: float) -> None:
        self.command = [sys.executable, "-c", HELD + LOCKS[kind], str(file), str(seconds)]
        self.times: list[float] = []

    def recorded(self, record: Record) -> None:
        self.times.append(time.monotonic())
        if record.trial.number == 1:
            self.other = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
            assert self.other.stdout is not None
            assert self.other.stdout.readline() == "held\n"
            self.locked = time.monotonic()


@pytest.mark.each_once
@pytest.mark.parametrize("seconds", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", LOCKS)
def test_the_search_waits_and_loses_nothing(tmp_path, kind, seconds):
    file, url = tmp_path / "trials", {"shared journal": "journal", "sqlite": "sqlite"}.get(kind)
    storage = None if url is None else f"{url}:///{file}"
    locks = Locks(kind, file if storage else tmp_path / "runs" / "run" / "journal.log", seconds)
    found = search(trials=4, storage=storage, watcher=locks)
    locks.other.communicate()
    assert locks.other.returncode == 0
    assert seconds - 0.2 < locks.times[2] - locks.locked < seconds + 10
    assert told(found.records) == told(search(name="whole", trials=4).records)
    assert told(nas.open_run("run", data=graph(), space=Toy).records) == told(found.records)
