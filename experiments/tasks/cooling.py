"""What cooling down at the time limit gives to a training that its limit cuts.

    python experiments/tasks/cooling.py [--data lipo,tox21,nci1] [--seeds 2] [--seconds 20]

The default GIN of ``fit.py`` with a constant learning rate, on split seed 0, with and without cooling over the last
share of the time, one after the other with each seed. cooling.csv gets a row for each way and data set: means over
seeds; ``epochs`` is their mean, too.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fit import DEFAULT, asked
from recording import append, origin

from nas.evaluation import cooling
from nas.evaluation.evaluate import evaluate
from nas.study.automatic import automatic_plan
from nas.training import job, prepared

TABLE = Path(__file__).with_name("cooling.csv")
WAYS = {"cut off": 1e-9, "cooled": cooling.COOLED}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="lipo,tox21,nci1")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    for data in given.data.split(","):
        plan = automatic_plan(180, {**asked(data), "split_seed": 0, "split": "random"})
        task, metric = prepared(plan), plan.task.metric
        plain = job(plan, plan.space.from_knobs(DEFAULT[plan.task.level]), 0)
        recipe = replace(plain.recipe, epochs=200, patience=40, cosine=False)
        found: dict[str, list[Any]] = {way: [] for way in WAYS}
        for seed in range(given.seeds):
            for way, share in WAYS.items():
                with patch.object(cooling, "COOLED", share):
                    found[way].append(
                        evaluate(replace(plain, seed=seed, recipe=recipe, seconds=given.seconds), task).metrics
                    )
        for way, each in found.items():
            valid, test = ([m[f"{split}_{metric}"] for m in each] for split in ("valid", "test"))
            row = {"data": data, "way": way, "seconds": given.seconds, "seeds": given.seeds, "metric": metric}
            row |= {"valid": round(fmean(valid), 4), "test": round(fmean(test), 4)}
            row |= {"test_deviation": round(stdev(test), 4) if len(test) > 1 else ""}
            append(TABLE, row | {"epochs": round(fmean(m["epochs"] for m in each), 1)} | origin())
            print(row, flush=True)


if __name__ == "__main__":
    main()
