"""A task in numbers, with warnings: what ``nas inspect`` prints."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nas.data.inspecting.kinds import Kinds, kinds
from nas.data.inspecting.leakage import Seen, made_from_graph, seen
from nas.data.inspecting.structure import Homophily, Structure, homophily, structure
from nas.data.inspecting.warnings import warnings
from nas.searchspace.task import SPLITS, Batch, Level, Split, Target, Task


@dataclass(frozen=True)
class Output:
    """One class, question or number to predict.

    Attributes:
        name: its name, or its number.
        counts: by split, the items of the class, those with the answer yes, or those whose number is known.
        known: by split, the items whose answer is known.
        mean, deviation, least, most: of the numbers of a regression, over all splits; None for anything else.
    """

    name: str
    counts: dict[Split, int]
    known: dict[Split, int]
    mean: float | None = None
    deviation: float | None = None
    least: float | None = None
    most: float | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Inspection:
    """What was understood of the data.

    Attributes:
        name, level, target, metric, split: as in ``Task``.
        graphs: how many there are.
        sizes: the least, median and largest number of nodes of a graph.
        edgeless: graphs without edges.
        structure: of all graphs.
        features, edge_features: kinds of columns; None where there are none.
        made: whether features of the nodes were made from the graph.
        transforms: what was done to the graph, as in ``Task``.
        edge_weights: the least and the largest; None where there are none.
        items: how many each split scores.
        unscored: nodes that are in no split.
        outputs: what is predicted.
        homophily: of node classes; None elsewhere.
        seen: items of the test split that have their like in training.
        warnings: what deserves attention, with what to do.
        notes: what was assumed, added or repaired when the data was read.
    """

    name: str
    level: Level
    target: Target
    metric: str
    split: str
    graphs: int
    sizes: tuple[int, float, int]
    edgeless: int
    structure: Structure
    features: Kinds
    made: bool
    transforms: tuple[str, ...]
    edge_features: Kinds | None
    edge_weights: tuple[float, float] | None
    items: dict[Split, int]
    unscored: int
    outputs: tuple[Output, ...]
    homophily: Homophily | None
    seen: tuple[Seen, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def inspect(task: Task) -> Inspection:
    """Count, measure and compare. Takes seconds for 100,000 nodes."""
    graphs = _graphs(task)
    nodes, edges = _per_graph(graphs)
    weights = [graph.edge_weight for graph in graphs if graph.edge_weight is not None and len(graph.edge_weight)]
    attributes = [graph.edge_attr for graph in graphs if graph.edge_attr is not None]
    shape = structure(graphs)
    items = {split: sum(len(batch.y) for batch in task.batches(split)) for split in SPLITS}
    found = Inspection(
        name=task.name,
        level=task.level,
        target=task.target,
        metric=task.metric,
        split=task.split,
        graphs=len(nodes),
        sizes=(int(nodes.min()), float(nodes.double().quantile(0.5)), int(nodes.max())),
        edgeless=int((edges == 0).sum()),
        structure=shape,
        features=kinds([graph.x for graph in graphs]),
        made=made_from_graph(task),
        transforms=task.transforms,
        edge_features=kinds(attributes) if attributes else None,
        edge_weights=(min(float(w.min()) for w in weights), max(float(w.max()) for w in weights)) if weights else None,
        items=items,
        unscored=shape.nodes - sum(items.values()) if task.level == "node" else 0,
        outputs=_outputs(task),
        homophily=_homophily(task, graphs),
        seen=seen(task),
        warnings=(),
        notes=task.notes,
    )
    return replace(found, warnings=tuple(warnings(found)))


def _graphs(task: Task) -> list[Batch]:
    """Every graph, or batch of graphs, once."""
    return list({id(batch.x): batch for split in SPLITS for batch in task.batches(split)}.values())


def _per_graph(graphs: list[Batch]) -> tuple[Tensor, Tensor]:
    """Nodes and edges of each graph."""
    nodes, edges = [], []
    for graph in graphs:
        if graph.batch is None:
            nodes.append(torch.tensor([graph.x.size(0)]))
            edges.append(torch.tensor([graph.edge_index.size(1)]))
        else:
            nodes.append(torch.bincount(graph.batch, minlength=len(graph.y)))
            edges.append(torch.bincount(graph.batch[graph.edge_index[0]], minlength=len(graph.y)))
    return torch.cat(nodes), torch.cat(edges)


def _outputs(task: Task) -> tuple[Output, ...]:
    labels = {split: torch.cat([batch.y for batch in task.batches(split)]) for split in SPLITS}
    if task.target == "multiclass":
        counted = {split: torch.bincount(y, minlength=task.outputs) for split, y in labels.items()}
        known = {split: len(y) for split, y in labels.items()}
        return tuple(
            Output(_name(task, k), {split: int(count[k]) for split, count in counted.items()}, known)
            for k in range(task.outputs)
        )
    out = []
    for k in range(task.outputs):
        columns = {split: y[:, k][~y[:, k].isnan()] for split, y in labels.items()}
        known = {split: len(column) for split, column in columns.items()}
        if task.target == "multilabel":
            out.append(Output(_name(task, k), {s: int((column == 1).sum()) for s, column in columns.items()}, known))
            continue
        every = torch.cat(list(columns.values())).double()
        mean, deviation = (float(every.mean()), float(every.std(correction=0))) if len(every) else (None, None)
        least, most = (float(every.min()), float(every.max())) if len(every) else (None, None)
        out.append(Output(_name(task, k), known, known, mean, deviation, least, most))
    return tuple(out)


def _name(task: Task, number: int) -> str:
    if task.level == "link":
        return "a link"
    return task.classes[number] if number < len(task.classes) else str(number)


def _homophily(task: Task, graphs: list[Batch]) -> Homophily | None:
    """Of classes, or of a single question, of nodes."""
    if task.level != "node" or not (task.target == "multiclass" or (task.target == "multilabel" and task.outputs == 1)):
        return None
    classes = {id(graph.x): torch.full((graph.x.size(0),), -1) for graph in graphs}
    for split in SPLITS:
        for batch in task.batches(split):
            y = batch.y if batch.y.dim() == 1 else batch.y[:, 0].nan_to_num(-1).long()
            classes[id(batch.x)][slice(None) if batch.index is None else batch.index] = y
    return homophily(graphs, [classes[id(graph.x)] for graph in graphs])
