"""How good searches are on the table of NAS-Bench-Graph: regret, the parts of bo, and DesiGNN's protocol.

    python experiments/search_quality/compare.py regret|parts|designn [--workers 2] [--runs DIR] [--seeds N]

Needs the table (NAS_DATA, or the package nas-bench-graph). It is ``nas compare`` with the settings of settings.toml:
interrupted, it goes on where it was (the finished searches are kept in ``runs`` here), and what is finished is summed
up in PART.csv, each time anew. With ``designn`` the search is rewarded with the test metric, as that protocol has it,
so those numbers compare with published ones alone; there "valid" is test.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin

import nas
from nas.comparison.comparison import Comparison
from nas.data.places import data_folders
from nas.evaluation.tables.nasbench_graph import FILE

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["regret", "parts", "designn"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", default=HERE / "runs")
    parser.add_argument("--seeds", type=int)
    chosen = parser.parse_args()
    asked = SETTINGS[chosen.part]
    found = nas.compare(
        asked.get("data", SETTINGS["data"]),
        controllers=asked["controllers"],
        table=str(rewarding_test(Path(chosen.runs))) if chosen.part == "designn" else "nasbench-graph",
        trials=asked["trials"],
        seeds=chosen.seeds or asked["seeds"],
        workers=chosen.workers,
        name=f"search-quality-{chosen.part}",
        runs=chosen.runs,
    )
    record(found, HERE / f"{chosen.part}.csv")
    print(found.page)


def rewarding_test(folder: Path) -> Path:
    """The table with test in the place of validation, in a file."""
    here = next(f / "nasbench_graph" / FILE for f in data_folders(None) if (f / "nasbench_graph" / FILE).is_file())
    with np.load(here, allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    file = folder / "rewarding-test.npz"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **(held | {"valid": held["test"]}))
    return file


def record(found: Comparison, file: Path) -> None:
    """The means over data sets after each budget, and per data set."""
    file.unlink(missing_ok=True)
    for row in found.rows:
        regrets = {}
        if row.valid_regret is not None and row.test_regret is not None:
            both = {"valid_regret": row.valid_regret, "test_regret": row.test_regret}
            regrets = {name: mean.value for name, mean in both.items()}
            regrets |= {f"{name}_deviation": mean.spread for name, mean in both.items()}
        append(
            file,
            {"controller": row.controller, "data": row.data, "trials": row.trials, "seeds": row.seeds}
            | {name: f"{value:.4f}" for name, value in regrets.items()}
            | {"valid": f"{row.valid.value:.5f}", "test": f"{row.test.value:.5f}"}
            | {"seconds": f"{found.seconds[row.controller]:.4f}"}
            | origin(),
        )
    for table in found.tables:
        print(table.title, "after", *found.budgets, f"(+- {table.spread})")
        for controller, means in table.rows.items():
            print(f"  {controller:40s}", *(f"{mean.value:.3f} +- {mean.spread:.3f}" for mean in means))


if __name__ == "__main__":
    main()
