"""The search of ``make search`` over seeds: how long it takes and how good the winner is.

    python experiments/digits_first/run.py [--seeds 3]

30 trials on the embedded digits with the default space and controller; random search at the same budget beside it.
Validation (100 images) chooses the winner; test (1,647 images) is read for the table alone. The split is the default
one of ``digits``, the same for all seeds.
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
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    done = {(row["controller"], int(row["seed"])) for row in rows(TABLE)}
    for seed in range(seeds):
        for controller in ("tpe", "random"):
            if (controller, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as scratch:
                begin = time.perf_counter()
                result = nas.search("digits", controller=controller, trials=30, epochs=100, seed=seed, runs=scratch)
                result.report()
                result.export(Path(scratch) / "export")
                seconds = time.perf_counter() - begin
            best = result.best
            row = {
                "controller": controller,
                "seed": seed,
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
