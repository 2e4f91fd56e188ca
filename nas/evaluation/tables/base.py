"""What a table of finished trainings is to a search: the numbers of an architecture, without training it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nas.metrics import METRICS
from nas.searchspace.space import Space
from nas.searchspace.task import Task

FORWARD_PASSES = 4.0
"""What an epoch costs, in forward passes over the graph.

One to compute the loss, about two for the gradients (Griewank and Walther, Evaluating Derivatives, 2008, section 4.4),
one to look at the validation split.
"""


@dataclass(frozen=True, eq=False)
class Column:
    """What a table holds of one data set.

    Attributes:
        table: the table's name.
        task: the data set with its question. It has no batches: nothing is trained.
        space: the architectures that the table knows on this data set.
        numbers: by metric (``valid_accuracy``, ``test_accuracy``, ``params``, ``latency``) one number for each row,
            in its natural sign; NaN where a row has none.
        row: from an architecture to its row; negative if it has none.
        epochs: of a training.
        about: what a number is, in a few words.
        network: the inverse of ``row``, to one of its architectures; None if searches on other data sets cannot learn
            from this one.
        links: nodes and undirected links of the data set; None likewise.
    """

    table: str
    task: Task
    space: Space[Any]
    numbers: Mapping[str, NDArray[Any]]
    row: Callable[[Any], int]
    epochs: int
    about: str = "one training"
    network: Callable[[int], Any] | None = None
    links: tuple[int, int] | None = None

    def metrics(self, architecture: Any) -> dict[str, float] | None:
        """The numbers of an architecture; None if the table has none."""
        row = self.row(architecture)
        found = {name: float(values[row]) for name, values in self.numbers.items()} if row >= 0 else {}
        return found if found and all(value == value for value in found.values()) else None

    def seconds(self, metrics: Mapping[str, float]) -> float:
        """What a training with these numbers would have taken: its epochs in forward passes of its latency."""
        return FORWARD_PASSES * self.epochs * metrics["latency"]

    def regret(self, split: str, value: Any) -> Any:
        """How far a metric of ``valid`` or ``test`` is from the best, in units of the median's distance.

        0 is the best of the table, 1 the median, more is worse. Of an array, each of its numbers.
        """
        best, median = self._ends[split]
        return (best - value) / (best - median)

    @cached_property
    def _ends(self) -> dict[str, tuple[float, float]]:
        best = np.nanmax if METRICS[self.task.metric].larger_is_better else np.nanmin
        quality = {split: self.numbers[f"{split}_{self.task.metric}"] for split in ("valid", "test")}
        return {split: (float(best(values)), float(np.nanmedian(values))) for split, values in quality.items()}


class Table(Protocol):
    """Finished trainings on several data sets.

    Attributes:
        datasets: their names.
    """

    @property
    def datasets(self) -> tuple[str, ...]: ...

    def column(self, data: str) -> Column:
        """What it holds of one of them."""
        ...
