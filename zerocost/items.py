"""Which labelled items a proxy looks at: the same ones for every architecture, so that what they need is built once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.searchspace.task import Batch, Split, Task

SEED = 0


@dataclass(frozen=True)
class Items:
    """Some of the scored items of a split.

    Attributes:
        split: which one.
        most: so many at most, drawn at random; None takes all.
        per_class: instead, so many of each class of a ``multiclass`` task, and of another task so many for each output.
    """

    split: Split
    most: int | None = None
    per_class: int | None = None

    def of(self, task: Task) -> list[tuple[Batch, Tensor]]:
        """Batches, and the positions in ``y`` of each that are chosen, ``[chosen]`` in order."""
        batches = task.batches(self.split)
        y = torch.cat([batch.y for batch in batches]).cpu()
        chosen = torch.zeros(len(y), dtype=torch.bool).index_fill_(0, self._chosen(y, task), True)
        parts = torch.split(chosen, [len(batch.y) for batch in batches])
        found = [(b, part.nonzero()[:, 0].to(b.y.device)) for b, part in zip(batches, parts, strict=True)]
        return [(batch, where) for batch, where in found if len(where)]

    def _chosen(self, y: Tensor, task: Task) -> Tensor:
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(SEED))
        if self.per_class is None:
            return order if self.most is None else order[: self.most]
        if task.target != "multiclass":
            return order[: max(2, task.outputs) * self.per_class]
        shuffled = y[order]
        return torch.cat([order[(shuffled == c).nonzero()[: self.per_class, 0]] for c in range(task.outputs)])
