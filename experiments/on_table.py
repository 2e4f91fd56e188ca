"""One search on the table of NAS-Bench-Graph."""

from __future__ import annotations

import tempfile
from typing import Any

import nas


def search(data: str, controller: str, seed: int, trials: int, **more: Any) -> nas.Result:
    """What a search finds whose folder goes when it is done; ``more`` is as in ``nas.search``."""
    with tempfile.TemporaryDirectory() as runs:
        return nas.search(
            data, table="nasbench-graph", space="", controller=controller, trials=trials, seed=seed, runs=runs, **more
        )
