"""Random networks of a space trained on small data sets: what ``--screen auto`` knows before the first trial.

    python experiments/experience/measure.py design [--data cora texas ...] [--until 400]

Needs the data (NAS_DATA or a download). Interrupted, it goes on where it was. Every data set has architectures of its
own, none of them among those of ``experiments/zerocost/trained.py``, by which the ranking is judged; each is trained
once with the space's own recipe. Where one takes longer than ``seconds`` it is left out: nothing is known of it then.
``pack.py`` makes the file that comes with the package.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from recording import append, origin, rows
from sampling import sampled

from nas.data import load
from nas.evaluation.columns import column
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job
from nas.evaluation.proxies import scores
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.jobs import recipe_of
from nas.study.screening import CHEAP

HERE = Path(__file__).parent
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())
JUDGED = tomllib.loads((HERE.parent / "zerocost" / "settings.toml").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("space", choices=sorted(SETTINGS["data"]))
    parser.add_argument("--data", nargs="*")
    parser.add_argument("--until", type=int, default=SETTINGS["architectures"])
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    table, names = table_of(chosen.space), chosen.data or SETTINGS["data"][chosen.space]
    done = {(row["data"], int(row["number"])) for row in rows(table)}
    tasks = {name: prepare(load(name)) for name in names}
    drawn = {name: others(find(chosen.space).for_task(task), name) for name, task in tasks.items()}
    for number in range(chosen.until):
        for name, task in tasks.items():
            architecture = next(drawn[name])
            if (name, number) not in done:
                append(table, {"data": name, "number": number} | trained(chosen.space, architecture, task) | origin())


def table_of(space: str) -> Path:
    return HERE / f"{space}.csv"


def others(space: Space[Any], data: str) -> Iterator[Any]:
    """Different networks in an order that the data set's name decides, none of those that are judged by."""
    rng = random.Random(f"{space.name} {data}")
    seen = {space.canonical(a) for a in sampled(space, JUDGED["architectures"], JUDGED["seed"])}
    while True:
        architecture = space.sample(rng)
        if space.canonical(architecture) not in seen:
            seen.add(space.canonical(architecture))
            yield architecture


def trained(space: str, architecture: Any, task: Task) -> dict[str, Any]:
    recipe, text = recipe_of(architecture, task, Settings()), source(architecture, task)
    begin = time.process_time()
    judged = scores(Job(text, recipe, 0, (task.metric,), proxies=CHEAP, trains=False), task)
    middle = time.process_time()
    outcome = evaluate(Job(text, recipe, 0, (task.metric,), seconds=SETTINGS["seconds"]), task)
    end, measured = time.process_time(), outcome.metrics
    valid, test = (measured.get(f"{split}_{task.metric}") for split in ("valid", "test"))
    print(f"{space} {task.name}: {end - middle:.1f} s {valid} {outcome.reason or ''}", flush=True)
    return {
        "valid": None if valid is None else round(valid, 4),
        "test": None if test is None else round(test, 4),
        "epochs": measured.get("epochs"),
        "cpu_seconds": round(end - middle, 3),
        **{name: judged.get(column(name)) for name in CHEAP},
        "proxy_seconds": round(middle - begin, 3),
        "reason": outcome.reason,
        "architecture": json.dumps(find(space).for_task(task).to_json(architecture)),
    }


if __name__ == "__main__":
    main()
