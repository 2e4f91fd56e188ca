"""How many finished trials a second the driver sustains with 1,000 workers.

    python experiments/scale/driver.py [--controllers random,evolution] [--trials 2000]

The ordinary loop, space (`agnn`, for the controller `lpgnas` its own) and store (journal file) with an executor of
1,000 slots. Trainings take virtual time: a training of a drawn length ends when the driver has nothing else to do, the
shortest first, so that what is measured is the driver alone, and what its controller computes: supernets, predictors.
The value is a made-up number of the source. Rates are of the whole run and of its last tenth.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
import tempfile
import time
import zlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

import nas.study.search as loop
from nas.evaluation.job import Job, Outcome
from nas.settings import Settings
from nas.study.beginning import start
from nas.study.folder import RunFolder
from nas.study.plan import make_plan
from nas.study.records import Record
from nas.study.watching import Silent

TABLE = Path(__file__).with_name("driver.csv")
SPACES = {"lpgnas": "lpgnas"}
OPTIONS: dict[str, dict[str, Any]] = {"lpgnas": {"epochs": 2}, "darts": {"epochs": 2}}
"""A supernet is trained once, before the first trial; how long is no matter of the driver's."""


class Simulated:
    """Workers whose trainings take virtual time."""

    def __init__(self, slots: int, seed: int) -> None:
        self.slots, self.now = slots, 0.0
        self._out: list[tuple[float, int, Future[Outcome], Outcome]] = []
        self._rng, self._count = random.Random(seed), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, job: Job) -> Future[Outcome]:
        value, seconds = zlib.crc32(job.source.encode()) / 2**32, self._rng.lognormvariate(3, 0.5)
        metrics = {"valid_accuracy": value, "test_accuracy": value, "params": 1.0, "seconds": seconds}
        future: Future[Outcome] = Future()
        self._count += 1
        heapq.heappush(self._out, (self.now + seconds, self._count, future, Outcome(metrics, seconds=seconds)))
        return future

    def wait(self, futures: Any, **more: Any) -> tuple[set[Future[Outcome]], set[Future[Outcome]]]:
        """In place of waiting: the training that ends first has ended."""
        self.now, _, future, outcome = heapq.heappop(self._out)
        future.set_result(outcome)
        return {future}, set()


class Clock(Silent):
    """When each trial was recorded."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def recorded(self, record: Record) -> None:
        self.times.append(time.perf_counter())


def measured(controller: str, trials: int, workers: int, seed: int = 0) -> dict[str, Any]:
    """One search, and its rates."""
    options, space = OPTIONS.get(controller, {}), SPACES.get(controller, "agnn")
    settings = Settings(
        "digits", space=space, controller=controller, controller_options=options, trials=trials, seed=seed
    )
    plan = make_plan(settings)
    executor, clock = Simulated(workers, seed), Clock()
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch), "driver")
        folder.create(settings)
        with folder.lock(), patch.object(loop, "wait", executor.wait):
            search = start(plan, folder, clock)
            clock.times = [time.perf_counter()]
            search.run(executor)
    times, tenth = clock.times, max(1, trials // 10)
    return {
        "controller": controller,
        "workers": workers,
        "trials": len(times) - 1,
        "seconds": round(times[-1] - times[0], 2),
        "per_second": round((len(times) - 1) / (times[-1] - times[0]), 1),
        "last_tenth_per_second": round(tenth / (times[-1] - times[-1 - tenth]), 1),
        "store": "journal file",
        "seed": seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--controllers", default="random,evolution,local-search,tpe,nsga2")
    options = parser.parse_args()
    for controller in options.controllers.split(","):
        row = {**measured(controller, options.trials, options.workers), **origin()}
        append(TABLE, row)
        print(controller, row["per_second"], row["last_tenth_per_second"], "trials a second", flush=True)


if __name__ == "__main__":
    main()
