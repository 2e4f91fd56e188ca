"""Accuracy against size: searches over architecture and precision, and the float winner of AGNN with fewer bits.

    python experiments/lpgnas/fronts.py [float lpgnas nsga2 random ...] [--data cora,citeseer,...] [--seeds 0,1,...]
        [--runs DIR] [--device cuda] [--tables DIR]

Needs the data (NAS_DATA or a download). ``float`` is the search of the space ``agnn`` by its own controller; its winner
is then trained with the formats of W8A8, W4A8 and W4A4 too, and rounded to them without training, and each layer to the
fewest bits with which at most ``loss`` of settings.toml is lost on validation (auto). The others search the space
``lpgnas`` for accuracy and small files. All have the same seconds, of CPU or, on a GPU, of the clock, see
settings.toml; on a GPU start those that are compared side by side, each with ``--tables`` of its own, to be joined.

fronts.csv has a row for each network on the front of a search, with the validation accuracy of its one training there;
finals.csv one for each chosen network, with means over fresh seeds (of bytes too where they differ, as of auto);
searches.csv one for each search, written when all else of it is done. Interrupted, it goes on where it was; finished
rows are skipped. ``bytes`` are those of the packed file, ``buffer`` those of the largest value in a forward pass.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is there: the searches have one core
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from quantisation import after_training, costs, in_fewest_bits
from recording import append, origin, rows

import nas
from nas.controllers.base import Trial
from nas.export.rounding import with_formats
from nas.searchspace.encodings import text
from nas.searchspace.task import Task
from nas.study.folder import RunFolder
from nas.study.plan import Plan
from nas.study.records import Record
from nas.study.summary import Summary
from nas.study.watching import Silent
from nas.training import prepared, retrain, train_seeds

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())
SEARCHES, FRONTS, FINALS = ("searches.csv", "fronts.csv", "finals.csv")
AUTO = "auto"
WAYS = TRAINED, ROUNDED = ("trained", "rounded after training")

Metrics = dict[str, Summary]


class Log(Silent):
    """Prints a line per trial, and keeps the seconds that a search took by a clock, over interruptions, in a file."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self.file, self.clock = file, clock

    @property
    def seconds(self) -> float:
        return float(self.file.read_text()) if self.file.exists() else 0.0

    def started(self, records: Sequence[Record]) -> None:
        self.before = self.seconds - self.clock()

    def recorded(self, record: Record) -> None:
        trial = record.trial
        self.file.write_text(f"{self.before + self.clock():.2f}")
        print(f"{trial.number:4d} {trial.seconds:5.1f} s {trial.values} {trial.reason or ''}", flush=True)

    def noted(self, note: str) -> None:
        print(note, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", default=list(SETTINGS["parts"]))
    parser.add_argument("--data", default=",".join(SETTINGS["data"]))
    parser.add_argument("--seeds", default="0", help="of the searches")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--tables", type=Path, default=HERE, help="where the tables are")
    given = parser.parse_args()
    for seed in given.seeds.split(","):
        for data in given.data.split(","):
            for part in given.parts:
                experiment = Experiment(data, part, int(seed), Path(given.runs), given.device, given.tables)
                if not experiment.has(SEARCHES, {}):
                    print(f"# {part} on {data}, seed {seed}", flush=True)
                    experiment.run()


class Experiment:
    """One search on one data set, and what is made of it."""

    def __init__(self, data: str, part: str, seed: int, runs: Path, device: str, tables: Path) -> None:
        self.runs, self.device, self.tables = runs, device, tables
        self.part = part
        self.of: dict[str, Any] = {"data": data, "method": part, "seed": seed}
        on_data = dict(SETTINGS["data"][data])
        final_seeds = on_data.pop("final_seeds", SETTINGS["final_seeds"])
        self.final_seconds = on_data.pop("final_trial_seconds", None)
        self.seeds = range(100, 100 + (SETTINGS["final_seeds_again"] if seed else final_seeds))
        self.search = SETTINGS["search"] | {"data": data, "seed": seed} | on_data | SETTINGS["parts"][part]
        self.search |= {"device": device} | SETTINGS["on"].get(device, {})

    def run(self) -> None:
        name = "-".join(["lpgnas", self.of["data"], self.part, *([str(self.of["seed"])] if self.of["seed"] else [])])
        self.result, self.seconds = searched(self.search, name, self.runs)
        self.folder = self.result.path / "training"
        settings = replace(self.result.plan.settings, trial_seconds=self.final_seconds)
        self.plan: Plan = replace(self.result.plan, settings=settings)
        self.task: Task = prepared(self.plan)
        self.several = len(self.plan.objectives) > 1
        records, front = self.result.records, self.front()
        done = [r for r in records if r.trial.values is not None]
        chosen = self.chosen(self.candidates(front))
        front = front if self.several else [chosen["best"]]
        for trial in front:
            names = " and ".join(name for name, one in chosen.items() if one is trial)
            row = {"trial": trial.number, "valid": round(accuracy(trial), 4), "chosen": names}
            if not self.has(FRONTS, row):
                architecture = {"architecture": text(trial.architecture)}
                self.record(FRONTS, row | costs(trial.architecture, self.task) | architecture)
        for name, trial in chosen.items():
            for precision, way, architecture, metrics in self.versions(trial):
                said = {"network": name, "precision": precision, "way": way, "trial": trial.number}
                if not self.has(FINALS, said):
                    found = metrics()
                    row = said | self.summed(found) | costs(architecture, self.task)
                    self.record(FINALS, row | ({"bytes": round(found["bytes"].mean)} if precision == AUTO else {}))
        row = {"seconds": round(self.seconds, 1), "trials": len(records)}
        self.record(SEARCHES, row | {"failed": len(records) - len(done), "front": len(front)})

    def record(self, table: str, row: dict[str, Any]) -> None:
        append(self.tables / table, self.of | row | origin(self.device))

    def has(self, table: str, values: dict[str, Any]) -> bool:
        """Whether there is a row with these values."""
        wanted = {key: str(value) for key, value in (self.of | values).items()}
        return any(all(row[key] == value for key, value in wanted.items()) for row in rows(self.tables / table))

    # which networks

    def front(self) -> list[Trial]:
        """The best first; of a search for accuracy alone those that were trained to their end, if there are any."""
        if self.several:
            return self.result.pareto
        best = [r.trial for r in self.result.ranking]
        return [trial for trial in best if trial.stopped is None] or best

    def candidates(self, front: Sequence[Trial]) -> list[Trial]:
        confirm = SETTINGS["confirm"]
        near = [t for t in front if accuracy(t) >= accuracy(front[0]) - confirm["near"]]
        most = min(confirm["most"], len(near))
        if not self.several:
            return near[:most]
        spread = [near[round(i * (len(near) - 1) / max(most - 1, 1))] for i in range(most)]
        accurate = [r.trial for r in self.result.ranking if accuracy(r.trial) >= accuracy(front[0]) - confirm["near"]]
        return list({t.number: t for t in (*spread, *accurate[: confirm["most"]])}.values())

    def chosen(self, candidates: Sequence[Trial]) -> dict[str, Trial]:
        """By mean validation accuracy over fresh seeds: ``best``, and on a front ``small`` too."""
        confirm = SETTINGS["confirm"]
        seeds = range(1, 1 + confirm["seeds"])
        means = {t.number: self.trained(t.number, t.architecture, seeds)["valid_accuracy"].mean for t in candidates}
        print("confirmed:", {number: round(mean, 4) for number, mean in means.items()}, flush=True)
        best = max(candidates, key=lambda t: means[t.number])
        if not self.several:
            return {"best": best}
        good = [t for t in candidates if means[t.number] >= means[best.number] - confirm["loss"]]
        return {"best": best, "small": min(good, key=lambda t: costs(t.architecture, self.task)["bytes"])}

    # what they are worth

    def versions(self, trial: Trial) -> Iterator[tuple[str, str, Any, Callable[[], Metrics]]]:
        """Each with its precision, the way it came about, its architecture, and its metrics over the final seeds."""
        own = trial.architecture
        if self.part != "float":
            yield "searched", TRAINED, own, lambda: self.trained(trial.number, own, self.seeds)
            return
        yield "float32", TRAINED, own, lambda: over(self.with_weights(trial, seed)[0] for seed in self.seeds)
        precisions = SETTINGS["precisions"]
        by_row = {
            f"{name} by row": precisions[name] | {"weights": f"{precisions[name]['weights']}-channel"}
            for name in SETTINGS["per_row"]["precisions"]
        }
        for name, formats in (precisions | by_row).items():
            lower = with_formats(own, formats)
            yield name, ROUNDED, lower, partial(self.rounded, trial, formats)
            if name in precisions and self.of["seed"] == 0:
                key = f"{trial.number}-{name}"
                yield name, TRAINED, lower, partial(self.trained, key, lower, self.seeds)
        yield AUTO, ROUNDED, with_formats(own, precisions["W8A8"]), partial(self.in_fewest_bits, trial)

    def trained(self, key: Any, architecture: Any, seeds: Sequence[int]) -> Metrics:
        return train_seeds(self.plan, architecture, seeds, self.folder / f"{key}.json").summary

    def with_weights(self, trial: Trial, seed: int) -> tuple[dict[str, float], Path]:
        """The metrics of a training and the file of its weights."""
        weights = self.folder / f"{trial.number}-{seed}.safetensors"
        file = weights.with_suffix(".json")
        if not file.exists():
            self.folder.mkdir(exist_ok=True)
            file.write_text(json.dumps(dict(retrain(self.plan, trial.architecture, seed, weights, None).metrics)))
        return json.loads(file.read_text()), weights

    def rounded(self, trial: Trial, formats: dict[str, str]) -> Metrics:
        files = [self.with_weights(trial, seed)[1] for seed in self.seeds]
        return over(after_training(trial.architecture, formats, file, self.task) for file in files)

    def in_fewest_bits(self, trial: Trial) -> Metrics:
        loss = SETTINGS["confirm"]["loss"]
        files = [self.with_weights(trial, seed)[1] for seed in self.seeds]
        return over(in_fewest_bits(trial.architecture, file, self.task, loss) for file in files)

    def summed(self, metrics: Metrics) -> dict[str, Any]:
        """The columns of a table."""
        row: dict[str, Any] = {"seeds": len(self.seeds)}
        for split in ("valid", "test"):
            found = metrics[f"{split}_accuracy"]
            row |= {f"{split}_mean": round(found.mean, 4), f"{split}_deviation": round(found.deviation, 4)}
        print(row, flush=True)
        return row


def searched(search: dict[str, Any], name: str, runs: Path) -> tuple[nas.Result, float]:
    """The search's result and seconds, of CPU where it trains there.

    A search counts the seconds of the clock, which pass faster on a machine that is shared; it is given more of them
    until its own have come together.
    """
    folder = RunFolder(runs, name)
    watcher = Log(folder.path / "seconds", time.process_time if search["device"] == "cpu" else time.monotonic)
    if not folder.exists():
        nas.search(**search, name=name, runs=runs, watcher=watcher)
    result = nas.open_run(name, runs=runs)
    while (left := search["seconds"] - watcher.seconds) > 0:
        elapsed = result.records[-1].elapsed if result.records else 0.0
        result = nas.resume(name, seconds=elapsed + left, runs=runs, watcher=watcher)
    return result, watcher.seconds


def over(seeds: Iterator[dict[str, float]]) -> Metrics:
    """From the metrics of each seed."""
    found = list(seeds)
    return {name: Summary.of([one[name] for one in found]) for name in found[0] if name in found[-1]}


def accuracy(trial: Trial) -> float:
    """On the validation split, in the search."""
    return trial.metrics["valid_accuracy"]


if __name__ == "__main__":
    main()
