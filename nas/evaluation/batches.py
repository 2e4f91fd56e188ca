"""What one step of a training sees: mini-batches of graphs, or the batches as they are."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nas.data.collate import Offsets, offsets, select
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Batch, Split, Task

GRAPHS_AT_ONCE = 512
"""Graphs in one forward pass where no gradient is needed."""


def steps(task: Task, recipe: Recipe, shuffle: torch.Generator) -> Iterator[Batch]:
    """The batches of one epoch of training: graphs are shuffled into mini-batches, everything else comes as it is."""
    for batch in task.train:
        if task.level != "graph":
            yield batch
            continue
        at = _offsets(batch)
        order = torch.randperm(len(batch.y), generator=shuffle).to(batch.y.device)
        for chosen in torch.split(order, recipe.batch_size):
            if len(chosen) > 1 or len(order) == 1:  # batch normalisation needs two items
                yield select(batch, chosen, at)


def chunks(task: Task, split: Split) -> Iterator[Batch]:
    """The batches of a split in order, in portions that fit where no gradient is needed."""
    for batch in task.batches(split):
        if task.level != "graph" or len(batch.y) <= GRAPHS_AT_ONCE:
            yield batch
            continue
        at = _offsets(batch)
        for chosen in torch.split(torch.arange(len(batch.y), device=batch.y.device), GRAPHS_AT_ONCE):
            yield select(batch, chosen, at)


_known_offsets: dict[int, tuple[Batch, Offsets]] = {}


def _offsets(batch: Batch) -> Offsets:
    """The offsets of a batch, computed once while it lives in the table."""
    held = _known_offsets.get(id(batch))
    if held is None or held[0] is not batch:
        if len(_known_offsets) > 8:
            _known_offsets.clear()
        held = _known_offsets[id(batch)] = (batch, offsets(batch))
    return held[1]
