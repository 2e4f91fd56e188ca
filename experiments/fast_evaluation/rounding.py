"""Networks with few bits: trained with the engine's rounding, in few passes over memory, and with the layers' own.

    python experiments/fast_evaluation/rounding.py [--data cora,pubmed] [--n 8]

One thread, CPU seconds. Networks of ``lpgnas`` are trained for some epochs both ways, alternating; the ratio is the
median of three. Finished rows of rounding.csv are not run again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from cases import sampled
from loops import alternating
from recording import append, origin, rows

from nas.data import load
from nas.evaluation.engine import lowering
from nas.evaluation.engine.memory import keep_freed_memory
from nas.evaluation.engine.prepare import prepare
from nas.searchspace.layers.quantised import Quantiser

TABLE = Path(__file__).with_suffix(".csv")
RUNS, EPOCHS = 3, 10


def by_layers() -> Any:
    """Each layer rounds by itself."""
    return patch.object(lowering, "rounded", Quantiser.rounded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cora,pubmed,photo")
    parser.add_argument("--n", type=int, default=8, help="architectures sampled from the space")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    known = {(row["data"], row["network"]) for row in rows(TABLE)}
    for data in options.data.split(","):
        task = load(data)
        prepared = prepare(task)
        for case in sampled("lpgnas", task, options.n):
            if (data, case.name) in known:
                continue
            slow, fast, ratio = alternating(prepared, case, by_layers, EPOCHS, RUNS)
            row = {"data": data, "network": case.name, "layers_ms": f"{slow:.1f}", "engine_ms": f"{fast:.1f}"}
            row["ratio"] = f"{ratio:.2f}"
            print(row, flush=True)
            append(TABLE, row | {"epochs": EPOCHS, "runs": RUNS, "seed": 0} | origin())


if __name__ == "__main__":
    main()
