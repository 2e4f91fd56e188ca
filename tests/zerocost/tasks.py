"""Small tasks with all that graphs come with, and networks on them whose every number matters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from nas.data.collate import collate
from nas.searchspace import Batch, Network, Task, Value
from nas.searchspace.operators import OPERATORS
from nas.searchspace.source import load, source
from nas.searchspace.task import SPLITS, Target

OUTPUTS = 3
ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in OPERATORS},
    **{f"{name} 2 heads": (name, {"heads": 2}) for name in ("gat", "gatv2", "transformer")},
    **{f"{name} {aggr}": (name, {"aggr": aggr}) for name in ("sage", "graph", "aggregate") for aggr in ("mean", "max")},
    **{f"{name} K=3": (name, {"K": 3}) for name in ("cheb", "tag", "sg")},
    **{
        f"attention {kind} {aggregate}": (
            "attention",
            {"attention": kind, "heads": heads, "aggregate": aggregate, "combine": combine, "concat": concat},
        )
        for kind in ATTENTIONS
        for aggregate, heads, combine, concat in (("mlp", 2, "mlp", True), ("max", 3, "identity", False))
    },
}
"""Every operator of the table, and some of their settings."""


def node(
    target: Target = "multiclass",
    nodes: int = 40,
    links: int = 80,
    words: bool = False,
    items: int = 9,
    seed: int = 0,
) -> Task:
    """A directed graph with self-loops, repeated edges and a lonely labelled node; ``words`` are mostly zeros."""
    return _task("node", target, (_graph(target, nodes, links, words, items, seed),))


def several(target: Target = "multiclass", words: bool = False) -> Task:
    """Node-level, with other graphs to train on than to test on: two side by side, and one of its own."""
    a, b, c = (_graph(target, 14 + k, 30, words, 4 + k, k) for k in range(3))
    everything = replace(c, index=None, y=_targets(target, len(c.x), torch.Generator().manual_seed(7)))
    return _task("node", target, (collate([a, b]), everything))


def graphs(target: Target = "multiclass", count: int = 10, seed: int = 0) -> Task:
    """Graphs of one to eight nodes side by side."""
    rng = torch.Generator().manual_seed(seed)
    parts = []
    for number in range(count):
        nodes = 1 + number % 8
        edges = torch.randint(nodes, (2, 2 * nodes if number % 4 else 0), generator=rng)
        x = torch.randn(nodes, 6, generator=rng)
        parts.append(Batch(x, edges, _targets(target, 1, rng), batch=torch.zeros(nodes, dtype=torch.long)))
    return _task("graph", target, (collate(parts),))


def pairs(target: Target = "multilabel", words: bool = False) -> Task:
    """Pairs of nodes, linked or not, one of them a node with itself and one with a lonely node."""
    graph = _graph(target, 40, 80, words, 9, 0)
    ends = torch.cat([graph.edge_index[:, :3], torch.tensor([[5, 1, 2, 7, 8, 9], [39, 1, 30, 12, 20, 3]])], dim=1)
    return _task("link", target, (replace(graph, index=None, edge_label_index=ends),))


def carrying(task: Task) -> Task:
    """The task with a weight and three features for each edge."""
    rng = torch.Generator().manual_seed(5)

    def change(batch: Batch) -> Batch:
        edges = batch.edge_index.size(1)
        weight, attr = torch.rand(edges, generator=rng) + 0.5, torch.randn(edges, 3, generator=rng)
        return replace(batch, edge_weight=weight, edge_attr=attr)

    train = tuple(map(change, task.train))
    return replace(task, edge_weights=True, edge_features=3, train=train, valid=train, test=train)


def _graph(target: Target, nodes: int, links: int, words: bool, items: int, seed: int) -> Batch:
    rng = torch.Generator().manual_seed(seed)
    edges = torch.randint(nodes - 1, (2, links), generator=rng)  # the last node is lonely
    edges = torch.cat([edges, edges[:, :2], torch.tensor([[3, 5, 5], [3, 5, 5]])], dim=1)
    x = torch.randn(nodes, 30 if words else 6, generator=rng)
    x = x * (torch.rand(x.shape, generator=rng) < 0.08) if words else x
    index = torch.cat([torch.tensor([nodes - 1, 5]), torch.randperm(nodes - 1, generator=rng)[: items - 2]])
    return Batch(x, edges, _targets(target, items, rng), index=index)


def _targets(target: Target, items: int, rng: torch.Generator) -> torch.Tensor:
    """Some of several targets are not known, and of one item none."""
    if target == "multiclass":
        return torch.randint(OUTPUTS, (items,), generator=rng)
    y = torch.randn(items, OUTPUTS, generator=rng)
    y = (y > 0).float() if target == "multilabel" else y
    y = y.where(torch.rand(y.shape, generator=rng) < 0.7, torch.nan)
    if items > 1:
        y[1] = torch.nan
    return y


def _task(level: Any, target: Target, train: tuple[Batch, ...]) -> Task:
    metric = {"multiclass": "accuracy", "multilabel": "roc_auc", "regression": "mae"}[target]
    width = train[0].x.size(1)
    return Task("made", level, target, width, OUTPUTS, metric, "", "made", train=train, valid=train, test=train)


def double(task: Task) -> Task:
    """The task in float64."""

    def change(batch: Batch) -> Batch:
        return batch.map(lambda t: t.double() if t.is_floating_point() else t)

    return replace(task, **{split: tuple(map(change, task.batches(split))) for split in SPLITS})


class Stack:
    """Layers of one operator, with a normalisation and an activation after each."""

    def __init__(
        self,
        operator: str,
        norm: str = "none",
        activation: str = "elu",
        layers: int = 2,
        width: int = 6,
        **settings: Any,
    ) -> None:
        self.operator, self.norm, self.activation, self.layers = operator, norm, activation, layers
        self.width, self.settings = width, settings

    def network(self, net: Network) -> Value:
        x = net.x if OPERATORS[self.operator].construct else net.linear(net.x, self.width)
        for _ in range(self.layers):
            x = net.norm(self.norm, net.operator(self.operator, x, self.width, **self.settings))
            x = net.activation(self.activation, x)
        return x


def network(architecture: Any, task: Task, seed: int = 0) -> torch.nn.Module:
    """In inference mode; biases, slopes and statistics are no longer zeros and ones."""
    torch.manual_seed(seed)
    return disturbed(load(source(architecture, task))())


def disturbed(model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p), alpha=0.1)
        for b in model.buffers():
            if b.is_floating_point() and b.dim():
                b.uniform_(0.5, 1.5)
    return model.eval()
