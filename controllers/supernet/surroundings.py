"""The part of a large graph that a supernet is trained on: the scored nodes and some of those that they hear of."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nas.searchspace.task import Batch, Task

CARRIED = ("edge_weight", "edge_attr")
"""What a batch may have of its edges."""


def smaller(task: Task, hops: int, most: int, scored: int, seed: int) -> Task:
    """The training and validation batches of a node-level task on parts of their graphs; no test batches."""

    def cut(batch: Batch) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return around(some(batch, scored, generator), hops, most, generator)

    return replace(task, train=tuple(map(cut, task.train)), valid=tuple(map(cut, task.valid)), test=())


def some(batch: Batch, scored: int, generator: torch.Generator) -> Batch:
    """With so many of the scored nodes at the most, drawn without replacement."""
    if len(batch.y) <= scored:
        return batch
    chosen = torch.randperm(len(batch.y), generator=generator)[:scored].to(batch.y.device)
    return replace(batch, y=batch.y[chosen], index=chosen if batch.index is None else batch.index[chosen])


def around(batch: Batch, hops: int, most: int, generator: torch.Generator) -> Batch:
    """The scored nodes with up to ``most`` incoming edges of each node at every hop, drawn without replacement.

    As GraphSAGE samples neighbourhoods (Hamilton et al., NeurIPS 2017), once for all steps.
    """
    edges = batch.edge_index.as_subclass(Tensor)
    nodes = len(batch.x)
    scored = torch.arange(nodes, device=edges.device) if batch.index is None else batch.index
    inside = torch.zeros(nodes, dtype=torch.bool, device=edges.device).index_fill_(0, scored, True)
    order = torch.randperm(edges.size(1), generator=generator).to(edges.device)
    order = order[edges[1][order].argsort(stable=True)]
    target = edges[1][order]
    first = torch.searchsorted(target, torch.arange(nodes, device=edges.device))
    few = order[torch.arange(len(order), device=edges.device) - first[target] < most]
    kept = torch.zeros(edges.size(1), dtype=torch.bool, device=edges.device)
    for _ in range(hops):
        reached = few[inside[edges[1][few]]]
        kept[reached] = True
        inside = inside.index_fill(0, edges[0][reached], True)
    chosen = inside.nonzero().squeeze(1)
    place = torch.full((nodes,), -1, device=edges.device).index_copy_(
        0, chosen, torch.arange(len(chosen), device=edges.device)
    )
    held = batch.x
    x = held.rows(chosen) if hasattr(held, "rows") else held[chosen]
    carried = {name: value[kept] for name in CARRIED if (value := getattr(batch, name)) is not None}
    return Batch(x, place[edges[:, kept]], batch.y, index=place[scored], **carried)
