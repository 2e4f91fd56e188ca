"""What Ray costs per task, and what a second worker gains.

    python experiments/scale/on_ray.py [--trainings 12] [--tasks 200]

Overhead: networks are only made and counted, which takes some milliseconds, by one worker after the other; recorded is
the time of all without that which the jobs themselves took, per job. Speed-up: the same trainings of a second or more,
one thread each, on one Ray worker and on two. Each executor does its jobs once before they are timed, so that processes
have started. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

from nas.data import load
from nas.evaluation.executors import Executor, InProcess, LocalProcesses
from nas.evaluation.job import Job, Outcome
from nas.evaluation.ray_executor import RayWorkers
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find

TABLE = Path(__file__).with_name("ray.csv")


def timed(executor: Executor, jobs: list[Job]) -> tuple[float, list[Outcome]]:
    """Seconds of all jobs, and their outcomes; ``2 * slots - 1`` are out at a time."""
    begin, outcomes, out = time.perf_counter(), [], []
    for job in jobs:
        out.append(executor.submit(job))
        if len(out) == 2 * executor.slots - 1:
            outcomes.append(out.pop(0).result())
    outcomes += [future.result() for future in out]
    for outcome in outcomes:
        if outcome.reason is not None:
            sys.exit(f"a job failed: {outcome.reason}")
    return time.perf_counter() - begin, outcomes


def recorded(what: str, executor: Executor, name: str, jobs: list[Job], **more: Any) -> float:
    with executor:
        timed(executor, jobs)
        seconds, outcomes = timed(executor, jobs)
    own = [outcome.seconds for outcome in outcomes]
    row = {
        "what": what,
        "executor": name,
        "workers": executor.slots,
        "jobs": len(jobs),
        "seconds": round(seconds, 3),
        "job_seconds": round(statistics.fmean(own), 4),
        "overhead_ms": round(1000 * (seconds - sum(own)) / len(jobs), 2) if executor.slots == 1 else "",
        "speed_up": round(more["one"] / seconds, 3) if "one" in more else "",
        "busy": round(sum(own) / seconds / executor.slots, 3),
        "seed": 0,
        **origin(),
    }
    append(TABLE, row)
    print({key: row[key] for key in ("what", "executor", "workers", "seconds", "overhead_ms", "speed_up", "busy")})
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=600)
    options = parser.parse_args()
    task = load("digits")
    architecture = find("classic").for_task(task).known_good()[0]
    recipe = Recipe(epochs=options.epochs, patience=options.epochs)
    training = Job(source=source(architecture, task), recipe=recipe, seed=0, metrics=(task.metric,))
    counting = [replace(training, trains=False, latency=False, seed=seed) for seed in range(options.tasks)]
    recorded("overhead", InProcess(task, "cpu"), "process", counting)
    recorded("overhead", LocalProcesses(task, "cpu", 1, threads=1), "local", counting)
    recorded("overhead", RayWorkers(task, "local", 1, threads=1), "ray", counting)
    trainings = [replace(training, seed=seed) for seed in range(options.trainings)]
    one = recorded("speed-up", RayWorkers(task, "local", 1, threads=1), "ray", trainings)
    recorded("speed-up", RayWorkers(task, "local", 2, threads=1), "ray", trainings, one=one)


if __name__ == "__main__":
    main()
