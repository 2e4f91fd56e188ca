"""What a comparison says: means with what they vary by, after each budget and along the way."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CSV, PAGE = "comparison.csv", "comparison.html"


@dataclass(frozen=True)
class Mean:
    """A mean with what it varies by, the table says what that is; NaN of a single value."""

    value: float
    spread: float


@dataclass(frozen=True)
class Row:
    """One controller on one data set after so many trials.

    Attributes:
        controller, data, metric: names.
        trials: distinct architectures that were evaluated.
        seeds: searches that had found anything by then.
        valid, test: the validation metric of the best so far by it, and its test metric; mean and deviation over seeds.
        valid_regret, test_regret: the same, normalised, see :meth:`nas.evaluation.tables.base.Column.regret`; None
            without a table.
    """

    controller: str
    data: str
    metric: str
    trials: int
    seeds: int
    valid: Mean
    test: Mean
    valid_regret: Mean | None = None
    test_regret: Mean | None = None


@dataclass(frozen=True)
class Table:
    """One quantity of every controller after each budget, and along the way.

    Attributes:
        title: the quantity.
        name: the metric, which says how it is written; ``regret``.
        larger: whether more of it is better.
        spread: what stands behind each mean.
        rows: by controller, a mean for each budget. The best by validation after the last budget comes first, in the
            tables of test metrics too.
        curves: by controller, from the first trial on; NaN until every search has found something.
    """

    title: str
    name: str
    larger: bool
    spread: str
    rows: Mapping[str, Sequence[Mean]]
    curves: Mapping[str, Sequence[Mean]]


@dataclass(frozen=True)
class Comparison:
    """Controllers after equal numbers of trials.

    Attributes:
        name, path: of the folder.
        budgets: numbers of trials.
        seeds: searches with each controller on each data set.
        data: names of the data sets.
        rows: a row for each controller, data set and budget.
        tables: the quantities that are compared, the decisive one first.
        seconds: by controller, what a search took for a trial besides the evaluation; the mean.
        failures: by controller, the share of the trials that failed.
        notes: what the user should know.
    """

    name: str
    path: Path
    budgets: tuple[int, ...]
    seeds: int
    data: tuple[str, ...]
    rows: tuple[Row, ...]
    tables: tuple[Table, ...]
    seconds: Mapping[str, float]
    failures: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> Table:
        """The decisive quantity: validation regret on a table of trainings, else the best validation metric."""
        return self.tables[0]

    @property
    def page(self) -> Path:
        """Tables and curves, one HTML file that opens offline."""
        return self.path / PAGE

    @property
    def frame(self) -> pd.DataFrame:
        """The rows; a mean and its deviation stand side by side, ``valid`` and ``valid_deviation``."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def csv(self) -> str:
        """The rows as text."""
        rows, text = [_flat(row) for row in self.rows], io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
        return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in vars(row).items():
        if isinstance(value, Mean):
            found |= {name: value.value, f"{name}_deviation": value.spread}
        elif value is not None:
            found[name] = value
    return found
