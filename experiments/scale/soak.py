"""Whether a long search in one process keeps its memory, and its run stays quick to read.

    python experiments/scale/soak.py [--trials 5000] [--controllers random,evolution]

The ordinary study on look-ups of NAS-Bench-Graph's Cora (NAS_DATA). Resident memory is read after every hundredth
trial; its slope is that of a straight line through the values after the first fifth. Then `nas show` and the report are
timed in processes of their own, start included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

import nas
from nas.study.records import Record
from nas.study.watching import Silent

TABLE = Path(__file__).with_name("soak.csv")
EVERY, WARM = 100, 0.2


class Memory(Silent):
    """Resident memory in MiB after every hundredth trial, and when that was."""

    def __init__(self) -> None:
        self.seen, self.count = list[tuple[int, float]](), 0
        self._process = psutil.Process()

    def recorded(self, record: Record) -> None:
        self.count += 1
        if self.count % EVERY == 0:
            self.seen.append((self.count, self._process.memory_info().rss / 2**20))


def timed(*command: str) -> float:
    """Seconds of a command of ours in a process of its own."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "nas", *command], check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - begin, 2)


def soaked(controller: str, trials: int) -> dict[str, Any]:
    """One long search."""
    with tempfile.TemporaryDirectory() as runs:
        memory, begin = Memory(), time.perf_counter()
        nas.search(
            "cora", controller=controller, table="nasbench-graph", trials=trials, name="soak", runs=runs,
            watcher=memory,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        at, mib = np.array([pair for pair in memory.seen if pair[0] >= WARM * trials]).T
        return {
            "controller": controller,
            "trials": trials,
            "seconds": round(seconds, 1),
            "mib_at_a_fifth": round(float(mib[0]), 1),
            "mib_at_the_end": round(float(mib[-1]), 1),
            "kib_a_trial": round(float(np.polyfit(at, mib, 1)[0]) * 1024, 2),
            "show_seconds": timed("show", "soak", "--runs", runs),
            "report_seconds": timed("report", "soak", "--runs", runs),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--controllers", default="random,evolution")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for controller in given.controllers.split(","):
        row = soaked(controller, given.trials)
        append(TABLE, row | origin())
        print(row, flush=True)


if __name__ == "__main__":
    main()
