"""A file like NAS-Bench-Graph's with made-up numbers: networks of the same operations are one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
DATASETS = ("cora", "toy", "proteins")


def arrays() -> dict[str, Any]:
    """494 rows: the operations of the four nodes in any order, without four skips."""
    ops = np.sort(np.indices((len(OPS),) * 4).reshape(4, -1).T, axis=1)
    kinds, rows = np.unique(ops, axis=0, return_inverse=True)
    rows = np.where((ops == 8).all(axis=1), -1, rows.ravel()).astype(np.int32)  # four skips are the last kind
    rng = np.random.default_rng(0)
    shape = (len(kinds) - 1, len(DATASETS))
    found = {name: rng.uniform(0.4, 0.9, shape).astype(np.float32) for name in ("valid", "test")}
    found["latency"] = rng.uniform(1e-3, 1e-2, shape).astype(np.float32)
    found["params"] = rng.uniform(0.1, 2.0, shape).astype(np.float32)
    known = np.isin(kinds[:-1], [OPS.index(op) for op in ("gcn", "sage", "arma", "fc", "skip")]).all(axis=1)
    for values in found.values():
        values[~known, DATASETS.index("proteins")] = np.nan
    raw = np.broadcast_to(rows.reshape((len(OPS),) * 4), (2, 3, 4, *(len(OPS),) * 4))
    return {"datasets": np.array(DATASETS), "op_names": np.array(OPS), **found, "raw_to_row": raw}


def write(file: Path) -> Path:
    """The file, of which ``proteins`` has the rows of five operations alone."""
    np.savez_compressed(file, **arrays())
    return file
