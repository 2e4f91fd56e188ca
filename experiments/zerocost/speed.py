"""GradSign on the 140 labelled nodes of Cora: one pass over their ego-networks against one pass per node.

    python experiments/zerocost/speed.py [operator ...] [--rank 1000]

Needs the data (NAS_DATA or a download). Networks of two layers, 64 wide (attention with 8 heads). CPU seconds of one
thread; of the fast way the median of seven, once what all candidates share is built (``build_ms``, once per data set
and depth); of the loop once. ``peak_mib`` is what the process grows by while the score is computed, from its highest
resident size. ``rank`` scores architectures of the space ``agnn`` on all 140 nodes and on 64 of them, the default of
the proxy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import torch
import torch.nn.functional as F
from recording import append, origin

from nas.data import load
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace import Network, Value, architecture, choice
from nas.searchspace.source import load as load_source
from nas.searchspace.source import module, source
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.zerocost.gradsign import gradsign
from nas.zerocost.items import Items

HERE = Path(__file__).parent
ALL = Items("train")
OPERATORS = ("gcn", "gat", "sage", "gin", "gatv2", "transformer", "gin-mlp", "graph", "cheb", "arma", "tag", "sg")
HEADS = {"gat": 8, "gatv2": 8, "transformer": 8}
SEED = 0


@architecture
class Two:
    """Two layers of one operator."""

    operator: str = choice(*OPERATORS)

    def network(self, net: Network) -> Value:
        heads = HEADS.get(self.operator)
        x = net.activation("relu", net.operator(self.operator, net.x, 64, heads=heads))
        return net.scores(net.operator(self.operator, x, net.outputs, heads=heads and 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operators", nargs="*", default=OPERATORS)
    parser.add_argument("--rank", type=int, default=0)
    chosen = parser.parse_args()
    for operator in chosen.operators:
        append(HERE / "speed.csv", _apart(compared, operator) | origin())
    if chosen.rank:
        for name, items in (("all 140", ALL), ("default", None)):
            append(HERE / "rank.csv", _apart(ranked, chosen.rank, name, items) | origin())


def _apart(function: Any, *arguments: Any) -> dict[str, Any]:
    """In a process of its own, so that the highest resident size is that of this alone."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row: dict[str, Any] = pool.apply(function, arguments)
    print(row, flush=True)
    return row


def compared(operator: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    task = load("cora")
    prepared = prepare(task)
    torch.manual_seed(SEED)
    model = module(Two(operator=operator), task)
    with lowered(model, SEED):
        gradsign(model, prepared, items=Items("train", most=2))  # what the process loads when first asked
        before = psutil.Process().memory_info().rss
        first = _seconds(lambda: gradsign(model, prepared, items=ALL))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        fast = statistics.median(_seconds(lambda: gradsign(model, prepared, items=ALL)) for _ in range(7))
        score = gradsign(model, prepared, items=ALL)
    begin = time.process_time()
    reference = naive(model, task)
    slow = time.process_time() - begin
    model, task = model.double(), _double(task)
    return {
        "operator": operator,
        "fast_ms": round(1e3 * fast, 1),
        "build_ms": round(1e3 * (first - fast), 1),
        "naive_ms": round(1e3 * slow, 1),
        "ratio": round(slow / fast, 1),
        "peak_mib": round(peak / 2**20, 1),
        "relative_difference_float32": f"{abs(score - reference) / reference:.1e}",
        "difference_float64": abs(gradsign(model, task, items=ALL) - naive(model, task)),
        "score": score,
    }


def naive(model: torch.nn.Module, task: Task) -> float:
    """A forward and a backward pass over the whole graph for every labelled node."""
    model.eval()
    (batch,) = task.train
    assert batch.index is not None
    parameters = list(model.parameters())
    total = [torch.zeros_like(p) for p in parameters]
    for item, row in enumerate(batch.index.tolist()):
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(batch.x, batch.edge_index)[row : row + 1], batch.y[item : item + 1]).backward()  # type: ignore[no-untyped-call]
        for signs, p in zip(total, parameters, strict=True):
            if p.grad is not None:
                signs += p.grad.sign()
    return sum(signs.abs().sum().item() for signs in total)


def ranked(n: int, name: str, items: Items | None) -> dict[str, Any]:
    torch.set_num_threads(1)
    task = load("cora")
    prepared, space, rng = prepare(task), find("agnn").for_task(task), random.Random(SEED)
    texts = [source(space.sample(rng), task) for _ in range(n)]
    begin, cpu = time.perf_counter(), time.process_time()
    for text in texts:
        model = load_source(text)()
        with lowered(model, SEED):
            gradsign(model, prepared, items=items)
    return {
        "space": "agnn",
        "data": "cora",
        "items": name,
        "architectures": n,
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds": round(time.perf_counter() - begin, 1),
        "seed": SEED,
    }


def _double(task: Task) -> Task:
    batches = {
        split: tuple(b.map(lambda t: t.double() if t.is_floating_point() else t) for b in task.batches(split))
        for split in ("train", "valid", "test")
    }
    return replace(task, **batches)  # type: ignore[arg-type]


def _seconds(run: Any) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
