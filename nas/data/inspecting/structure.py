"""Facts about edges: how many, how often, between whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from nas.searchspace.task import Batch


@dataclass(frozen=True)
class Structure:
    """All graphs of a task taken together.

    Attributes:
        nodes, edges: totals; an edge that goes both ways counts twice.
        directed: whether an edge lacks its reverse.
        isolated: nodes without an edge to another one.
        loops: edges from a node to itself.
        duplicates: edges that are there a second time.
        components: parts that no edge joins; 0 where no edges were looked at.
        largest: nodes of the largest part.
        least, median, mean, most: of the edges that lead to a node.
    """

    nodes: int
    edges: int
    directed: bool
    isolated: int
    loops: int
    duplicates: int
    components: int
    largest: int
    least: int
    median: float
    mean: float
    most: int


def structure(graphs: Sequence[Batch]) -> Structure:
    """Of graphs, or of batches of them."""
    directed, isolated, loops, duplicates, components, largest = False, 0, 0, 0, 0, 0
    degrees = []
    for graph in graphs:
        nodes, (source, target) = graph.x.size(0), graph.edge_index
        keys = torch.unique(source * nodes + target)
        duplicates += len(source) - len(keys)
        reverse = (
            torch.unique(keys.remainder(nodes) * nodes + keys.div(nodes, rounding_mode="floor")) if nodes else keys
        )
        directed |= not torch.equal(keys, reverse)
        apart = source != target
        loops += int((~apart).sum())
        touched = torch.zeros(nodes, dtype=torch.bool)
        touched[source[apart]] = touched[target[apart]] = True
        isolated += int((~touched).sum())
        degrees.append(torch.bincount(target, minlength=nodes))
        parts, sizes = _components(graph)
        components, largest = components + parts, max(largest, sizes)
    degree = torch.cat(degrees)
    return Structure(
        nodes=len(degree),
        edges=sum(graph.edge_index.size(1) for graph in graphs),
        directed=directed,
        isolated=isolated,
        loops=loops,
        duplicates=duplicates,
        components=components,
        largest=largest,
        least=int(degree.min()) if len(degree) else 0,
        median=float(np.median(degree.numpy())) if len(degree) else 0.0,
        mean=float(degree.float().mean()) if len(degree) else 0.0,
        most=int(degree.max()) if len(degree) else 0,
    )


def _components(graph: Batch) -> tuple[int, int]:
    nodes, edges = graph.x.size(0), graph.edge_index.numpy()
    if not nodes:
        return 0, 0
    matrix = coo_array((np.ones(edges.shape[1], dtype=np.int8), (edges[0], edges[1])), shape=(nodes, nodes))
    count, of = connected_components(matrix, directed=False)
    return int(count), int(np.bincount(of).max())


@dataclass(frozen=True)
class Homophily:
    """How much neighbours are alike.

    Attributes:
        edge: share of the edges that join nodes of one class.
        adjusted: the same, less what would be expected by chance from the degrees of the classes: 0 is chance and 1 is
            all edges within classes (Platonov et al., NeurIPS 2023, arXiv 2209.06177, equation 2).
    """

    edge: float
    adjusted: float


def homophily(graphs: Sequence[Batch], classes: Sequence[Tensor]) -> Homophily | None:
    """Of the edges both ends of which have a label; self-loops do not count. None where there are none.

    Args:
        classes: for each graph ``[nodes]`` int64, -1 where there is no label.
    """
    ends = []
    for graph, labels in zip(graphs, classes, strict=True):
        source, target = graph.edge_index
        pair = torch.stack([labels[source], labels[target]])
        ends.append(pair[:, (pair >= 0).all(0) & (source != target)])
    pairs = torch.cat(ends, 1)
    if not pairs.size(1):
        return None
    edge = float((pairs[0] == pairs[1]).double().mean())
    share = torch.bincount(pairs.flatten()).double() / pairs.numel()
    chance = float((share**2).sum())
    return Homophily(edge, (edge - chance) / (1 - chance) if chance < 1 else 0.0)
