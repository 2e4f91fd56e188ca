"""What GAT, a member of the space, gets with the space's own recipe and with longer trainings.

    python experiments/agnn/recipe.py [--data cora citeseer pubmed]

Needs the data (NAS_DATA or a download). It separates the recipe and the space from the controller: what no search is
needed for. GAT: Velickovic et al., ICLR 2018, section 3.3. Ten seeds each; finished rows are skipped.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

from nas.data import load
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.study.summary import Summary

TABLE = Path(__file__).parent / "recipe.csv"
SEEDS = range(100, 110)
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"epochs": 500, "patience": 100},
    {"lr": 0.005},
    {"lr": 0.005, "epochs": 1000, "patience": 100},
)
"""Of the space's recipe; the last one is near GAT's own."""
LAYER = {"aggregate": "sum", "combine": "identity", "attention": "gat"}
KNOBS = {
    **{f"layers.0.{knob}": value for knob, value in {**LAYER, "hidden": 8, "heads": 8, "activation": "elu"}.items()},
    **{f"layers.1.{knob}": value for knob, value in {**LAYER, "hidden": 4, "activation": "linear"}.items()},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="*", default=["cora", "citeseer", "pubmed"])
    done = {(row["data"], row["lr"], row["epochs"], row["patience"]) for row in rows(TABLE)}
    for data in parser.parse_args().data:
        task = prepare(load(data))
        space = find("agnn").for_task(task)
        gat = space.from_knobs(KNOBS | {"layers.1.heads": 8 if data == "pubmed" else 1})  # as in the paper
        for change in CHANGES:
            recipe = replace(gat.recipe(Recipe(), task), **change)
            said = {"data": data, "lr": recipe.lr, "epochs": recipe.epochs, "patience": recipe.patience}
            if tuple(map(str, said.values())) not in done:
                append(TABLE, said | trained(source(gat, task), recipe, task) | origin())


def trained(text: str, recipe: Recipe, task: Task) -> dict[str, Any]:
    found = [evaluate(Job(text, recipe, seed, ("accuracy",)), task).metrics for seed in SEEDS]
    row: dict[str, Any] = {"seeds": len(SEEDS)}
    for split in ("valid", "test"):
        each = Summary.of([metrics[f"{split}_accuracy"] for metrics in found])
        row |= {f"{split}_mean": round(each.mean, 4), f"{split}_deviation": round(each.deviation, 4)}
    print(recipe, row, flush=True)
    return row


if __name__ == "__main__":
    main()
