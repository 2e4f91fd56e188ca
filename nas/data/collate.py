"""Several graphs side by side in one batch, and any of them taken out again by tensor operations alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch


@dataclass(frozen=True, eq=False)
class Offsets:
    """Where each graph of a batch begins: ``[graphs + 1]`` into its nodes and its edges."""

    nodes: Tensor
    edges: Tensor


def collate(graphs: Sequence[Batch]) -> Batch:
    """All nodes, edges and targets of ``graphs``, in order, as one batch without links between them.

    Graph-level batches (which have ``batch``) may hold several graphs each; node-level ones keep ``batch`` None.

    Raises:
        BadInput: if there is nothing to collate, or only some batches have ``batch``, edge weights or attributes.
    """
    if not graphs:
        raise BadInput("there are no graphs to collate")
    first_node = _starts([g.x.size(0) for g in graphs])
    edge_index = torch.cat([g.edge_index + n for g, n in zip(graphs, first_node, strict=False)], dim=1)
    x, y = torch.cat([g.x for g in graphs]), torch.cat([g.y for g in graphs])
    weight = _all_or_none("edge_weight", [g.edge_weight for g in graphs])
    attr = _all_or_none("edge_attr", [g.edge_attr for g in graphs])
    parts = [g.batch for g in graphs]
    if any(part is not None for part in parts):
        first_graph = _starts([g.y.size(0) for g in graphs])
        batch = _all_or_none("batch", [p if p is None else p + n for p, n in zip(parts, first_graph, strict=False)])
        return Batch(x, edge_index, y, batch=batch, edge_weight=weight, edge_attr=attr)
    index = None
    if any(g.index is not None for g in graphs):
        rows = [torch.arange(g.x.size(0), device=x.device) if g.index is None else g.index for g in graphs]
        index = torch.cat([r + n for r, n in zip(rows, first_node, strict=False)])
    return Batch(x, edge_index, y, index=index, edge_weight=weight, edge_attr=attr)


def offsets(batch: Batch) -> Offsets:
    """Where the graphs of a graph-level batch begin. Make it once and give it to every ``select``."""
    if batch.batch is None:
        raise BadInput("only a graph-level batch can be taken apart; this one has no `batch`")
    graphs = batch.y.size(0)
    edges = torch.bincount(batch.batch[batch.edge_index[0]], minlength=graphs)
    return Offsets(_pointer(torch.bincount(batch.batch, minlength=graphs)), _pointer(edges))


def select(batch: Batch, graph_ids: Tensor, at: Offsets | None = None) -> Batch:
    """The graphs ``graph_ids`` of a collated graph-level batch, in that order, as a batch of their own.

    Equal to collating those graphs afresh, at the cost of a few gathers and no loop over graphs.

    Args:
        batch: nodes and edges of a graph lie together, graphs in order, as ``collate`` leaves them.
        graph_ids: ``[chosen]`` int64; a graph may come twice.
        at: ``offsets(batch)``; computed if None.
    """
    at = offsets(batch) if at is None else at
    nodes, node_shift, owner = gather(at.nodes, graph_ids)
    edges, _, edge_owner = gather(at.edges, graph_ids)
    return Batch(
        x=batch.x[nodes],
        edge_index=batch.edge_index[:, edges] - node_shift[edge_owner],
        y=batch.y[graph_ids],
        batch=owner,
        edge_weight=None if batch.edge_weight is None else batch.edge_weight[edges],
        edge_attr=None if batch.edge_attr is None else batch.edge_attr[edges],
    )


def gather(pointer: Tensor, graph_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows to take for the chosen graphs, how far each graph's rows move up, and the new graph of each row."""
    sizes = (pointer[1:] - pointer[:-1])[graph_ids]
    new = _pointer(sizes)
    shift = pointer[graph_ids] - new[:-1]
    owner = torch.repeat_interleave(torch.arange(len(graph_ids), device=sizes.device), sizes)
    return torch.arange(len(owner), device=sizes.device) + shift[owner], shift, owner


def _pointer(sizes: Tensor) -> Tensor:
    return torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])


def _starts(sizes: Sequence[int]) -> list[int]:
    return [0, *torch.tensor(sizes).cumsum(0).tolist()]


def _all_or_none(name: str, parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    if present and len(present) < len(parts):
        raise BadInput(f"{len(present)} of {len(parts)} graphs have {name}: give it to all of them or to none")
    return torch.cat(present) if present else None
