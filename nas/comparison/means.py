"""From the finished searches of a comparison to what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nas.comparison.comparison import Comparison, Mean, Row, Table
from nas.comparison.contest import Contest
from nas.comparison.ledger import Found
from nas.metrics import METRICS
from nas.study.plan import Plan

OUTLIER = "proteins"
"""The data set of NAS-Bench-Graph whose best network by validation is worse than the median by test."""

Array = NDArray[np.float64]


def comparison(contest: Contest) -> Comparison:
    """What the searches say; all of them are finished."""
    labels = [entry.label for entry in contest.entries]
    found = {
        (label, data): [contest.done[label, data, seed] for seed in range(contest.seeds)]
        for label in labels
        for data in contest.data
    }
    curves = {of: _Curves(searches, contest.plans[of[1]], contest.trials) for of, searches in found.items()}
    rows = [
        curves[label, data].row(label, data, budget)
        for data in contest.data
        for label in labels
        for budget in contest.budgets
    ]
    every = {label: [search for data in contest.data for search in found[label, data]] for label in labels}
    return Comparison(
        name=contest.folder.name,
        path=contest.folder.path,
        budgets=contest.budgets,
        seeds=contest.seeds,
        data=contest.data,
        rows=tuple(rows),
        tables=tuple(_tables(contest, labels, curves)),
        seconds={label: float(np.mean([s.seconds for s in searches])) for label, searches in every.items()},
        failures={
            label: sum(s.failed for s in searches) / max(1, sum(s.trials for s in searches))
            for label, searches in every.items()
        },
        notes=contest.notes,
    )


class _Curves:
    """The searches with one controller on one data set, each as a line over its trials: ``[seeds, trials]``."""

    def __init__(self, searches: Sequence[Found], plan: Plan, trials: int) -> None:
        self.metric, column = plan.task.metric, plan.column
        lines = np.array([_line(search, trials) for search in searches])
        self.lines: dict[str, Array] = {"valid": lines[:, 0], "test": lines[:, 1]}
        if column is not None:
            for split in ("valid", "test"):
                self.lines[f"{split}_regret"] = column.regret(split, self.lines[split])

    def along(self, name: str) -> tuple[Array, Array, int]:
        """Mean and deviation over seeds from trial to trial, and how many seeds there are."""
        values = self.lines[name]
        one = np.full(values.shape[1], np.nan)
        return values.mean(axis=0), values.std(axis=0, ddof=1) if len(values) > 1 else one, len(values)

    def row(self, label: str, data: str, budget: int) -> Row:
        """After so many trials, of the searches that had found anything by then."""
        at = {name: values[:, budget - 1] for name, values in self.lines.items()}
        known = ~np.isnan(at["valid"])
        means = {name: _mean(values[known]) for name, values in at.items()}
        return Row(label, data, self.metric, budget, int(known.sum()), **means)


def _line(search: Found, trials: int) -> Array:
    """Validation and test of the best so far after each trial: ``[2, trials]``, NaN before there was one."""
    line = np.full((2, trials), np.nan)
    for (place, valid, test), (end, *_) in pairwise([*search.best, (trials + 1, 0.0, 0.0)]):
        line[:, place - 1 : end - 1] = [[valid], [test]]
    return line


def _mean(values: Array) -> Mean:
    if not len(values):
        return Mean(np.nan, np.nan)
    return Mean(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else np.nan)


def _tables(contest: Contest, labels: Sequence[str], curves: Mapping[tuple[str, str], _Curves]) -> list[Table]:
    if contest.settings.table is not None:
        asked = [
            ("normalised validation regret", "valid", contest.data),
            ("normalised test regret", "test", contest.data),
        ]
        others = tuple(data for data in contest.data if data != OUTLIER)
        if 0 < len(others) < len(contest.data):
            asked.append((f"normalised test regret without {OUTLIER}", "test", others))
        made = [
            (title, {label: _over_data([curves[label, d].along(f"{split}_regret") for d in data]) for label in labels})
            for title, split, data in asked
        ]
        return _ordered(made, "regret", False, "standard error over seeds", contest.budgets)
    found = []
    for data in contest.data:
        metric = contest.plans[data].task.metric
        titles = {"valid": f"best validation {metric} on {data}", "test": f"its test {metric} on {data}"}
        made = [(title, {label: curves[label, data].along(of) for label in labels}) for of, title in titles.items()]
        larger = METRICS[metric].larger_is_better
        found += _ordered(made, metric, larger, "deviation over seeds", contest.budgets)
    return found


def _over_data(along: Sequence[tuple[Array, Array, int]]) -> tuple[Array, Array, int]:
    """Mean over data sets of the means over seeds, and its standard error: over seeds, the data sets being given."""
    means = np.array([mean for mean, _, _ in along])
    errors = np.array([deviation / np.sqrt(seeds) for _, deviation, seeds in along])
    return means.mean(axis=0), np.sqrt((errors**2).sum(axis=0)) / len(along), along[0][2]


def _ordered(
    made: Sequence[tuple[str, Mapping[str, tuple[Array, Array, int]]]],
    name: str,
    larger: bool,
    spread: str,
    budgets: Sequence[int],
) -> list[Table]:
    """Tables with their controllers in the order of the first one."""
    last = {label: mean[-1] for label, (mean, _, _) in made[0][1].items()}
    order = sorted(last, key=lambda label: np.inf if np.isnan(last[label]) else -last[label] if larger else last[label])
    tables = []
    for title, along in made:
        curves = {
            label: [Mean(float(m), float(s)) for m, s in zip(mean, around, strict=True)]
            for label, (mean, around, _) in along.items()
        }
        rows = {label: [curves[label][budget - 1] for budget in budgets] for label in order}
        tables.append(Table(title, name, larger, spread, rows, curves))
    return tables
