"""Does screening pay? The best found in equal wall-clock time, with and without it.

    python experiments/zerocost/pays.py [--runs DIR] [--data cora ...] [--controllers ...] [--screens ...]

Needs the data (NAS_DATA or a download). Interrupted, it goes on where it was; finished rows are skipped. Every search
has the same seconds, screening included, one process and one thread; the best by validation is reported with the test
score of the same training, which is read for it alone. The order of the searches is such that rivals run one after
the other, so that a slow hour of the machine meets all of them.
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
import torch
from recording import append, origin, rows

import nas
from nas.study.folder import RunFolder
from nas.study.records import ranked, searched

HERE = Path(__file__).parent
TABLE = HERE / "pays.csv"
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["pays"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--data", nargs="*", default=SETTINGS["data"])
    parser.add_argument("--controllers", nargs="*", default=SETTINGS["controllers"])
    parser.add_argument("--screens", nargs="*", default=SETTINGS["screens"])
    parser.add_argument("--seeds", nargs="*", type=int, default=SETTINGS["seeds"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    done = {(r["data"], r["controller"], r["screen"], int(r["seed"])) for r in of_space(SETTINGS["space"])}
    for seed, data, controller, screen in product(chosen.seeds, chosen.data, chosen.controllers, chosen.screens):
        if (data, controller, screen, seed) not in done:
            append(TABLE, searched_for(Path(chosen.runs), data, controller, screen, seed) | origin())
    for space in dict.fromkeys(row["space"] for row in rows(TABLE)):
        show(space)


def of_space(space: str) -> list[dict[str, str]]:
    return [row for row in rows(TABLE) if row["space"] == space]


def searched_for(root: Path, data: str, controller: str, screen: str, seed: int) -> dict[str, Any]:
    settings = {"space": SETTINGS["space"], "seconds": SETTINGS["seconds"], "seed": seed}
    if screen != "none":
        settings |= {"screen": screen, "pool": SETTINGS["pool"]}
    name = f"pays-{SETTINGS['space']}-{data}-{controller}-{screen.replace(',', '-').replace(':', '')}-{seed}"
    if RunFolder(root, name).exists():
        result = nas.resume(name, runs=root)
    else:
        result = nas.search(data, controller=controller, name=name, runs=root, **settings)
    best = ranked(result.records)[0].trial
    metric = result.plan.task.metric
    row = {
        "data": data,
        "space": SETTINGS["space"],
        "controller": controller,
        "screen": screen,
        "seconds": SETTINGS["seconds"],
        "trials": len(searched(result.records)),
        "valid": round(best.metrics[f"valid_{metric}"], 4),
        "test": round(best.metrics[f"test_{metric}"], 4),
        "trial": best.number,
        "seed": seed,
    }
    print(row, flush=True)
    return row


def show(space: str) -> None:
    """Mean and deviation over seeds, and over all data sets the mean difference to no screening."""
    found = {(r["data"], r["controller"], r["screen"], r["seed"]): r for r in of_space(space)}
    of = sorted({key[:3] for key in found})
    print(f"\n{space}")
    for data, controller, screen in of:
        mine = [r for key, r in found.items() if key[:3] == (data, controller, screen)]
        valid, test, trials = (np.array([float(r[k]) for r in mine]) for k in ("valid", "test", "trials"))
        print(
            f"{data:10s} {controller:10s} {screen:14s} {len(mine)} seeds, {trials.mean():6.1f} trials, validation "
            f"{valid.mean():.4f} +- {valid.std():.4f}, test {test.mean():.4f} +- {test.std():.4f}"
        )
    data_sets = dict.fromkeys(key[0] for key in found)
    for screen, split in product(sorted({key[2] for key in found} - {"none"}), ("valid", "test")):
        gains: dict[str, Any] = {data: np.array(_gains(found, screen, data, split)) for data in data_sets}
        gains["all"] = np.concatenate(list(gains.values()))
        for data, gain in gains.items():
            print(
                f"{screen:14s} {split:5s} gain over no screening, {data:8s} {gain.mean():+.4f} +- "
                f"{gain.std(ddof=1) / len(gain) ** 0.5:.4f} (standard error of {len(gain)} pairs)"
            )


def _gains(found: dict[Any, dict[str, str]], screen: str, data: str, split: str) -> list[float]:
    """Of each search with the screen over the one without it."""
    return [
        float(row[split]) - float(found[(*key[:2], "none", key[3])][split])
        for key, row in found.items()
        if key[0] == data and key[2] == screen and (*key[:2], "none", key[3]) in found
    ]


if __name__ == "__main__":
    main()
