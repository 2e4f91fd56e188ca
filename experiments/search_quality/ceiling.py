"""How far a search could come whose surrogate knew many more networks: what is left, it takes for noise.

    python experiments/search_quality/ceiling.py [--summary]

Needs the table (NAS_DATA, or the package nas-bench-graph). The networks of a data set are cut into two halves; the
Gaussian process of ``bo`` learns ``learned`` random ones of either half, for nothing, and says of all of the other
half what it expects. A search that took these in that order, the best first, would find after 50, 100 and 200 networks
what is recorded, as normalised validation regret (0 is the best of the table, 1 the median). It explores nothing and
pays for nothing that it knows, so to be as good with as few evaluations is a lot to ask. A row that is there is
skipped. The networks of proteins are too few for that.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from nasbench_graph import Table
from recording import append, origin, rows

from nas.predictors.registry import create

HERE = Path(__file__).parent
FILE = Path(__file__).with_suffix(".csv")
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["ceiling"]
AT_ONCE = 2000


def measure(table: Table, networks: list[Any], learned: int, seed: int) -> dict[str, str]:
    """The regret after each budget."""
    rng = np.random.default_rng(seed)
    halves = np.array_split(rng.permutation(len(networks)), 2)
    valid = np.array([table.valid[table.row(network)] for network in networks])
    expected = np.empty(len(networks))
    for mine, other in (halves, halves[::-1]):
        predictor = create("gp", table.plan.space, warp=True)
        some = rng.choice(other, learned, replace=False)
        predictor.fit([networks[i] for i in some], valid[some])
        for part in np.array_split(mine, len(mine) // AT_ONCE + 1):
            expected[part] = predictor.predict([networks[i] for i in part])[0]
    found = valid[np.argsort(-expected, kind="stable")]
    return {f"after_{n}": f"{table.regret('valid', found[:n].max()):.4f}" for n in SETTINGS["trials"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--summary", action="store_true", help="measure nothing")
    if not parser.parse_args().summary:
        for data in SETTINGS["data"]:
            table = Table(data)
            networks = list(dict.fromkeys(table.plan.space.canonical(a) for a in table.plan.space.enumerate()))
            done = {(row["data"], row["learned"], row["seed"]) for row in rows(FILE)}
            for learned, seed in product(SETTINGS["learned"], range(SETTINGS["seeds"])):
                if (data, str(learned), str(seed)) not in done:
                    about = {"data": data, "learned": learned, "seed": seed}
                    append(FILE, about | measure(table, networks, learned, seed) | origin())
                    print(about, flush=True)
    summarise()


def summarise() -> None:
    """Means over data sets, and the deviation of these between seeds."""
    print("learned  " + "".join(f"{n:>16d}" for n in SETTINGS["trials"]))
    for learned in SETTINGS["learned"]:
        mine = [row for row in rows(FILE) if row["learned"] == str(learned)]
        cells = []
        for n in SETTINGS["trials"]:
            by_seed = [
                np.mean([float(row[f"after_{n}"]) for row in mine if row["seed"] == str(seed)])
                for seed in range(SETTINGS["seeds"])
            ]
            cells.append(f"{np.mean(by_seed):8.3f} +- {np.std(by_seed, ddof=1):.3f}")
        print(f"{learned:<9d}" + "".join(cells), f" ({len(mine)} rows)")


if __name__ == "__main__":
    main()
