"""What a search costs besides training: ask, store, tell and progress, per trial.

    python experiments/overhead/run.py [--trials 1000]

Every controller runs the ordinary study on the `agnn` space with the default store; the evaluator returns at once with
made-up numbers. The time of the first and of the last hundred trials is recorded beside the mean.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin
from rich.console import Console

from nas.cli.progress import SearchProgress
from nas.evaluation.job import Job, Outcome
from nas.settings import Settings
from nas.study.beginning import start
from nas.study.folder import RunFolder
from nas.study.plan import make_plan
from nas.study.records import Record

TABLE = Path(__file__).with_name("results.csv")


class AtOnce:
    """An executor that trains nothing."""

    slots = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def submit(self, job: Job) -> Future[Outcome]:
        value = (hash(job.source) % 10_000) / 10_000
        future: Future[Outcome] = Future()
        future.set_result(Outcome({"valid_accuracy": value, "test_accuracy": value, "params": 1.0, "seconds": 0.0}))
        return future


class Clock(SearchProgress):
    """The progress bar, and when each trial was recorded."""

    def started(self, records: Sequence[Record]) -> None:
        super().started(records)
        self.times = [time.perf_counter()]

    def recorded(self, record: Record) -> None:
        super().recorded(record)
        self.times.append(time.perf_counter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--controllers", default="random,evolution,local-search,tpe,nsga2,cmaes")
    options = parser.parse_args()
    for controller in options.controllers.split(","):
        settings = Settings(data="digits", space="agnn", controller=controller, trials=options.trials)
        plan = make_plan(settings)
        with tempfile.TemporaryDirectory() as scratch:
            folder = RunFolder(Path(scratch), "overhead")
            folder.create(settings)
            console = Console(file=io.StringIO(), force_terminal=True)
            with folder.lock(), Clock(console, settings, plan.objectives) as clock:
                start(plan, folder, clock).run(AtOnce())
        steps = [1000 * (b - a) for a, b in zip(clock.times, clock.times[1:], strict=False)]
        append(
            TABLE,
            {
                "controller": controller,
                "trials": len(steps),
                "ms_per_trial": round(sum(steps) / len(steps), 2),
                "first_100": round(sum(steps[:100]) / 100, 2),
                "last_100": round(sum(steps[-100:]) / 100, 2),
                "store": "journal file",
                "seed": settings.seed,
                **origin(),
            },
        )
        print(controller, round(sum(steps) / len(steps), 2), "ms", flush=True)


if __name__ == "__main__":
    main()
