"""What Ray costs per task, what a second worker gains, and what is lost with a machine.

    python experiments/scale/on_ray.py [overhead speed-up lost] [--trainings 12] [--tasks 200] [--trials 16]

Overhead: networks are only made and counted, which takes some milliseconds, by one worker after the other; recorded is
the time of all without that which the jobs themselves took, per job. Speed-up: the same trainings of a second or more,
one thread each, on one Ray worker and on two. Each executor does its jobs once before they are timed, so that processes
have started. Lost (``lost.csv``): a search on a cluster of two machines with one CPU each, both on this very one, of
which the second is unplugged when a quarter of the trials is stored. Run it where nothing else runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

import nas
from nas.data import load
from nas.evaluation import ray_executor
from nas.evaluation.executors import Executor, InProcess, LocalProcesses
from nas.evaluation.job import Job, Outcome
from nas.evaluation.ray_executor import RayWorkers
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find
from nas.study.records import Record
from nas.study.watching import Silent

TABLE, LOST = Path(__file__).with_name("ray.csv"), Path(__file__).with_name("lost.csv")
PARTS = ("overhead", "speed-up", "lost")
MACHINE: dict[str, Any] = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}


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


class PullsThePlug(Silent):
    """Takes a machine out of the cluster after so many trials."""

    def __init__(self, cluster: Any, machine: Any, after: int) -> None:
        self.cluster, self.machine, self.after = cluster, machine, after

    def recorded(self, record: Record) -> None:
        if record.trial.number + 1 == self.after:
            self.cluster.remove_node(self.machine, allow_graceful=False)


def lose_a_machine(trials: int, epochs: int) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=MACHINE)
    reasons, why = list[str](), ray_executor.why

    def heard(error: Any) -> str:
        reasons.append(why(error))
        return reasons[-1]

    ray_executor.why = heard
    watcher, begin = PullsThePlug(cluster, cluster.add_node(**MACHINE), trials // 4), time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        records = nas.search(
            "digits",
            space="classic",
            controller="random",
            trials=trials,
            epochs=epochs,
            patience=epochs,
            executor="ray",
            ray_address=cluster.address,
            workers=2,
            runs=runs,
            watcher=watcher,
        ).records
    cluster.shutdown()
    row = {
        "what": "one machine of two lost",
        "trials": trials,
        "machine_lost_after": watcher.after,
        "finished": sum(record.trial.values is not None for record in records),
        "failed": sum(record.trial.values is None for record in records),
        "lost": len(set(range(trials)) - {record.trial.number for record in records}),
        "retried": len(reasons),
        "because": "; ".join(sorted(set(reasons))),
        "seconds": round(time.perf_counter() - begin, 1),
        "job_seconds": round(statistics.fmean(record.trial.seconds for record in records), 3),
        "seed": 0,
        **origin(),
    }
    append(LOST, row)
    print(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}; all without one")
    parser.add_argument("--trials", type=int, default=16, help="of the search that loses a machine")
    parser.add_argument("--trainings", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=600)
    options = parser.parse_args()
    task = load("digits")
    architecture = find("classic").for_task(task).known_good()[0]
    recipe = Recipe(epochs=options.epochs, patience=options.epochs)
    training = Job(source=source(architecture, task), recipe=recipe, seed=0, metrics=(task.metric,))
    counting = [replace(training, trains=False, latency=False, seed=seed) for seed in range(options.tasks)]
    parts = options.parts or PARTS
    if "overhead" in parts:
        recorded("overhead", InProcess(task, "cpu"), "process", counting)
        recorded("overhead", LocalProcesses(task, "cpu", 1, threads=1), "local", counting)
        recorded("overhead", RayWorkers(task, "local", 1, threads=1), "ray", counting)
    if "speed-up" in parts:
        trainings = [replace(training, seed=seed) for seed in range(options.trainings)]
        one = recorded("speed-up", RayWorkers(task, "local", 1, threads=1), "ray", trainings)
        recorded("speed-up", RayWorkers(task, "local", 2, threads=1), "ray", trainings, one=one)
    if "lost" in parts:
        lose_a_machine(options.trials, options.epochs)


if __name__ == "__main__":
    main()
