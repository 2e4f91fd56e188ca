"""What steps are worth: mean test quality of guided samples on NAS-Bench-Graph, by sampler and number of steps.

    python experiments/diffusion/steps.py [--data cora ...] [--summary]

Needs the table (NAS_DATA/nasbench_graph/nasbench_graph.npz). On each data set a predictor learns the validation
quality of some random architectures. ``tilted`` guides the denoised estimate by it, ``pulled`` adds the gradient of
one that learned from noisy architectures to the score, as DiffusionNAG does; samplers are named ``method:steps``, with
the change of the logits that is aimed at, or the scale of the gradient, if one is given. ``test`` is the mean over all
valid draws, repeats included; ``error`` is its standard error. ``cpu_seconds`` on the first data set of a run are with
compiling. A row that is there is skipped.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

from nas.diffusion.generator import Generator, Sampling, generator
from nas.diffusion.guidance import Strength
from nas.diffusion.learned_guide import RowPredictor, guide
from nas.diffusion.published import noisy_guide
from nas.evaluation.tables.registry import column
from nas.searchspace.spaces.registry import find

FILE = Path(__file__).with_suffix(".csv")
SETTINGS = tomllib.loads((FILE.parent / "settings.toml").read_text())["steps"]


def samplers(data: str) -> Iterator[tuple[str, str, Sampling | None]]:
    """Guidance, name, and how is drawn."""
    yield "none", "em:20", Sampling()
    for name in SETTINGS["tilted"]:
        method, steps, *change = name.split(":")
        strength = Strength(change=float(change[0])) if change else Strength()
        yield "tilted", name, Sampling(method, int(steps), strength)
    for name in SETTINGS["pulled"] if data in SETTINGS["pulled_data"] else ():
        method, steps, scale = name.split(":")
        yield "pulled", name, Sampling(method, int(steps), Strength(float(scale), low=0.0, high=math.inf))


def measure(made: Generator, data: str, done: set[tuple[str, ...]]) -> Iterator[dict[str, Any]]:
    """One row for each sampler."""
    table, space = column("nasbench-graph", data), made.rows.space
    metric = table.task.metric
    valid, test = table.numbers[f"valid_{metric}"], table.numbers[f"test_{metric}"]
    rng = random.Random(f"{data}/labelled")
    known: dict[Any, float] = {}
    while len(known) < SETTINGS["labelled"]:
        architecture = space.canonical(space.sample(rng))
        known[architecture] = float(valid[table.row(architecture)])
    values = np.array(list(known.values()))[:, None]
    learned = RowPredictor(made.rows)
    learned.fit(list(known), values[:, 0])
    guides = {"none": None, "tilted": guide([learned]), "pulled": noisy_guide(made.rows, list(known), values)}
    for guidance, name, how in samplers(data):
        if (data, guidance, name) in done:
            continue
        start = time.process_time()
        drawn, _ = made.categories(SETTINGS["draws"], guide=guides[guidance], how=how)
        seconds = time.process_time() - start
        architectures = [made.rows.decode(row, rng) for row in drawn]
        found = [space.canonical(a) for a in architectures if a is not None]
        quality = [float(test[table.row(a)]) for a in found]
        predicted, _ = learned.predict(found)
        yield {
            "data": data, "guidance": guidance, "sampler": name, "draws": len(drawn),
            "valid": round(len(found) / len(drawn), 4), "different": len(set(found)),
            "test": round(statistics.mean(quality), 5),
            "error": round(statistics.stdev(quality) / math.sqrt(len(quality)), 5),
            "best": round(max(quality), 5), "predicted": round(float(predicted.mean()), 5),
            "cpu_seconds": round(seconds, 2),
        }  # fmt: skip


def summary() -> None:
    """Differences to 1,000 steps of the same sampler, else of the published one, in standard errors."""
    found = {(r["data"], r["guidance"], r["sampler"]): r for r in rows(FILE)}
    for guidance, name in dict.fromkeys(key[1:] for key in found):
        here = {key[0]: row for key, row in found.items() if key[1:] == (guidance, name)}
        words = []
        for data, row in here.items():
            own = found.get((data, "tilted", f"{name.partition(':')[0]}:1000"))
            other = own or found.get((data, "tilted", "pc:1000"))
            if other:
                away = (float(row["test"]) - float(other["test"])) / math.hypot(
                    float(row["error"]), float(other["error"])
                )
                words.append(f"{data} {float(row['test']):.4f} ({away:+.1f})")
        print(f"{guidance:7} {name:10} " + "  ".join(words))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=SETTINGS["data"])
    parser.add_argument("--summary", action="store_true", help="print means and how far they are from 1,000 steps")
    options = parser.parse_args()
    if options.summary:
        summary()
        return
    done: set[tuple[str, ...]] = {(r["data"], r["guidance"], r["sampler"]) for r in rows(FILE)}
    made = generator(find("nasbench-graph"))
    for data in options.data:
        for row in measure(made, data, done):
            print(row, flush=True)
            append(FILE, row | origin())


if __name__ == "__main__":
    main()
