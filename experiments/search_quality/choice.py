"""Is the architecture of which a predictor expects most a better choice than the best as measured?

    python experiments/search_quality/choice.py [--seeds N] [--data cora ...]

Needs the table (NAS_DATA, or the package nas-bench-graph). Interrupted, it goes on where it was. The same searches are
chosen from in both ways (``--choose best|posterior``); the regret is normalised, see ``nas.compare``.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from on_table import search
from recording import append, origin, rows

from nas.evaluation.tables.registry import column
from nas.study.choosing import in_order

HERE = Path(__file__).parent
TABLE = HERE / "choice.csv"
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["choice"]
DATA = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SETTINGS["seeds"])
    parser.add_argument("--data", nargs="*", default=DATA)
    chosen = parser.parse_args()
    done = {(r["data"], r["controller"], int(r["seed"])) for r in rows(TABLE)}
    for seed in range(chosen.seeds):
        for data in chosen.data:
            for controller in SETTINGS["controllers"]:
                if (data, controller, seed) not in done:
                    for row in searched(data, controller, seed):
                        append(TABLE, row | origin())
    show()


def searched(data: str, controller: str, seed: int) -> list[dict[str, Any]]:
    """A row for each budget and way to choose."""
    here = column("nasbench-graph", data)
    metric = here.task.metric
    result = search(data, controller, seed, max(SETTINGS["trials"]))
    found = []
    for budget in SETTINGS["trials"]:
        for choose in ("best", "posterior"):
            plan = replace(result.plan, settings=replace(result.plan.settings, choose=choose))
            taken = in_order(plan, result.records[:budget])[0].trial.metrics
            regrets = {s: here.regret(s, taken[f"{s}_{metric}"]) for s in ("valid", "test")}
            row = {"data": data, "controller": controller, "seed": seed, "trials": budget, "choose": choose}
            found.append(row | {f"{split}_regret": f"{regret:.4f}" for split, regret in regrets.items()})
    return found


def show() -> None:
    """Means over data sets, with and without proteins, and the mean difference with its standard error."""
    found = rows(TABLE)
    for controller in SETTINGS["controllers"]:
        for budget in SETTINGS["trials"]:
            mine = [r for r in found if (r["controller"], int(r["trials"])) == (controller, budget)]
            by = {
                choose: {(r["data"], r["seed"]): float(r["test_regret"]) for r in mine if r["choose"] == choose}
                for choose in ("best", "posterior")
            }
            gains = np.array([by["best"][key] - by["posterior"][key] for key in by["best"]])
            eight = [key for key in by["best"] if key[0] != "proteins"]
            print(
                f"{controller:10s} after {budget:3d}: test regret best {np.mean(list(by['best'].values())):.3f}, "
                f"posterior {np.mean(list(by['posterior'].values())):.3f}, gain {gains.mean():+.3f} +- "
                f"{gains.std(ddof=1) / len(gains) ** 0.5:.3f}; without proteins "
                f"{np.mean([by['best'][k] for k in eight]):.3f}, {np.mean([by['posterior'][k] for k in eight]):.3f}"
            )


if __name__ == "__main__":
    main()
