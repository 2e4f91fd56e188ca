"""Small tasks of every level and target with three splits, and networks of the built-in spaces on them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from nas.data.collate import collate
from nas.searchspace import Batch, Task
from nas.searchspace.source import load, source
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import SPLITS, Level, Target

TARGETS: tuple[Target, ...] = ("multiclass", "multilabel", "regression")
LEVELS: tuple[Level, ...] = ("node", "graph", "link")
FEATURES, OUTPUTS, ITEMS = 40, 3, 12
MOST = 2
"""Networks of a space."""
LARGEST = {"agnn": 20_000, "classic": 30_000, "design": 30_000, "nasbench-graph": 150_000}
"""Weights of a network of each space."""
PART = ("nasbench-graph-proteins",)
"""Spaces all of whose networks are those of another one."""
ROUNDED = ("lpgnas",)
"""Spaces whose networks round: the last digit of a sum moves a value by a whole step, so scores are never alike."""


def small(level: Level, target: Target, seed: int = 0) -> Task:
    """Sparse features, directed edges, some self-loops, and labels that are not all known; edges carry something where
    links are predicted."""
    rng = torch.Generator().manual_seed(seed)
    if level == "graph":
        batches = [
            (collate([_graph(target, 3 + number % 5, 1, rng, whole=True) for number in range(ITEMS)]),) for _ in SPLITS
        ]
    else:
        graph = _graph(target, 3 * ITEMS + 4, 3 * ITEMS, rng, whole=False)
        order = torch.randperm(len(graph.x), generator=rng)
        if level == "link":
            edges = graph.edge_index.size(1)
            weight, attr = torch.rand(edges, generator=rng) + 0.5, torch.randn(edges, 2, generator=rng)
            graph = replace(graph, edge_weight=weight, edge_attr=attr)
        batches = [
            (replace(graph, y=y, edge_label_index=torch.stack([rows, rows.roll(1)])),)
            if level == "link"
            else (replace(graph, y=y, index=rows),)
            for rows, y in zip(order.split(ITEMS), graph.y.split(ITEMS), strict=False)
        ]
    carried = {"edge_weights": True, "edge_features": 2} if level == "link" else {}
    metric = {"multiclass": "accuracy", "multilabel": "roc_auc", "regression": "mae"}[target]
    train, valid, test = batches[:3]
    parts = {"train": train, "valid": valid, "test": test}
    return Task("small", level, target, FEATURES, OUTPUTS, metric, "", str(seed), **carried, **parts)  # type: ignore[arg-type]


def _graph(target: Target, nodes: int, items: int, rng: torch.Generator, whole: bool) -> Batch:
    edges = torch.randint(nodes, (2, 3 * nodes), generator=rng)
    x = torch.rand(nodes, FEATURES, generator=rng) * (torch.rand(nodes, FEATURES, generator=rng) < 0.07)
    x[torch.arange(nodes), torch.arange(nodes) % FEATURES] = torch.rand(nodes, generator=rng)  # no two nodes are alike
    return Batch(x, edges, labels(target, items, rng), batch=torch.zeros(nodes, dtype=torch.long) if whole else None)


def labels(target: Target, items: int, rng: torch.Generator) -> Tensor:
    if target == "multiclass":
        return torch.randint(OUTPUTS, (items,), generator=rng)
    y = torch.randn(items, OUTPUTS, generator=rng)
    y = (y > 0).float() if target == "multilabel" else y
    return y.where(torch.rand(y.shape, generator=rng) < 0.8, torch.nan)


def relabelled(task: Task, change: Callable[[Tensor], Tensor], split: str = "train") -> Task:
    return replace(task, **{split: tuple(replace(b, y=change(b.y)) for b in task.batches(split))})  # type: ignore[arg-type]


def renumbered(task: Task) -> Task:
    """The same graphs with their nodes in another order, graph by graph; the items stay in theirs."""
    rng = torch.Generator().manual_seed(1)
    made: dict[int, Batch] = {}

    def change(batch: Batch) -> Batch:
        if id(batch.x) not in made:
            order = torch.randperm(len(batch.x), generator=rng)
            if batch.batch is not None:
                order = order[batch.batch[order].argsort(stable=True)]
            made[id(batch.x)] = replace(batch, x=batch.x[order], edge_index=order.argsort()[batch.edge_index])
            made[id(batch.x)].kept["place"] = order.argsort()
        new = made[id(batch.x)]
        moved = {
            name: new.kept["place"][value]
            for name in ("index", "edge_label_index")
            if (value := getattr(batch, name)) is not None
        }
        return replace(new, y=batch.y, **moved)

    return replace(task, **{split: tuple(map(change, task.batches(split))) for split in SPLITS})


def networks(task: Task, each: int = MOST) -> Iterator[torch.nn.Module]:
    """``each`` random networks of every built-in space, with fresh weights and not too many of them."""
    for name in [name for name in SPACES.names() if name not in (*PART, *ROUNDED)]:
        for number, text in enumerate(_sources(name, task.level, task.target)[:each]):
            torch.manual_seed(number)
            yield load(text)()


@cache
def _sources(name: str, level: Level, target: Target) -> list[str]:
    task, rng, found = small(level, target), random.Random(name), list[str]()
    space: Space[object] = find(name).for_task(task)
    while len(found) < MOST:
        text = source(space.sample(rng), task)
        if sum(p.numel() for p in load(text)().parameters()) < LARGEST[name]:
            found.append(text)
    return found


class Nodewise(torch.nn.Module):
    """A network that maps node features and does not look at edges."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out


def linear(weight: Tensor, bias: Tensor | None = None) -> torch.nn.Linear:
    made = torch.nn.Linear(weight.size(1), weight.size(0), bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    return made


def given(x: Tensor, y: Tensor, edges: Tensor | None = None, valid: Tensor | None = None) -> Task:
    """A node-level task of these numbers; every node without one in ``valid`` is a training item."""
    target: Target = "regression" if y.is_floating_point() else "multiclass"
    edges = torch.zeros(2, 0, dtype=torch.long) if edges is None else edges
    later = torch.zeros(len(x), dtype=torch.bool)
    if valid is not None:
        later[valid] = True
    train, held = (Batch(x, edges, y[rows], index=rows.nonzero()[:, 0]) for rows in (~later, later))
    outputs = y.size(1) if target == "regression" else int(y.max()) + 1
    return Task("given", "node", target, x.size(1), outputs, "mae", "", "", train=(train,), valid=(held,))
