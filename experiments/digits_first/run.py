"""The search of ``make search`` over splits: how long it takes and how good the winner is.

    python experiments/digits_first/run.py [--splits 3,0,1]

30 trials on the embedded digits with the default space and controller; random search at the same budget beside it.
Validation (100 images) chooses the winner; test (1,647 images) is read for the table alone. Splits differ: a plain
two-layer GCN reaches 89.6 to 95.1 % on the first eight. ``make search`` takes number 3, where it is nearest its mean
(92.5 of 92.7 %; one run each by hand, not recorded here).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

import nas

TABLE = Path(__file__).with_name("results.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", default="3,0,1")
    parser.add_argument("--controllers", default="tpe,random")
    options = parser.parse_args()
    done = {(row["controller"], int(row["split_seed"])) for row in rows(TABLE)}
    for split_seed in map(int, options.splits.split(",")):
        for controller in options.controllers.split(","):
            if (controller, split_seed) in done:
                continue
            settings = {"controller": controller, "split_seed": split_seed, "trials": 30, "epochs": 100}
            with tempfile.TemporaryDirectory() as scratch:
                begin = time.perf_counter()
                result = nas.search("digits", runs=scratch, **settings)
                result.report()
                result.export(Path(scratch) / "export")
                seconds = time.perf_counter() - begin
            best = result.best
            row = {
                "controller": controller,
                "split_seed": split_seed,
                "seed": 0,
                "space": result.plan.space.name,
                "trials": len(result.records),
                "failed": sum(r.trial.values is None for r in result.records),
                "seconds_with_report_and_export": round(seconds, 1),
                "valid": round(best.metrics["valid_accuracy"], 4),
                "test": round(best.metrics["test_accuracy"], 4),
                "params": int(best.metrics["params"]),
                **origin(),
            }
            append(TABLE, row)
            print(row, flush=True)


if __name__ == "__main__":
    main()
