"""Search AGNN's space on Cora with each controller, then train each winner anew with ten seeds.

    python experiments/cora_agnn/run.py [--runs DIR]

Needs Cora (NAS_DATA or a download). Interrupted, it goes on where it was; finished rows are skipped.
Validation selects the winner; the test split is read for the table alone.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

import nas
from nas.searchspace.encodings import text
from nas.study.folder import RunFolder
from nas.study.records import Record, ranked
from nas.study.watching import Silent
from nas.training import train_seeds

HERE = Path(__file__).parent
TABLE = HERE / "results.csv"


class Log(Silent):
    """Prints a line per trial."""

    def recorded(self, record: Record) -> None:
        trial = record.trial
        print(
            trial.number,
            trial.values,
            trial.metrics.get("test_accuracy"),
            f"{trial.seconds:.0f}s",
            trial.reason,
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="runs")
    root = Path(parser.parse_args().runs)
    settings = tomllib.loads((HERE / "settings.toml").read_text())
    done = {(row["controller"], int(row["trials"])) for row in rows(TABLE)}
    for controller, trials in settings["trials"].items():
        name = f"cora-agnn-{controller}"
        if RunFolder(root, name).exists():
            result = nas.resume(name, trials=trials, runs=root, watcher=Log())
        else:
            search = settings["search"] | {"controller": controller, "trials": trials}
            result = nas.search(**search, name=name, runs=root, watcher=Log())
        for budget in settings["budgets"][controller]:
            if (controller, budget) not in done:
                append(TABLE, row_of(result, controller, budget, settings) | origin())


def row_of(result: nas.Result, controller: str, budget: int, settings: dict[str, Any]) -> dict[str, Any]:
    """The winner of the first ``budget`` trials, trained anew with every seed."""
    records = result.records[:budget]
    best = ranked(records)[0].trial
    seeds = settings["retrain_seeds"]
    summary = train_seeds(
        result.plan,
        best.architecture,
        range(seeds),
        result.path / "training" / f"{best.number}.json",
        lambda seed, outcome: print("seed", seed, outcome.metrics.get("test_accuracy"), flush=True),
    ).summary
    valid, test = summary["valid_accuracy"], summary["test_accuracy"]
    return {
        "controller": controller,
        "trials": budget,
        "failed": sum(r.trial.values is None for r in records),
        "search_minutes": round(records[-1].elapsed / 60, 1),
        "best_valid": round(best.metrics["valid_accuracy"], 4),
        "its_test": round(best.metrics["test_accuracy"], 4),
        "seeds": seeds,
        "valid_mean": round(valid.mean, 4),
        "valid_deviation": round(valid.deviation, 4),
        "test_mean": round(test.mean, 4),
        "test_deviation": round(test.deviation, 4),
        "params": int(best.metrics["params"]),
        "architecture": text(best.architecture),
        "seed": settings["search"]["seed"],
    }


if __name__ == "__main__":
    main()
