"""What one step of a training sees: mini-batches of graphs, or the batches as they are."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nas.data.collate import offsets
from nas.evaluation.engine.minibatch import chosen
from nas.evaluation.portions.sampling import Portioned
from nas.searchspace.pairs import hiding_some
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Batch, Split, Task

GRAPHS_AT_ONCE = 512
"""Graphs in one forward pass where no gradient is needed."""


def steps(task: Task, recipe: Recipe, shuffle: torch.Generator) -> Iterator[Batch]:
    """The batches of one epoch of training.

    Graphs are shuffled into mini-batches; of links others are hidden and looked for every time, beside other pairs
    without one; everything else comes as it is.
    """
    for batch in task.train:
        if isinstance(batch, Portioned):
            yield from batch.steps(shuffle)
            continue
        if task.level != "graph":
            yield hiding_some(batch, shuffle) if task.level == "link" else batch
            continue
        at = _known(batch).at
        order = torch.randperm(len(batch.y), generator=shuffle).to(batch.y.device)
        for ids in torch.split(order, recipe.batch_size):
            if len(ids) > 1 or len(order) == 1:  # batch normalisation needs two items
                yield chosen(batch, ids, at)


def chunks(task: Task, split: Split) -> Iterator[Batch]:
    """The batches of a split in order, in portions that fit where no gradient is needed."""
    for batch in task.batches(split):
        if isinstance(batch, Portioned):
            yield from batch.chunks()
            continue
        if task.level != "graph" or len(batch.y) <= GRAPHS_AT_ONCE:
            yield batch
        else:
            yield from _known(batch).portions(GRAPHS_AT_ONCE)


class _Collated:
    """What is computed once of a collated set of graphs."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.at = batch, offsets(batch)
        self._portions: dict[int, list[Batch]] = {}

    def portions(self, size: int) -> list[Batch]:
        """The graphs in order, so many at a time."""
        if size not in self._portions:
            every = torch.arange(len(self.batch.y), device=self.batch.y.device)
            self._portions[size] = [chosen(self.batch, ids, self.at) for ids in torch.split(every, size)]
        return self._portions[size]


_table: dict[int, _Collated] = {}
KEPT = 8
"""Sets of graphs whose constant part is kept."""


def _known(batch: Batch) -> _Collated:
    held = _table.get(id(batch))
    if held is None or held.batch is not batch:
        if len(_table) >= KEPT:
            _table.clear()
        held = _table[id(batch)] = _Collated(batch)
    return held
