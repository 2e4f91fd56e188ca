"""The comparison of the AGNN paper: five searches of its space on three citation graphs, at equal numbers of networks.

    python experiments/agnn/citation.py [--runs DIR] [--data cora citeseer pubmed] [--methods random agnn ...]
        [--seed 1] [--device cuda] [--table FILE]

Needs the data (NAS_DATA or a download). Interrupted, it goes on where it was; finished rows are skipped. Every search
evaluates the same number of distinct networks. Its best five by validation are trained with fresh seeds, the mean
validation accuracy chooses the winner, and ten more seeds give the numbers of the table: the test split is read for
these alone.
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
from nas.controllers.base import Trial
from nas.searchspace.encodings import text
from nas.study.folder import RunFolder
from nas.study.records import Record, ranked, searched
from nas.study.summary import Summary
from nas.study.watching import Silent
from nas.training import train_seeds

HERE = Path(__file__).parent
TABLE = HERE / "citation.csv"
SETTINGS = tomllib.loads((HERE / "citation.toml").read_text())


class Log(Silent):
    """Prints a line per trial."""

    def recorded(self, record: Record) -> None:
        trial = record.trial
        print(f"{trial.number:4d} {trial.seconds:5.1f} s {trial.values} {trial.reason or ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--data", nargs="*", default=["cora", "citeseer", "pubmed"])
    parser.add_argument("--methods", nargs="*", default=list(SETTINGS["methods"]))
    parser.add_argument("--seed", type=int, default=SETTINGS["search"]["seed"], help="of the searches")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--table", type=Path, default=TABLE)
    chosen = parser.parse_args()
    done = {
        (row["data"], row["method"], row["search_training"], row["trials"], int(row["seed"]))
        for row in rows(chosen.table)
    }
    for method in chosen.methods:
        for data in chosen.data:
            search = settings_of(data, method, chosen.device) | {"seed": chosen.seed}
            if (data, method, training_of(search), str(search["trials"]), chosen.seed) not in done:
                print(f"# {method} on {data}, seed {chosen.seed}", flush=True)
                append(chosen.table, compared(Path(chosen.runs), method, search) | origin(chosen.device))


def settings_of(data: str, method: str, device: str) -> dict[str, Any]:
    """Of a search; what is cut on large data is not on a GPU."""
    cut = SETTINGS["data"].get(data, {}) if device == "cpu" else {}
    settings: dict[str, Any] = SETTINGS["search"] | {"data": data, "device": device} | cut | SETTINGS["methods"][method]
    return settings


def training_of(search: dict[str, Any]) -> str:
    """How the candidates of a search are trained."""
    return str(search["evaluator"] if "evaluator" in search else search["fidelity"])


def compared(root: Path, method: str, search: dict[str, Any]) -> dict[str, Any]:
    """One search and what its winner is worth."""
    data = search["data"]
    name = f"citation-{data}-{method}-{training_of(search)}-{search['seed']}"
    if RunFolder(root, name).exists():
        result = nas.resume(name, trials=search["trials"], runs=root, watcher=Log())
    else:
        result = nas.search(**search, name=name, runs=root, watcher=Log())
    confirm = SETTINGS["confirm"]
    if search["device"] == "cpu":
        confirm = confirm.get(data, confirm)
    trials, winner = searched(result.records), chosen_of(result, confirm["trials"], confirm["seeds"])
    final = trained(result, winner, SETTINGS["final_seeds"], first=100)
    test, valid = final["test_accuracy"], final["valid_accuracy"]
    return {
        "data": data,
        "method": method,
        "search_training": training_of(search),
        "trials": len(trials),
        "failed": sum(r.trial.values is None for r in trials),
        "trial": winner.number,
        "search_valid": round(winner.metrics["valid_accuracy"], 4),
        "seeds": len(test.values),
        "valid_mean": round(valid.mean, 4),
        "valid_deviation": round(valid.deviation, 4),
        "test_mean": round(test.mean, 4),
        "test_deviation": round(test.deviation, 4),
        "params": int(winner.metrics["params"]),
        "architecture": text(winner.architecture),
        "seed": search["seed"],
    }


def chosen_of(result: nas.Result, trials: int, seeds: int) -> Trial:
    """Of the search's best, the one with the best mean validation accuracy over fresh seeds."""
    best = [r.trial for r in ranked(result.records)[:trials]]
    means = {t.number: trained(result, t, seeds, first=1)["valid_accuracy"].mean for t in best}
    print("confirmed:", {number: round(mean, 4) for number, mean in means.items()}, flush=True)
    return max(best, key=lambda trial: means[trial.number])


def trained(result: nas.Result, trial: Trial, seeds: int, first: int) -> dict[str, Summary]:
    file = result.path / "training" / f"{trial.number}.json"
    return train_seeds(result.plan, trial.architecture, range(first, first + seeds), file).summary


if __name__ == "__main__":
    main()
