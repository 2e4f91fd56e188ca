"""Searches on the table of NAS-Bench-Graph: a look-up instead of a training, so hundreds of seeds take minutes.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022 (arXiv 2206.09166). The table
is an npz file of arrays (``NAS_DATA``/nasbench_graph/nasbench_graph.npz): validation and test quality of 26,206
networks on nine data sets, each the mean of three seeds, and the row of every description.

One evaluation is one new network; what a controller proposes again costs nothing, as in the study. The reward is the
validation quality, the architecture chosen is the best by it, and the test quality is read for that one alone.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.controllers import Problem, Trial, create
from nas.searchspace.language import architecture, choice, earlier, repeat
from nas.searchspace.space import Space
from nas.searchspace.spaces.nasbench_graph import NODES, NASBenchGraph

IN_A_ROW = 50
"""Known networks in a row after which a random unknown one is evaluated, as the study does."""


@architecture
class FewerNode:
    """A node of the space of ``proteins``, which was run with five operations only."""

    input: int = earlier()
    op: str = choice("gcn", "sage", "arma", "fc", "skip")


@architecture
class Fewer(NASBenchGraph):
    """The space of ``proteins``."""

    nodes: tuple[FewerNode, ...] = repeat(FewerNode, NODES, NODES)  # type: ignore[assignment]


def table_file() -> Path:
    """Where the table is.

    Raises:
        SystemExit: if it is not there.
    """
    file = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"
    if not file.is_file():
        raise SystemExit(f"{file} is missing; set NAS_DATA to the folder that holds nasbench_graph/")
    return file


class Table:
    """The numbers of one data set."""

    def __init__(self, data: str) -> None:
        with np.load(table_file(), allow_pickle=False) as table:
            column = table["datasets"].tolist().index(data)
            self.valid, self.test = table["valid"][:, column], table["test"][:, column]
            self._rows = table["raw_to_row"]
            self._number = {str(op): i for i, op in enumerate(table["op_names"])}
        self.space: Space[Any] = Space(Fewer if data == "proteins" else NASBenchGraph)

    @staticmethod
    def names() -> list[str]:
        """The data sets."""
        with np.load(table_file(), allow_pickle=False) as table:
            return [str(name) for name in table["datasets"]]

    def row(self, architecture: Any) -> int:
        """The row of an architecture."""
        links = [node.input for node in architecture.nodes][1:]
        return int(self._rows[(*links, *(self._number[node.op] for node in architecture.nodes))])

    def regret(self, values: np.ndarray[Any, Any], row: int) -> float:
        """How far a row is from the best, in units of the median's distance: 0 is the best, 1 the median."""
        best, median = np.nanmax(values), np.nanmedian(values)
        return float((best - values[row]) / (best - median))


@dataclass(frozen=True)
class Regret:
    """What was chosen after so many evaluations, normalised; see ``Table.regret``."""

    budget: int
    valid: float
    test: float


def search(table: Table, controller: str, seed: int, budgets: Sequence[int], **options: Any) -> list[Regret]:
    """One search; the regret after each budget."""
    made = create(controller, Problem(table.space, seed), **options)
    known: dict[int, float] = {}
    repeats, best, found = 0, -1, list[Regret]()
    rng = random.Random(f"{seed}/unknown")
    while len(known) < min(max(budgets), int(np.isfinite(table.valid).sum())):
        asked = made.ask(1)
        proposed = asked[0] if asked and repeats < IN_A_ROW else table.space.sample(rng)
        row = table.row(proposed)
        new = row not in known
        repeats = 0 if new else repeats + 1
        value = float(table.valid[row])
        made.tell([Trial(len(known), proposed, (value,))])
        if not new:
            continue
        known[row] = value
        if best < 0 or value > known[best]:
            best = row
        if len(known) in budgets:
            regret = Regret(len(known), table.regret(table.valid, best), table.regret(table.test, best))
            found.append(regret)
    return found
