"""Rounding after training: against training with few bits, against rounding each weight by itself, and its ranges.

    python experiments/lpgnas/post_training.py [ways rounding ranges] [--data cora,citeseer,...] [--table FILE]

Needs the data (NAS_DATA or a download). Three comparisons, each on random architectures that are the same for all data:

- ``ways``, of the space lpgnas: the same network trained with its formats (aware), and trained without them and rounded
  to them (post), with the seconds of CPU of each, one after the other in one process;
- ``rounding``, of the space agnn: a trained float network rounded to W1A8 to W4A8 with errors that make up for each
  other (compensated), as ``nas export --bits`` does, and each weight by itself (alone);
- ``ranges``, of the space agnn: the same rounded to W8A6, W8A4 and W4A4 with the ranges of what passes between layers
  chosen by error and loss, as ``nas export --bits`` does, and the whole ranges.

post_training.csv has a row for each network and way; the table that is printed has means over the networks that float
training brings to at least half of the best one's validation accuracy. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows
from safetensors.torch import load_file
from sampling import sampled
from torch import Tensor

from nas.data import load
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job
from nas.evaluation.post_training import ranges as finding
from nas.evaluation.post_training.compensating import Compensating
from nas.export.rounding import compensated, formats_of, rounded
from nas.searchspace.encodings import text
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.jobs import recipe_of

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["post_training"]


NUMBERS = ("valid", "test", "bytes")


class Alone(Compensating):
    """Leaves weights as they are, to be rounded by their format."""

    def __init__(self) -> None:
        pass

    def rounded(self, name: str, weight: Tensor, format: str) -> Tensor:
        return weight


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", default=list(PARTS))
    parser.add_argument("--data", help="[default: those of settings.toml]")
    parser.add_argument("--table", type=Path, default=HERE / "post_training.csv")
    given = parser.parse_args()
    for part in given.parts:
        for data in given.data.split(",") if given.data else SETTINGS["data"][part]:
            task, run = prepare(load(data)), PARTS[part]
            done = {int(r["number"]) for r in rows(given.table) if (r["data"], r["part"]) == (data, part)}
            space = find(SETTINGS["space"][part]).for_task(task)
            for number, architecture in enumerate(sampled(space, SETTINGS["architectures"], SETTINGS["seed"])):
                if number in done:
                    continue
                for row in run(architecture, task):
                    first = {"data": data, "part": part, "number": number}
                    append(given.table, first | row | {"architecture": text(architecture)} | origin())
                print(data, part, number, flush=True)
    table(rows(given.table))


def trained(architecture: Any, task: Task, text: str, rounded: str = "", weights: str | None = None) -> dict[str, Any]:
    """What is measured of a training, and its seconds of CPU."""
    begin = time.process_time()
    recipe = recipe_of(architecture, task, Settings())
    job = Job(text, recipe, SETTINGS["seed"], (task.metric,), weights=weights, rounded=rounded)
    outcome = evaluate(job, task)
    found = numbers(outcome.metrics, task) if outcome.reason is None else dict.fromkeys(NUMBERS)
    return found | {"cpu_seconds": round(time.process_time() - begin, 3)}


def numbers(metrics: Mapping[str, float], task: Task) -> dict[str, Any]:
    values = (metrics[f"valid_{task.metric}"], metrics[f"test_{task.metric}"], metrics["bytes"])
    return dict(zip(NUMBERS, (round(v, 4) for v in values), strict=True))


def ways(architecture: Any, task: Task) -> list[dict[str, Any]]:
    low, whole = source(architecture, task), source(architecture, task, whole=True)
    return [
        {"way": "float", **trained(architecture, task, whole)},
        {"way": "aware", **trained(architecture, task, low)},
        {"way": "post", **trained(architecture, task, whole, low)},
    ]


def rounding(architecture: Any, task: Task) -> list[dict[str, Any]]:
    whole, state = in_float(architecture, task)
    if not state:
        return [whole]
    together: Any = compensated(architecture, task, state)
    return [
        whole,
        *(
            {"way": f"{bits} {way}", **in_bits(bits, architecture, task, state, of)}
            for bits in SETTINGS["bits"]["rounding"]
            for way, of in (("compensated", together), ("alone", Alone()))
        ),
    ]


def ranges(architecture: Any, task: Task) -> list[dict[str, Any]]:
    whole, state = in_float(architecture, task)
    if not state:
        return [whole]
    together, made, few = compensated(architecture, task, state), [whole], finding.FEW
    for bits in SETTINGS["bits"]["ranges"]:
        for way, below in (("chosen", few), ("whole", 0)):
            finding.FEW = below
            made.append({"way": f"{bits} {way}", **in_bits(bits, architecture, task, state, together)})
    finding.FEW = few
    return made


PARTS = {"ways": ways, "rounding": rounding, "ranges": ranges}


def in_float(architecture: Any, task: Task) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The row of a training with all bits, and its weights; none where it failed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "weights"
        row = {"way": "float", **trained(architecture, task, source(architecture, task), weights=str(file))}
        return row, load_file(file) if file.exists() else {}


def in_bits(bits: str, architecture: Any, task: Task, state: Mapping[str, Tensor], of: Compensating) -> dict[str, Any]:
    begin = time.process_time()
    low = rounded(architecture, Space(type(architecture)), task, state, formats_of(bits), compensating=of)
    return numbers(low.metrics, task) | {"cpu_seconds": round(time.process_time() - begin, 3)}


def table(found: list[dict[str, str]]) -> None:
    """Points below the float network over networks that learned something, and seconds of CPU."""
    for data, part in dict.fromkeys((row["data"], row["part"]) for row in found):
        here = [row for row in found if (row["data"], row["part"]) == (data, part)]
        whole = {row["number"]: float(row["valid"]) for row in here if row["way"] == "float" and row["valid"]}
        good = {n for n, valid in whole.items() if valid >= max(whole.values()) / 2}
        test = {r["number"]: float(r["test"]) for r in here if r["way"] == "float" and r["number"] in good}
        print(f"{data}, {part}, {len(good)} of {len(whole)} networks")
        for way in dict.fromkeys(row["way"] for row in here):
            mine = [row for row in here if row["way"] == way and row["number"] in good]
            valid = [100 * (whole[r["number"]] - float(r["valid"] or 0)) for r in mine]
            lost = [100 * (test[r["number"]] - float(r["test"] or 0)) for r in mine]
            seconds = fmean(float(r["cpu_seconds"]) for r in mine)
            print(f"  {way:18s} valid {spread(valid)}   test {spread(lost)}   {seconds:6.2f} s")


def spread(points: list[float]) -> str:
    """Mean, deviation and median."""
    deviation = stdev(points) if len(points) > 1 else 0.0
    return f"{fmean(points):6.2f} +- {deviation:5.2f}, median {median(points):5.2f}"


if __name__ == "__main__":
    main()
