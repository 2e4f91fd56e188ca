"""What stopping trainings early saves and costs: full, halving and Hyperband on data that chose none of its settings.

    python experiments/fidelity/run.py [--data citeseer,photo] [--seeds 3] [--trials 40]

Random search in the ``design`` space: every fidelity meets the same architectures in the same order. Beside each
stands random search in full at equal cost: as many of the full run's first trials as have the same number of epochs in
all. Validation chooses the winner; test is read for the table alone. One worker, one thread.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

import nas

TABLE = Path(__file__).with_name("results.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="citeseer,photo")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=40)
    options = parser.parse_args()
    known = {(row["data"], int(row["seed"])) for row in rows(TABLE)}
    for data in options.data.split(","):
        for seed in range(options.seeds):
            if (data, seed) not in known:
                for row in compared(data, seed, options.trials):
                    append(TABLE, {**row, **origin()})
                    print(row, flush=True)


def compared(data: str, seed: int, trials: int) -> list[dict[str, object]]:
    """A row for each fidelity."""
    made, full = list[dict[str, object]](), list[tuple[float, float, float]]()
    for fidelity in ("full", "halving", "hyperband"):
        with tempfile.TemporaryDirectory() as scratch:
            begin = time.process_time()
            settings: dict[str, Any] = {"space": "design", "controller": "random", "seed": seed, "trials": trials}
            result = nas.search(data, fidelity=fidelity, runs=scratch, **settings)
            seconds = time.process_time() - begin
        done = [
            (r.trial.metrics["epochs"], r.trial.metrics["valid_accuracy"], r.trial.metrics["test_accuracy"])
            for r in result.records
            if r.trial.values is not None
        ]
        epochs = sum(row[0] for row in done)
        full = full or done
        affordable = [row for row, spent in zip(full, accumulate(r[0] for r in full), strict=True) if spent <= epochs]
        best, equal = max(done, key=lambda row: row[1]), max(affordable, key=lambda row: row[1])
        row: dict[str, object] = {"data": data, "space": "design", "seed": seed, "fidelity": fidelity, "trials": trials}
        row |= {"epochs": int(epochs), "cpu_seconds": round(seconds, 1)}
        row |= {"stopped": sum(r.trial.stopped is not None for r in result.records)}
        row |= {"valid": round(best[1], 4), "test": round(best[2], 4)}
        row |= {"full_trials_at_equal_epochs": len(affordable), "their_valid": round(equal[1], 4)}
        made.append(row | {"their_test": round(equal[2], 4)})
    return made


if __name__ == "__main__":
    main()
