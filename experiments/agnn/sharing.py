"""What weight sharing saves and what it costs: seconds per candidate, and Kendall's tau against full training.

    python experiments/agnn/sharing.py [--data cora] [--work DIR]

Needs the data (NAS_DATA or a download). 200 architectures of the space agnn are evaluated one after the other: 150
fill the store of weights, the last 50 are compared with their trainings in full. Two populations: ``random`` ones,
and ``steps``, in which each architecture is another one with one class of decisions drawn again in all layers, as the
conservative controller proposes them, starting from GAT. Ways: ``full``, ``none`` (warm-up alone, the control),
``homogeneous`` and ``all``; lenders are the ``latest`` trial that may lend, or the ``best`` by validation. Seconds are
those of the CPU, one thread, everything included that a search spends on a candidate; full and homogeneous
trainings alternate. Rows are kept, and an interrupted run goes on; ``sharing_summary.csv`` is made anew from all rows.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from recording import append, origin, rows
from scipy.stats import kendalltau

from nas.controllers.base import Trial
from nas.data import load
from nas.evaluation.engine.memory import keep_freed_memory
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job, Outcome
from nas.evaluation.train import pace
from nas.searchspace.encodings import text
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import source
from nas.searchspace.spaces.agnn import AGNN, Layer
from nas.searchspace.spaces.registry import find
from nas.study.folder import RunFolder
from nas.study.records import Record
from nas.study.sharing import Lenders

HERE = Path(__file__).parent
TABLE, SUMMARY = HERE / "sharing.csv", HERE / "sharing_summary.csv"
FILL, TESTED = 150, 50
CLASSES = ("hidden", "attention", "heads", "aggregate", "combine", "activation")
FIRST = Layer(hidden=8, attention="gat", heads=8, aggregate="sum", combine="identity", activation="elu")
GAT = AGNN(layers=(FIRST, replace(FIRST, hidden=4, activation="linear")))


@dataclass(frozen=True)
class Way:
    """One way of evaluating a population."""

    population: str
    way: str
    warm_up: int = 0
    lender: str = ""


GRID = (
    Way("steps", "full"),
    Way("random", "full"),
    Way("steps", "homogeneous", 15, "latest"),
    Way("random", "homogeneous", 15, "latest"),
    Way("steps", "none", 20),
    Way("steps", "all", 15, "latest"),
    Way("steps", "homogeneous", 10, "latest"),
    Way("steps", "homogeneous", 5, "latest"),
    Way("steps", "homogeneous", 20, "latest"),
    Way("steps", "homogeneous", 15, "best"),
    Way("steps", "all", 5, "latest"),
    Way("random", "none", 20),
    Way("random", "all", 15, "latest"),
)


class BestLenders(Lenders):
    """Each layer is inherited from the best trial so far, not the latest."""

    def _lends(self, record: Record) -> bool:
        before = dict(self._of)
        values = self.__dict__.setdefault("values", {})
        values[record.trial.number] = record.trial.values
        lends = super()._lends(record)
        for key, (number, _) in before.items():
            if values[number] > values[self._of[key][0]]:
                self._of[key] = before[key]
        return lends


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cora")
    parser.add_argument("--work", default=str(Path(tempfile.gettempdir()) / "sharing"))
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    task = prepare(load(chosen.data))
    gc.freeze()  # as a search does
    turns = [alternating(chosen.data, GRID[k : k + 1], task, Path(chosen.work)) for k in range(len(GRID))]
    first = [way for way in GRID if way.way == "full"]
    for way in first:  # full trainings take turns with the others of their population
        pair = [GRID.index(way), GRID.index(Way(way.population, "homogeneous", 15, "latest"))]
        for _ in range(FILL + TESTED):
            for k in pair:
                next(turns[k], None)
    for turn in turns:
        for _ in turn:
            pass
        summarise()


def alternating(data: str, ways: tuple[Way, ...], task: Any, work: Path) -> Iterator[None]:
    """Evaluate a population in one way, one architecture at a step."""
    (way,) = ways
    lenders = None
    folder = RunFolder(work, "-".join(map(str, (data, way.population, way.way, way.warm_up, way.lender))).rstrip("-"))
    known = {int(row["number"]): row for row in rows(TABLE) if same(row, data, way)}
    population = architectures(data, way.population)
    if way.way in ("homogeneous", "all"):
        past = [
            Record(Trial(n, population[n], (float(row["valid"]),)), 0.0, "", evaluator="shared")
            for n, row in sorted(known.items())
            if row["valid"]
        ]
        lenders = (BestLenders if way.lender == "best" else Lenders)(folder, task, way.way, past)
    for number, architecture in enumerate(population):
        if number not in known and (number >= FILL or lenders is not None):
            append(TABLE, evaluated(data, way, number, architecture, task, folder, lenders))
        yield


def evaluated(
    data: str, way: Way, number: int, architecture: AGNN, task: Any, folder: RunFolder, lenders: Lenders | None
) -> dict[str, Any]:
    """One row of the table."""
    recipe = architecture.recipe(Recipe(), task)
    begin = time.process_time()
    file = folder.shared(number)
    job = Job(
        source=source(architecture, task),
        recipe=replace(recipe, epochs=way.warm_up) if way.warm_up else recipe,
        seed=0,
        metrics=("accuracy",),
        validate_every=pace(recipe.epochs),
        weights=str(file),
        inherits=() if lenders is None else lenders.inherits(architecture),
    )
    outcome: Outcome = evaluate(job, task)
    measured = outcome.metrics
    if lenders is None:
        file.unlink(missing_ok=True)
    else:
        values = None if outcome.reason else (measured["valid_accuracy"],)
        lenders.add(Record(Trial(number, architecture, values), 0.0, "", evaluator="shared"), ())
    seconds = time.process_time() - begin
    row = {
        "data": data,
        "population": way.population,
        "way": way.way,
        "warm_up": way.warm_up,
        "lender": way.lender,
        "number": number,
        "valid": measured.get("valid_accuracy", ""),
        "test": measured.get("test_accuracy", ""),
        "epochs": measured.get("epochs", ""),
        "inherited": round(measured.get("inherited", 0.0), 4),
        "cpu_seconds": round(seconds, 3),
        "params": int(measured.get("params", 0)),
        "reason": outcome.reason or "",
        "curve": " ".join(f"{epoch}:{value:.4f}" for epoch, value in outcome.curve) if way.warm_up else "",
        "architecture": text(architecture),
        "seed": 0,
        **origin(),
    }
    print({key: row[key] for key in list(row)[1:12]}, flush=True)
    return row


@cache
def architectures(data: str, population: str) -> list[AGNN]:
    """All of a population, no network twice."""
    space, rng = find("agnn").for_task(load(data)), random.Random(f"sharing {population}")
    found = {GAT if population == "steps" else space.sample(rng): None}
    while len(found) < FILL + TESTED:
        drawn = space.sample(rng)
        if population == "steps":
            parent, decided = rng.choice([GAT, rng.choice(list(found))]), rng.choice(CLASSES)
            layers = [
                replace(old, **{decided: getattr(new, decided)})
                for old, new in zip(parent.layers, drawn.layers, strict=True)
            ]
            drawn = AGNN(layers=tuple(layers))
        found[space.canonical(drawn)] = None
    drawn_all = list(found)
    rng.shuffle(drawn_all)
    return drawn_all


def same(row: dict[str, str], data: str, way: Way) -> bool:
    of = (row["data"], row["population"], row["way"], int(row["warm_up"]), row["lender"])
    return of == (data, way.population, way.way, way.warm_up, way.lender)


def summarise() -> None:
    """Tau with a bootstrap interval of 95 %, and the ratio of seconds, for each way that is finished."""
    by: dict[tuple[str, ...], dict[int, dict[str, str]]] = defaultdict(dict)
    for row in rows(TABLE):
        if int(row["number"]) >= FILL:
            key = tuple(row[k] for k in ("data", "population", "way", "warm_up", "lender"))
            by[key][int(row["number"])] = row
    made = []
    for (data, population, way, warm_up, lender), found in by.items():
        full = by.get((data, population, "full", "0", ""), {})
        if way == "full" or len(found) < TESTED or len(full) < TESTED:
            continue
        for epochs in (5, 10, 15, 20) if way == "none" else (int(warm_up),):
            both = [n for n in full if full[n]["valid"] and found[n]["valid"]]
            pairs = np.array([(best_until(found[n], epochs), float(full[n]["valid"])) for n in both])
            low, high = interval(pairs)
            ratios = [float(full[n]["cpu_seconds"]) / float(found[n]["cpu_seconds"]) for n in both]
            whole = sum(float(full[n]["cpu_seconds"]) for n in both)
            timed = way != "none" or epochs == int(warm_up)
            made.append(
                {
                    "data": data,
                    "population": population,
                    "way": way,
                    "lender": lender,
                    "warm_up": epochs,
                    "tested": len(both),
                    "tau": round(kendalltau(*pairs.T).statistic, 3),
                    "tau_low": round(low, 3),
                    "tau_high": round(high, 3),
                    "inherited": round(statistics.fmean(float(found[n]["inherited"]) for n in both), 3),
                    "ratio_median": round(statistics.median(ratios), 2) if timed else "",
                    "ratio_of_sums": round(whole / sum(float(found[n]["cpu_seconds"]) for n in both), 2)
                    if timed
                    else "",
                    "full_seconds": round(whole / len(both), 2),
                    "full_epochs": round(statistics.fmean(float(full[n]["epochs"]) for n in both), 1),
                }
            )
    if made:
        with SUMMARY.open("w", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=list(made[0]))
            writer.writeheader()
            writer.writerows(made)


def best_until(row: dict[str, str], epochs: int) -> float:
    """The best validation value of the first epochs."""
    return max(float(value) for epoch, value in (at.split(":") for at in row["curve"].split()) if int(epoch) <= epochs)


def interval(pairs: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """The middle 95 % of tau over resampled architectures."""
    rng = np.random.default_rng(0)
    taus = [kendalltau(*pairs[rng.integers(len(pairs), size=len(pairs))].T).statistic for _ in range(draws)]
    low, high = np.nanpercentile(taus, [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
