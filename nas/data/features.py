"""Node features, and what is done to them and to the edges before anything is learned."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch_geometric.data import Data
from torch_geometric.utils import is_undirected, to_undirected

from nas.data import checks
from nas.searchspace.errors import BadInput

DEGREE_CAP = 64


def node_features(
    graphs: Sequence[Data], sizes: Sequence[int], edges: Sequence[Tensor], names: Sequence[str], notes: list[str]
) -> list[Tensor]:
    """``[nodes, features]`` of each graph, equally wide; one-hot degrees if no graph has features.

    Raises:
        BadInput: if only some graphs have features, or their widths differ, or they are not finite.
    """
    without = [name for name, graph in zip(names, graphs, strict=True) if graph.x is None]
    if len(without) == len(graphs):
        return _degrees(edges, sizes, notes)
    if without:
        raise BadInput(f"{len(without)} of {len(graphs)} graphs have no x, first {without[0]}; give it to all or none")
    out = [checks.features(g.x, n, name, notes) for g, n, name in zip(graphs, sizes, names, strict=True)]
    for x, name in zip(out, names, strict=True):
        if x.size(1) != out[0].size(1):
            raise BadInput(
                f"{name} has {x.size(1)} features a node and {names[0]} has {out[0].size(1)}; make them equal"
            )
    return out


def _degrees(edges: Sequence[Tensor], sizes: Sequence[int], notes: list[str]) -> list[Tensor]:
    degrees = [torch.bincount(e[1], minlength=n) for e, n in zip(edges, sizes, strict=True)]
    largest = max(int(d.max()) if len(d) else 0 for d in degrees)
    width = min(largest, DEGREE_CAP) + 1
    text = f"there are no node features: the in-degree of each node was used, one-hot in {width} columns"
    notes.append(text + (f" (degrees from {DEGREE_CAP} to {largest} share one)" if largest > DEGREE_CAP else ""))
    return [one_hot(d.clamp(max=DEGREE_CAP), width).float() for d in degrees]


def normalised(data: Data) -> Data:
    """The same graph with each row of ``x`` divided by its sum; rows of zeros stay so."""
    # float64 sums come out alike on every machine, which float32 sums do not: the data's hash depends on them
    sums = data.x.sum(1, keepdim=True, dtype=torch.float64)
    out = copy(data)
    out.x = data.x / sums.where(sums > 0, 1).float()
    return out


def both_ways(data: Data, notes: list[str]) -> Data:
    """The same graph with every edge going both ways, and a note if that added edges."""
    nodes = data.num_nodes
    if is_undirected(data.edge_index, num_nodes=nodes):
        return data
    out = copy(data)
    out.edge_index = to_undirected(data.edge_index, num_nodes=nodes)
    notes.append(
        f"the graph is directed: its edges were made to go both ways ({data.num_edges} became {out.num_edges})"
    )
    return out
