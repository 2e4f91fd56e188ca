"""How much faster the engine trains than a plain PyTorch Geometric loop, with the same networks and initial weights.

    python experiments/fast_evaluation/run.py [--part layers,sampled,...] [--data cora,...]

Both ways in one process, alternating, one thread, CPU seconds (others may use the machine); the ratio is that of the
medians of five runs each. A run has as many epochs as fit in about a second, at least five; both have the same, and the
engine's share of constant work per candidate (its programs, the weights of the best epoch) is included. ``accuracy``
runs whole trainings over seeds; ``memory`` measures the peak of fresh processes; ``workers`` wants an idle machine.
Finished rows are not run again.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from cases import Case, fixed, sampled, short
from loops import PlainLoop, engine
from recording import append, origin, rows
from torch_geometric.loader import DataLoader

from nas.data import load
from nas.evaluation.batches import steps
from nas.evaluation.engine.memory import keep_freed_memory
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.executors import LocalProcesses
from nas.evaluation.job import Job
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task

HERE = Path(__file__).parent
RUNS = 5
NODES = ("cora", "citeseer", "pubmed", "photo")
PARTS = {"layers": ("cora", "citeseer"), "sampled": NODES, "graphs": ("proteins", "nci1"), "digits": ("digits",)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", default="layers,digits,graphs,collation,sampled,memory,accuracy,workers")
    parser.add_argument("--data", default="")
    parser.add_argument("--n", type=int, default=20, help="architectures sampled from each space")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--longest", type=float, default=60.0, help="leave out networks whose plain epoch takes longer")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.child:
        return one(*options.child)
    keep_freed_memory()
    only = options.data.split(",") if options.data else []
    for part in options.part.split(","):
        if part == "accuracy":
            accuracy(options.seeds)
        elif part == "memory":
            memory()
        elif part == "collation":
            collation()
        elif part == "workers":
            workers()
        else:
            for data in PARTS[part]:
                if not only or data in only:
                    speed(part, data, options.n, options.longest)


def cases(part: str, task: Task, number: int) -> Iterator[Case]:
    if part in ("layers", "graphs"):
        yield from fixed(task)
    elif part == "digits":
        yield from fixed(task)
        yield from sampled("design", task, number // 2)
    else:
        for space in ("agnn", "design"):
            yield from sampled(space, task, number)


def speed(part: str, data: str, number: int, longest: float) -> None:
    """One row for each network that is not in the table yet."""
    table, task = HERE / "speed.csv", load(data)
    known = {(row["part"], row["data"], row["network"]) for row in rows(table)}
    plain, prepared = PlainLoop(task), prepare(task)
    for case in cases(part, task, number):
        if (part, data, case.name) in known:
            continue
        try:
            first, _ = plain.run(short(case, 1), 0)
            if first > longest:
                print(part, data, case.name, f"left out: {first:.1f} s for a plain epoch", flush=True)
                continue
            engine(prepared, short(case, 1), 0)
            epochs = max(5, min(50, 5 * round(1 / (5 * first))))
            timed = short(case, epochs)
            pairs = [(plain.run(timed, 0)[0], engine(prepared, timed, 0)[0]) for _ in range(RUNS)]
        except (RuntimeError, MemoryError) as error:  # the widest do not fit in memory with messages along every edge
            print(part, data, case.name, "left out:", str(error).splitlines()[0], flush=True)
            continue
        slow, fast = (statistics.median(times) / epochs for times in zip(*pairs, strict=True))
        ratios = [a / b for a, b in pairs]
        row = {
            "part": part,
            "data": data,
            "network": case.name,
            "plain_ms_per_epoch": round(slow * 1e3, 2),
            "engine_ms_per_epoch": round(fast * 1e3, 2),
            "ratio": round(slow / fast, 2),
            "lowest": round(min(ratios), 2),
            "highest": round(max(ratios), 2),
            "epochs": epochs,
            "runs": RUNS,
            "seed": 0,
            **origin(),
        }
        append(table, row)
        print(
            {k: row[k] for k in ("data", "network", "plain_ms_per_epoch", "engine_ms_per_epoch", "ratio")}, flush=True
        )


def accuracy(seeds: int) -> None:
    """Whole trainings of 200 epochs on Cora, both ways, over seeds."""
    table, task = HERE / "accuracy.csv", load("cora")
    known = {(row["network"], row["way"], int(row["seed"])) for row in rows(table)}
    plain, prepared = PlainLoop(task), prepare(task)
    for case in fixed(task):
        for seed in range(seeds):
            for way in ("plain", "engine"):
                if (case.name, way, seed) not in known:
                    whole = short(case, 200)
                    seconds, test = plain.run(whole, seed) if way == "plain" else engine(prepared, whole, seed)
                    row = {"data": "cora", "network": case.name, "way": way, "seed": seed, "epochs": 200}
                    append(table, {**row, "cpu_seconds": round(seconds, 2), "test": round(test, 4), **origin()})
                    print(row, round(seconds, 2), test, flush=True)


def collation() -> None:
    """An epoch of mini-batches without any training: ``DataLoader`` against the engine's."""
    table = HERE / "collation.csv"
    known = {row["data"] for row in rows(table)}
    for data in PARTS["graphs"]:
        if data in known:
            continue
        task = load(data)
        plain, prepared, recipe = PlainLoop(task), prepare(task), Recipe()
        times: dict[str, list[float]] = {"plain": [], "engine": []}
        for _ in range(RUNS):
            begin = time.process_time()
            for _ in DataLoader(plain.sets["train"], batch_size=recipe.batch_size, shuffle=True):
                pass
            times["plain"].append(time.process_time() - begin)
            begin = time.process_time()
            for batch in steps(prepared, recipe, torch.Generator()):
                batch.edge_index.graph.matrix("gcn")  # type: ignore[attr-defined]
            times["engine"].append(time.process_time() - begin)
        slow, fast = (1e3 * statistics.median(times[way]) for way in ("plain", "engine"))
        row = {"data": data, "batch_size": recipe.batch_size, "plain_ms": round(slow, 1), "engine_ms": round(fast, 1)}
        append(table, {**row, "ratio": round(slow / fast, 2), "runs": RUNS, **origin()})
        print(row, round(slow / fast, 2), flush=True)


def workers() -> None:
    """Candidates a minute of one and of two worker processes with a thread each: wall clock, on an idle machine."""
    table, task = HERE / "workers.csv", load("cora")
    jobs = [
        Job(case.text, replace(case.recipe, epochs=15), 0, ("accuracy",))
        for space in ("agnn", "design")
        for case in sampled(space, task, 12)
    ]
    for run in range(len(rows(table)), RUNS):
        minutes = {}
        for number in (1, 2):
            with LocalProcesses(task, "cpu", number, threads=1) as pool:
                wait([pool.submit(jobs[1]) for _ in range(2 * number)])  # until every worker has started
                begin = time.perf_counter()
                done = [pool.submit(job) for job in jobs]
                wait(done)
                minutes[number] = (time.perf_counter() - begin) / 60
                assert all(future.result().reason is None for future in done)
        one, two = (len(jobs) / minutes[number] for number in (1, 2))
        row = {"run": run, "data": "cora", "candidates": len(jobs), "one": round(one, 2), "two": round(two, 2)}
        append(table, {**row, "ratio": round(two / one, 2), **origin()})
        print(row, round(two / one, 2), flush=True)


def memory() -> None:
    """Peak resident memory of five epochs in a fresh process, less that of the process with the data loaded."""
    table = HERE / "memory.csv"
    known = {(row["data"], row["network"]) for row in rows(table)}
    for data in ("cora", "pubmed"):
        for name in ("gcn", "sage", "gin-mlp", "gat", "agnn 0", "agnn 1", "agnn 3", "design 0", "design 2", "design 7"):
            if (data, name) not in known:
                peaks: dict[str, Any] = {}
                for way in ("plain", "engine"):
                    child = [sys.executable, __file__, "--child", way, data, name]
                    done = subprocess.run(child, capture_output=True, text=True, check=True)
                    peaks[f"{way}_MiB"] = float(done.stdout.split()[-1])
                append(table, {"data": data, "network": name, **peaks, **origin()})
                print(data, name, peaks, flush=True)


def one(way: str, data: str, name: str) -> None:
    """Print the peak of one way of training, in MiB."""
    task = load(data)
    space, _, index = name.partition(" ")
    case = next(c for c in (sampled(space, task, int(index) + 1) if index else fixed(task)) if c.name == name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if way == "plain":
        PlainLoop(task).run(short(case, 5), 0)
    else:
        keep_freed_memory()
        engine(prepare(task), short(case, 5), 0)
    print(round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1))


if __name__ == "__main__":
    main()
