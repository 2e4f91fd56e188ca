"""How good searches are whose candidates a diffusion model generates: on the table, and with real trainings.

    python experiments/diffusion/search.py table|trained [--seeds N] [--workers 2] [--runs DIR]

Needs NAS_DATA. It is ``nas compare`` with the settings of settings.toml: interrupted, it goes on where it was (the
finished searches are kept in ``runs`` here), and what is finished is summed up in search_PART.csv, each time anew.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

import nas

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["table", "trained"])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--runs", default=HERE / "runs")
    given = parser.parse_args()
    asked = SETTINGS["search"][given.part]
    found = nas.compare(
        asked["data"],
        controllers=asked["controllers"],
        table=asked.get("table"),
        space=asked.get("space"),
        trials=asked["trials"],
        seeds=given.seeds or asked["seeds"],
        workers=given.workers,
        name=f"diffusion-{given.part}",
        runs=given.runs,
        told=lambda one: print(one.controller, one.data, one.seed, flush=True),
    )
    file = HERE / f"search_{given.part}.csv"
    file.unlink(missing_ok=True)
    for row in found.rows:
        regret = {} if row.valid_regret is None else {"valid_regret": f"{row.valid_regret.value:.4f}"}
        append(
            file,
            {"controller": row.controller, "data": row.data, "trials": row.trials, "seeds": row.seeds}
            | regret
            | {"valid": f"{row.valid.value:.5f}", "valid_deviation": f"{row.valid.spread:.5f}"}
            | {"test": f"{row.test.value:.5f}", "test_deviation": f"{row.test.spread:.5f}"}
            | origin(),
        )
    for table in found.tables:
        print(table.title, "after", *found.budgets, f"(+- {table.spread})")
        for controller, means in table.rows.items():
            print(f"  {controller:32s}", *(f"{mean.value:.3f} +- {mean.spread:.3f}" for mean in means))


if __name__ == "__main__":
    main()
