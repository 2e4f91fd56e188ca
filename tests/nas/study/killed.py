"""A search that is killed and taken up again: ``killed.py SEED KILLS SEEN EVALUATOR`` in a process of its own.

It forks one process after the other, of which each goes on with the search and is killed after a random time, and
at last one that is not. Every process first checks that the trials which an earlier one saw finished are there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

torch.set_num_threads(1)

import nas  # noqa: E402
from nas.study.folder import RunFolder, runs_root  # noqa: E402
from nas.study.records import Record  # noqa: E402
from nas.study.search import Silent  # noqa: E402
from tests.nas.toys import Wide, graph  # noqa: E402

DATA = graph()
TRIALS = 30


class Checks(Silent):
    def __init__(self, seen: Path) -> None:
        self.seen = seen

    def started(self, records: Sequence[Record]) -> None:
        from safetensors.torch import load_file

        kept = {str(r.trial.number): r.trial.values for r in records}
        assert list(kept) == [str(i) for i in range(len(records))], "numbers are not consecutive"
        for line in self.seen.read_text().splitlines():
            number, value = json.loads(line)
            assert kept[str(number)] == (value,), f"trial {number} is lost"
        for file in RunFolder(runs_root(), "run").path.glob("*/*.safetensors"):
            if not file.name.startswith("."):
                load_file(file)

    def recorded(self, record: Record) -> None:
        assert record.trial.values is not None
        with self.seen.open("a") as file:
            file.write(json.dumps([record.trial.number, record.trial.values[0]]) + "\n")


def go_on(seen: Path, evaluator: str) -> None:
    if RunFolder(runs_root(), "run").exists():
        nas.resume("run", data=DATA, space=Wide, watcher=Checks(seen))
    else:
        nas.search(
            DATA,
            space=Wide,
            controller="evolution",
            controller_options={"population": 5, "sample": 2},
            trials=TRIALS,
            device="cpu",
            name="run",
            evaluator=evaluator,
            watcher=Checks(seen),
        )


def main(seed: int, kills: int, seen: Path, evaluator: str) -> None:
    seen.touch()
    rng = random.Random(seed)
    for kill in range(kills + 1):
        child = os.fork()
        if child == 0:
            try:
                go_on(seen, evaluator)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if kill < kills:
            time.sleep(rng.uniform(0, 0.5))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), code


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
