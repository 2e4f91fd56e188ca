"""Regret of ``agnn`` and ``reinforce`` on the table of NAS-Bench-Graph, beside random search and evolution.

    python experiments/agnn/table.py [--variants agnn random ...] [--data cora ...] [--summary]

Needs the table (NAS_DATA/nasbench_graph/nasbench_graph.npz). One row for each variant, data set and budget: mean and
deviation over seeds of the normalised regret of validation (0 is the best network, 1 the median) and of test. A row
that is there is skipped, so an interrupted run goes on. ``--summary`` prints the means over the data sets.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nasbench_graph import Table, search
from recording import append, origin, rows

FILE = Path(__file__).with_name("table.csv")
BUDGETS = (50, 100, 200, 400)
MAIN, ABLATION = 30, 10
"""Seeds of the comparison, and of what takes one part of a method away."""

VARIANTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "random": ("random", {}, MAIN),
    "evolution": ("evolution", {}, MAIN),
    "reinforce": ("reinforce", {}, MAIN),
    "agnn": ("agnn", {}, MAIN),
    "agnn, as published": ("agnn", {"initial": 1, "changes": 99, "guide": "softmax", "lr": 3.5e-4}, ABLATION),
    "agnn, largest entropy": ("agnn", {"guide": "largest"}, ABLATION),
    "agnn, whole classes": ("agnn", {"changes": 99}, ABLATION),
    "agnn, no learning": ("agnn", {"lr": 1e-12}, ABLATION),
    "reinforce, as published": ("reinforce", {"lr": 3.5e-4, "entropy": 1e-4}, ABLATION),
    "reinforce, no learning": ("reinforce", {"lr": 1e-12}, ABLATION),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--data", nargs="*", default=Table.names())
    parser.add_argument("--summary", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if not chosen.summary:
        done = {(row["variant"], row["data"]) for row in rows(FILE)}
        for data in chosen.data:
            table = Table(data)
            for variant in chosen.variants:
                if (variant, data) not in done:
                    measure(table, data, variant)
    summary()


def measure(table: Table, data: str, variant: str) -> None:
    """All seeds of one variant on one data set."""
    controller, options, seeds = VARIANTS[variant]
    runs = [search(table, controller, seed, BUDGETS, **options) for seed in range(seeds)]
    for position, budget in enumerate(BUDGETS):
        valid, test = ([getattr(run[position], split) for run in runs] for split in ("valid", "test"))
        row = {"variant": variant, "data": data, "evaluations": budget, "seeds": seeds}
        for split, values in (("valid", valid), ("test", test)):
            row[f"{split}_regret"] = round(statistics.fmean(values), 4)
            row[f"{split}_deviation"] = round(statistics.stdev(values), 4)
        append(FILE, row | {"options": " ".join(f"{k}={v}" for k, v in options.items())} | origin())
    print(variant, data, flush=True)


def summary() -> None:
    """Means over the data sets, of the variants that were run on all of them."""
    table, every = rows(FILE), set(Table.names())
    print(f"{'validation / test regret':26}" + "".join(f"{budget:>15}" for budget in BUDGETS))
    for variant in VARIANTS:
        own = [row for row in table if row["variant"] == variant]
        if {row["data"] for row in own} != every:
            continue
        cells = []
        for budget in BUDGETS:
            at = [row for row in own if int(row["evaluations"]) == budget]
            valid, test = (statistics.fmean(float(r[f"{split}_regret"]) for r in at) for split in ("valid", "test"))
            cells.append(f"{valid:.3f} / {test:.3f}")
        print(f"{variant:26}" + "".join(f"{cell:>15}" for cell in cells))


if __name__ == "__main__":
    main()
