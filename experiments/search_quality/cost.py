"""What a proposal of ``bo`` costs as trials accumulate, without any evaluation.

    python experiments/search_quality/cost.py

Needs no data: the space is nasbench-graph on the description of Cora, and values are drawn. One thread; the median of
ten proposals after so many trials, and the first one, which writes a thousand networks down.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from recording import append, origin
from threadpoolctl import threadpool_limits

from nas.controllers import Problem, Trial, create
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task

TABLE = Path(__file__).parent / "cost.csv"
AFTER, EACH = (10, 50, 100, 200, 400), 10
TASK = Task("cora", "node", "multiclass", 1433, 7, "accuracy", "public", identity="described")
CONTROLLERS = {
    "bo": {},
    "bo:predictor=forest": {"predictor": "forest"},
    "bo:predictor=ensemble": {"predictor": "ensemble"},
}


def main() -> None:
    torch.set_num_threads(1)
    TABLE.unlink(missing_ok=True)
    with threadpool_limits(1):
        for label, options in CONTROLLERS.items():
            for after, seconds in taken(options):
                append(TABLE, {"controller": label, "trials": after, "seconds": f"{seconds:.4f}"} | origin())
                print(label, after, f"{seconds:.3f} s", flush=True)


def taken(options: dict[str, str]) -> list[tuple[int, float]]:
    """Seconds of a proposal after so many trials; the first model comes after the tenth."""
    space, rng, found = find("nasbench-graph").for_task(TASK), random.Random(0), list[tuple[int, float]]()
    drawn = dict.fromkeys(space.canonical(space.sample(rng)) for _ in range(2 * max(AFTER)))
    told = [Trial(n, a, (rng.random() + sum(node.op == "gcn" for node in a.nodes),)) for n, a in enumerate(drawn)]
    controller, known = create("bo", Problem(space, 0, 1, TASK), **options), 0
    for after in AFTER:
        controller.tell(told[known:after])
        known, seconds = after, list[float]()
        for _ in range(1 if after == AFTER[0] else EACH):
            begin = time.perf_counter()
            proposed = controller.ask(1)
            seconds.append(time.perf_counter() - begin)
            controller.forget(proposed)  # type: ignore[attr-defined]
        found.append((after, statistics.median(seconds)))
    return found


if __name__ == "__main__":
    main()
