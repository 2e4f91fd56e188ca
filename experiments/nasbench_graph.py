"""What experiments ask of the table of NAS-Bench-Graph: its numbers, and searches on it in memory.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022 (arXiv 2206.09166). The
searches are those of ``nas compare --table nasbench-graph``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.comparison.entries import Entry
from nas.comparison.searching import search as searched
from nas.evaluation.tables.registry import find
from nas.settings import Settings
from nas.study.plan import make_plan

NAME = "nasbench-graph"


class Table:
    """The numbers of one data set."""

    def __init__(self, data: str) -> None:
        self.plan = make_plan(Settings(data=data, table=NAME, controller="random"))
        column = self.plan.column
        assert column is not None
        metric = column.task.metric
        self.valid, self.test = column.numbers[f"valid_{metric}"], column.numbers[f"test_{metric}"]
        self.space, self.row, self.regret = column.space, column.row, column.regret

    @staticmethod
    def names() -> list[str]:
        """The data sets."""
        return list(find(NAME).datasets)


@dataclass(frozen=True)
class Regret:
    """What was chosen after so many evaluations, normalised: 0 is the best of the table, 1 the median."""

    budget: int
    valid: float
    test: float


def search(table: Table, controller: str, seed: int, budgets: Sequence[int], **options: Any) -> list[Regret]:
    """One search; the regret after each budget."""
    found = searched(table.plan, Entry(controller, controller, options), seed, max(budgets), Path())
    chosen = {budget: [best for best in found.best if best[0] <= budget][-1] for budget in budgets}
    return [
        Regret(budget, table.regret("valid", valid), table.regret("test", test))
        for budget, (_, valid, test) in chosen.items()
    ]
