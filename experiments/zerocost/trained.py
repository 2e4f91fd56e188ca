"""Random architectures trained in full: what the ranks of proxies are compared with.

    python experiments/zerocost/trained.py [--space design agnn] [--data cora citeseer ...] [--device cuda]
        [--seeds 0 1 2] [--table FILE]

Needs the data (NAS_DATA or a download). Interrupted, it goes on where it was. The architectures of a space are the same
for all data sets as far as they are different networks there; each is trained with the space's own recipe, once for
each seed, and cooled down where a data set has ``trial_seconds``.
``cpu_seconds`` is the processor time of the training, set-up included; none where a GPU trained.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows
from sampling import sampled

from nas.data import load
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Job
from nas.searchspace.source import source
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.jobs import recipe_of

HERE = Path(__file__).parent
TABLE = HERE / "trained.csv"
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", nargs="*", default=SETTINGS["spaces"])
    parser.add_argument("--data", nargs="*", default=SETTINGS["data"])
    parser.add_argument("--seeds", nargs="*", type=int, default=SETTINGS["seeds"])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--table", type=Path, default=TABLE)
    chosen = parser.parse_args()
    for space in chosen.space:
        for data in chosen.data:
            task = load(data)
            mine = [row for row in rows(chosen.table) if (row["space"], row["data"]) == (space, data)]
            done = {(int(row["number"]), int(row["seed"])) for row in mine}
            prepared = prepare(task.to(chosen.device))
            architectures = sampled(find(space).for_task(task), SETTINGS["architectures"], SETTINGS["seed"])
            for seed in chosen.seeds:
                for number, architecture in enumerate(architectures):
                    if (number, seed) not in done:
                        row = trained(space, data, number, architecture, prepared, chosen.device, seed)
                        append(chosen.table, row | origin(chosen.device))


def trained(
    space: str, data: str, number: int, architecture: Any, task: Task, device: str, seed: int
) -> dict[str, Any]:
    begin = time.process_time()
    recipe = recipe_of(architecture, task, Settings())
    limit = SETTINGS["trial_seconds"].get(space, {}).get(data)
    job = Job(source(architecture, task), recipe, seed, (task.metric,), device, seconds=limit)
    outcome = evaluate(job, task)
    cpu, measured = time.process_time() - begin, outcome.metrics
    valid = measured.get(f"valid_{task.metric}")
    print(f"{space} {data} {number} seed {seed}: {cpu:.1f} s {valid} {outcome.reason or ''}", flush=True)
    return {
        "space": space,
        "data": data,
        "number": number,
        "valid": valid,
        "test": measured.get(f"test_{task.metric}"),
        "epochs": measured.get("epochs"),
        "params": measured.get("params"),
        "cpu_seconds": round(cpu, 3) if device == "cpu" else None,
        "reason": outcome.reason,
        "architecture": json.dumps(find(space).for_task(task).to_json(architecture)),
        "seed": seed,
    }


if __name__ == "__main__":
    main()
