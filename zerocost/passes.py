"""The forward passes that most proxies look at: over a few labelled items, the same ones for every architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored
from nas.zerocost.items import Items
from nas.zerocost.persample.egonets import samples

TRAIN = Items("train", most=256)


@dataclass(frozen=True, eq=False)
class Pass:
    """A forward pass and the items that it serves.

    Attributes:
        arguments: of the network.
        y: the targets of the items, ``[items]`` or ``[items, outputs]``.
        rows: ``[items]``, the node that each item is, or ``[2, items]``, the two nodes of a pair; None on graph-level
            tasks.
        item: ``[nodes]``, the graph that each node belongs to, on graph-level tasks; None elsewhere.
    """

    arguments: tuple[Tensor, ...]
    y: Tensor
    rows: Tensor | None
    item: Tensor | None

    def scores(self, model: Callable[..., Tensor]) -> Tensor:
        """``[items, outputs]``."""
        out = model(*self.arguments)
        return out if self.rows is None or self.rows.dim() > 1 else out[self.rows]

    def has_rows(self, values: Tensor) -> bool:
        """Whether the rows of what was computed on the way are nodes, or graphs, or pairs."""
        nodes = self.rows is not None and self.rows.dim() == 1
        return len(values) == len(self.arguments[0]) or (not nodes and len(values) == len(self.y))

    def of_items(self, values: Tensor) -> Tensor:
        """``[items, ...]``: the rows of the items; of a graph or a pair the sum over its nodes, or its row."""
        if self.rows is not None and self.rows.dim() > 1:
            return values[self.rows].sum(0) if len(values) == len(self.arguments[0]) else values
        if self.rows is not None:
            return values[self.rows]
        assert self.item is not None
        if len(values) != len(self.item):
            return values
        return values.new_zeros(len(self.y), *values.shape[1:]).index_add_(0, self.item, values)

    def on(self, x: Tensor) -> Pass:
        """The same pass over other node features."""
        return replace(self, arguments=(x, *self.arguments[1:]))


def passes(task: Task, items: Items = TRAIN) -> Iterator[Pass]:
    """One for every graph with items of the split; on graph-level tasks, few over the chosen graphs alone."""
    if task.level == "graph":
        prepared = all(hasattr(batch.edge_index, "copies") for batch in task.batches(items.split))
        for some in samples(task, items, 0, prepared):
            yield Pass(some.arguments, some.y, None, some.node)
        return
    for batch, where in items.of(task):
        if batch.edge_label_index is not None:
            pairs = batch.edge_label_index[:, where]
            arguments = replace(batch, edge_label_index=pairs).arguments(task.inputs)
            yield Pass(arguments, batch.y[where], pairs, None)
            continue
        yield Pass(
            batch.arguments(task.inputs), batch.y[where], where if batch.index is None else batch.index[where], None
        )


def finite(score: float) -> float:
    """The score.

    Raises:
        NotScored: if it is infinite or not a number.
    """
    if not math.isfinite(score):
        raise NotScored(f"the score is {score}: numbers in the network are too large, or not numbers")
    return score
