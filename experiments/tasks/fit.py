"""A search with nothing set but the time, on every kind of task, beside a default network and random search.

    python experiments/tasks/fit.py [default auto random] [--data cora,"cora link",...] [--seeds 0,1] [--runs DIR]

Needs the data (NAS_DATA or a download; rdkit for molecules). ``default`` is a GCN of two layers for nodes, with a dot
product for links, and a GIN of two layers for graphs, trained in full with several seeds; ``auto`` is ``nas.AutoGNN``
with its defaults, ``random`` the same with random search in place of its controller and without the known good networks
and in the same time. The split seed is the seed; public and given splits stay as they are. Validation chooses;
``test`` is that of the network taken, ``test_mean`` that of the trainings of its architecture with fresh seeds.

fit.csv gets a row when a search, or the default networks on a data set, is finished; finished rows are skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

import nas
from nas.metrics import METRICS
from nas.study.automatic import automatic_plan
from nas.training import train_seeds

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())
TABLE = HERE / "fit.csv"
WAYS = ("default", "auto", "random")
NODES = {
    "conv": "gcn", "layers": 2, "hidden": 64, "before": False, "residual": False, "jumping": False,
    "norm": "none", "activation": "relu", "dropout": 0.5, "lr": 0.01, "weight_decay": 5e-4,
}  # fmt: skip
DEFAULT = {
    "node": NODES,
    "link": NODES | {"dropout": 0.0, "weight_decay": 0.0, "decoder": "dot"},
    "graph": NODES | {"conv": "gin-mlp", "norm": "batch", "dropout": 0.0, "weight_decay": 0.0, "readout": "sum"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", metavar="way", default=["default", *SETTINGS["controllers"]])
    parser.add_argument("--data", default=",".join(SETTINGS["data"]))
    parser.add_argument("--seeds", default=",".join(map(str, range(SETTINGS["seeds"]))))
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    for seed in map(int, given.seeds.split(",")):
        for data in given.data.split(","):
            for way in given.ways:
                limit = "" if way == "default" else str(SETTINGS["seconds"])
                key = {"data": data, "way": way, "seed": str(seed), "seconds": limit}
                if any(all(row[k] == v for k, v in key.items()) for row in rows(TABLE)):
                    continue
                begin = time.monotonic()
                row = default(data, seed, given.runs) if way == "default" else found(data, way, seed, given.runs)
                append(TABLE, key | row | {"wall": round(time.monotonic() - begin, 1), **origin()})
                print(data, way, seed, {k: row[k] for k in ("test", "test_mean", "test_deviation")}, flush=True)


def asked(data: str) -> dict[str, Any]:
    """Name, question and metric of a data set of the settings; without them they are chosen as for anybody."""
    name, task, metric = (*data.split(), *("auto", None)[data.count(" ") :])[:3]
    return {"data": name, "task": task, "metric": metric}


def default(data: str, seed: int, runs: str) -> dict[str, Any]:
    """A default network over seeds."""
    plan = automatic_plan(SETTINGS["seconds"], {**asked(data), "split_seed": seed})
    plan = replace(plan, settings=replace(plan.settings, trial_seconds=None))
    architecture = plan.space.from_knobs(DEFAULT[plan.task.level])
    file = Path(runs) / "default" / f"{data.replace(' ', '-')}-{seed}.json"
    trained = train_seeds(plan, architecture, range(SETTINGS["default_seeds"]), file)
    metric = plan.task.metric
    test, valid = trained.summary[f"test_{metric}"], trained.summary[f"valid_{metric}"]
    return {
        "metric": metric,
        "trials": len(test.values),
        "test": "",
        "test_mean": round(test.mean, 4),
        "test_deviation": round(test.deviation, 4),
        "trainings": len(test.values),
        "valid_mean": round(valid.mean, 4),
        "architecture": "",
        "split": plan.task.split,
    }


def found(data: str, way: str, seed: int, runs: str) -> dict[str, Any]:
    """A search in the given time."""
    question = asked(data)
    more: dict[str, Any] = {} if way == "auto" else {"controller": way, "settings": {"known_first": False}}
    model = nas.AutoGNN(
        task=question["task"],
        metric=question["metric"],
        seconds=SETTINGS["seconds"],
        seed=seed,
        split_seed=seed,
        runs=runs,
        **more,
    ).fit(question["data"])
    result, metric = model.result_, model.task_.metric
    best = result.best
    again = result.confirmed_as(best.number)
    tests = [r.trial.metrics[f"test_{metric}"] for r in (again.succeeded if again else [])]
    tests = tests or [best.metrics[f"test_{metric}"]]
    return {
        "metric": metric,
        "trials": sum(r.evaluator == "train" for r in result.records),
        "test": round(best.metrics[f"test_{metric}"], 4),
        "test_mean": round(fmean(tests), 4),
        "test_deviation": round(stdev(tests), 4) if len(tests) > 1 else "",
        "trainings": len(tests),
        "valid_mean": round(float(model.leaderboard()[f"valid_{metric}"][0]), 4),
        "architecture": " ".join(f"{k}={v}" for k, v in result.plan.space.knobs(best.architecture).items()),
        "split": result.plan.task.split,
    }


def summary() -> None:
    """For each data set the means over the seeds of the search, and whether it is ahead of the default network."""
    table = rows(TABLE)
    ahead = behind = total = 0
    for data in dict.fromkeys(row["data"] for row in table):
        of = {way: _longest([r for r in table if r["data"] == data and r["way"] == way]) for way in WAYS}
        searched = {row["seed"] for row in of["auto"]}
        of["default"] = [row for row in of["default"] if row["seed"] in searched]
        if not of["default"]:
            continue
        mean = {way: fmean(float(r["test_mean"]) for r in those) for way, those in of.items() if those}
        beside = [float(r["test_mean"]) for r in of["auto"] if r["seed"] in {other["seed"] for other in of["random"]}]
        larger = METRICS[of["auto"][0]["metric"]].larger_is_better
        gain = (mean["auto"] - mean["default"]) * (1 if larger else -1)
        deviation = fmean(float(r["test_deviation"] or 0) for r in of["default"])  # a search often has one training
        total, ahead, behind = total + 1, ahead + (gain > 0), behind + (gain < -deviation)
        shown = {k: f"{v:.4f} in {of[k][0]['seconds']} s" if k != "default" else f"{v:.4f}" for k, v in mean.items()}
        equal = f", auto on the seeds of random {fmean(beside):.4f}" if beside else ""
        print(data, of["auto"][0]["metric"], shown, f"{gain:+.4f} ({deviation:.4f}){equal}")
    print(f"ahead on {ahead} of {total}, behind by more than the default's deviation on {behind}")


def _longest(table: list[dict[str, str]]) -> list[dict[str, str]]:
    """The searches with the most time; some were measured with less before."""
    most = max((float(row["seconds"] or 0) for row in table), default=0)
    return [row for row in table if float(row["seconds"] or 0) == most]


if __name__ == "__main__":
    summary() if sys.argv[1:] == ["summary"] else main()
