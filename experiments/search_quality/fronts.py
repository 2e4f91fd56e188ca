"""Two objectives on the table of NAS-Bench-Graph: how much the front of a search dominates.

    python experiments/search_quality/fronts.py [--seeds N] [--data cora ...]

Needs the table (NAS_DATA, or the package nas-bench-graph). Interrupted, it goes on where it was. The hypervolume is
that of validation and the logarithm of the cost, each scaled to 0..1 by the best and the median of the table (what is
worse than the median counts as nothing), as a share of what the front of the whole table dominates: 1 is the true one.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from on_table import search
from recording import append, origin, rows

from nas.evaluation.tables.base import Column
from nas.evaluation.tables.registry import column

HERE = Path(__file__).parent
TABLE = HERE / "fronts.csv"
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["fronts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SETTINGS["seeds"])
    parser.add_argument("--data", nargs="*", default=SETTINGS["data"])
    chosen = parser.parse_args()
    done = {(r["cost"], r["data"], r["controller"], int(r["seed"])) for r in rows(TABLE)}
    for seed in range(chosen.seeds):
        for (cost,) in SETTINGS["pairs"]:
            for data in chosen.data:
                for controller in SETTINGS["controllers"]:
                    if (cost, data, controller, seed) not in done:
                        for row in searched(data, cost, controller, seed):
                            append(TABLE, row | origin())
    show()


def searched(data: str, cost: str, controller: str, seed: int) -> list[dict[str, Any]]:
    """A row for each budget."""
    here = column("nasbench-graph", data)
    metric = here.task.metric
    result = search(data, controller, seed, max(SETTINGS["trials"]), objectives=(metric, f"-{cost}"))
    points = np.array([[r.trial.metrics[f"valid_{metric}"], r.trial.metrics[cost]] for r in result.records])
    volume = Volume(here, f"valid_{metric}", cost)
    return [
        {"cost": cost, "data": data, "controller": controller, "seed": seed, "trials": budget,
         "hypervolume": f"{volume(points[:budget]):.4f}"}
        for budget in SETTINGS["trials"]
    ]  # fmt: skip


class Volume:
    """What points dominate of all that can be dominated, between 0 and 1."""

    def __init__(self, here: Column, quality: str, cost: str) -> None:
        every = np.stack([here.numbers[quality], here.numbers[cost]], axis=1)
        every = every[np.isfinite(every).all(1)]
        self.quality = np.median(every[:, 0]), every[:, 0].max()
        self.cost = np.log(np.median(every[:, 1])), np.log(every[:, 1].min())
        self.whole = 1.0
        self.whole = self(every)

    def __call__(self, points: np.ndarray) -> float:
        x = (points[:, 0] - self.quality[0]) / (self.quality[1] - self.quality[0])
        y = (np.log(points[:, 1]) - self.cost[0]) / (self.cost[1] - self.cost[0])
        total, height = 0.0, 0.0
        for a, b in sorted(zip(x, y, strict=True), reverse=True):
            if a > 0 and b > height:
                total, height = total + a * (b - height), b
        return float(total / self.whole)


def show() -> None:
    """The mean over data sets of the means over seeds, with its standard error."""
    found = rows(TABLE)
    for cost in dict.fromkeys(r["cost"] for r in found):
        for budget in SETTINGS["trials"]:
            for controller in SETTINGS["controllers"]:
                mine = [
                    r for r in found if (r["cost"], int(r["trials"]), r["controller"]) == (cost, budget, controller)
                ]
                by_data = {
                    d: [float(r["hypervolume"]) for r in mine if r["data"] == d] for d in {r["data"] for r in mine}
                }
                means = np.array([np.mean(v) for v in by_data.values()])
                error = np.sqrt(sum(np.var(v, ddof=1) / len(v) for v in by_data.values() if len(v) > 1)) / len(by_data)
                print(f"{cost:8s} after {budget:3d} {controller:8s} {means.mean():.3f} +- {error:.3f} "
                      f"({min(map(len, by_data.values()))} seeds, {len(by_data)} data sets)")  # fmt: skip


if __name__ == "__main__":
    main()
