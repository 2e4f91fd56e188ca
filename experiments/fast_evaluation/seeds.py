"""Ten seeds of one architecture: one after the other through the engine, or as one network with stacked weights.

    OMP_NUM_THREADS=1 python experiments/fast_evaluation/seeds.py [--rounds 5] [--work all]

Both ways train the same source with the same recipe on one thread, in turns within one process, for a fixed number of
epochs without early stopping. A row holds the median processor seconds of each way, the ratio of both, and the test
accuracy of each over the seeds. Rings with chords of 50 to 200 nodes, made here, show up to which size a stack pays on
a CPU. The digits are embedded; Cora needs NAS_DATA or a download. Graph-level tasks have one way only: each seed
shuffles its mini-batches in its own way. Nothing here says anything of a GPU.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from recording import append, origin
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from nas.data import load
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job, Outcome
from nas.evaluation.seeds import evaluate_stacked, refusal, size
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task

TABLE = Path(__file__).with_name("seeds.csv")
SEEDS = range(10)
RINGS = {"ring-50": 50, "ring-100": 100, "ring-200": 200}
EPOCHS = {**dict.fromkeys(RINGS, 40), "digits": 6, "cora": 3}
SAMPLE = 3
"""Seed of the architecture that is sampled from a space."""


class Two:
    """Two layers with 64 channels, the last one on its way to the classes, and dropout before each."""

    def __init__(self, name: str, **settings: Any) -> None:
        self.name, self.settings = name, settings

    def network(self, net: Network) -> Value:
        x = net.operator(self.name, net.dropout(0.5, net.x), 64, **self.settings)
        return net.operator(self.name, net.dropout(0.5, net.activation("relu", x)), 64, **self.settings)


def architectures() -> dict[str, Any]:
    """What is trained: three operators, and one architecture of each of two spaces."""
    operators = {"gcn": Two("gcn"), "gat 8 x 8": Two("gat", heads=8), "sage": Two("sage")}
    spaces = {f"{name} sample": find(name).sample(random.Random(SAMPLE)) for name in ("design", "agnn")}
    return operators | spaces


def task(name: str) -> Task:
    """A ring with as many chords whose features hint at one of three classes, or a data set."""
    if name not in RINGS:
        return load(name)
    nodes, generator = RINGS[name], torch.Generator().manual_seed(0)
    y = torch.arange(nodes) % 3
    x = torch.randn(nodes, 16, generator=generator) + torch.nn.functional.one_hot(y, 16)
    ring = torch.stack([torch.arange(nodes), (torch.arange(nodes) + 1) % nodes])
    chords = torch.randint(nodes, (2, nodes), generator=generator)
    return load(Data(x=x, edge_index=to_undirected(torch.cat([ring, chords], 1), num_nodes=nodes), y=y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default=",".join(EPOCHS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.work.split(","):
        data = task(name)
        prepared = prepare(data)
        for label, architecture in architectures().items():
            recipe = Recipe(epochs=EPOCHS[name], patience=EPOCHS[name])
            job = Job(source(architecture, data), recipe, 0, (data.metric,))
            row = {
                "work": name,
                "nodes": len(data.train[0].x),
                "size": size(data),
                "architecture": label,
                "epochs": recipe.epochs,
                "seeds": len(SEEDS),
                "rounds": options.rounds,
                **compared(job, prepared, options.rounds),
                "rule": "stacked" if refusal(job, len(SEEDS), data) is None else "one after the other",
                "sample_seed": SAMPLE,
                **origin(),
            }
            append(TABLE, row)
            print(row, flush=True)


def compared(job: Job, prepared: Task, rounds: int) -> dict[str, float]:
    """Median seconds of both ways, in turns after a first round that is not counted."""
    ways: dict[str, Callable[[], list[Outcome]]] = {
        "alone": lambda: [evaluate(replace(job, seed=seed), prepared) for seed in SEEDS],
        "stacked": lambda: evaluate_stacked(job, SEEDS, prepared),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    accuracy: dict[str, float] = {}
    gc.collect()
    gc.freeze()  # else each training pays for looking through what was imported
    for number in range(rounds + 1):
        for way, run in ways.items():
            begin = time.process_time()
            outcomes = run()
            if number:
                seconds[way].append(time.process_time() - begin)
            accuracy[way] = statistics.fmean(outcome.metrics["test_accuracy"] for outcome in outcomes)
    median = {way: statistics.median(values) for way, values in seconds.items()}
    return {
        "seconds_alone": round(median["alone"], 3),
        "seconds_stacked": round(median["stacked"], 3),
        "stacked_is_faster_by": round(median["alone"] / median["stacked"], 2),
        "accuracy_alone": round(accuracy["alone"], 3),
        "accuracy_stacked": round(accuracy["stacked"], 3),
    }


if __name__ == "__main__":
    main()
