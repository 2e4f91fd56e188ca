"""Pairs of nodes: the links of a graph, and as many pairs without one; others for every step of a training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch

HIDDEN = 0.5
"""Of the training links so many are looked for in a step; messages pass the others."""
ENUMERATED = 4096
"""Up to so many nodes all absent pairs are listed where drawing them would take long."""


def hiding_some(batch: Batch, rng: torch.Generator) -> Batch:
    """The batch of training links for one step: some links, hidden from messages, and as many pairs without one.

    A link that carries messages between its nodes would be found by them, as no link that is looked for later can be:
    Dong et al., "FakeEdge: Alleviate Dataset Shift in Link Prediction", LoG 2022 (arXiv 2211.15899).
    """
    held, nodes, device = _links(batch), batch.x.size(0), batch.y.device
    count = held.pairs.size(1)
    chosen = torch.randperm(count, generator=rng)[: max(1, round(HIDDEN * count))]
    absent = absent_pairs(held.keys, nodes, len(chosen), rng, "the graph").to(device)
    hidden = torch.zeros(count, dtype=torch.bool).index_fill_(0, chosen, True).to(device)
    pairs = torch.cat([held.pairs[:, hidden], absent], 1)
    left = ~hidden[held.link]
    return Batch(
        batch.x,
        _only(batch.edge_index, left),
        (torch.arange(pairs.size(1), device=device) < len(chosen)).float()[:, None],
        edge_weight=None if batch.edge_weight is None else batch.edge_weight[left],
        edge_attr=None if batch.edge_attr is None else batch.edge_attr[left],
        edge_label_index=pairs,
    )


class _Links(NamedTuple):
    """Of a batch of training links.

    Attributes:
        keys: ``[links]``, sorted, on the CPU.
        pairs: ``[2, links]``, their nodes.
        link: ``[edges]``, which of them an edge is.
    """

    keys: Tensor
    pairs: Tensor
    link: Tensor


def _links(batch: Batch) -> _Links:
    if "training links" not in batch.kept:
        assert batch.edge_label_index is not None
        nodes, device = batch.x.size(0), batch.y.device
        keys = keys_of(batch.edge_label_index[:, batch.y[:, 0] == 1].cpu(), nodes).sort().values
        link = torch.searchsorted(keys, keys_of(batch.edge_index.as_subclass(Tensor).cpu(), nodes))
        batch.kept["training links"] = _Links(keys, pairs_of(keys, nodes).to(device), link.to(device))
    held: _Links = batch.kept["training links"]
    return held


def _only(edge_index: Tensor, left: Tensor) -> Tensor:
    """Some of the edges, prepared if they all are, see ``nas.evaluation.engine.graph.Edges``."""
    only = getattr(edge_index, "only", None)
    return edge_index[:, left] if only is None else only(left)


def absent_pairs(links: Tensor, nodes: int, count: int, rng: torch.Generator, where: str) -> Tensor:
    """``[2, count]`` different pairs of different nodes that are not among ``links``, drawn alike.

    Args:
        links: keys, sorted.

    Raises:
        BadInput: if there are not so many.
    """
    free = nodes * (nodes - 1) // 2 - len(links)
    if free < count:
        raise BadInput(
            f"{where}: link prediction needs {count} pairs of nodes without a link and there are {free}; the graph is "
            "too dense for it"
        )
    if free < 4 * count and nodes <= ENUMERATED:
        every = torch.combinations(torch.arange(nodes))
        keys = every[:, 0] * nodes + every[:, 1]
        keys = keys[~torch.isin(keys, links)]
        return pairs_of(keys[torch.randperm(len(keys), generator=rng)[:count]], nodes)
    found = links[:0]
    while len(found) < count:
        drawn = torch.randint(nodes, (2, 2 * (count - len(found)) + 16), generator=rng)
        keys = keys_of(drawn[:, drawn[0] != drawn[1]], nodes)
        keys = keys[~_among(keys, links)]
        found = _distinct(torch.cat([found, keys]))[:count]
    return pairs_of(found, nodes)


def keys_of(pairs: Tensor, nodes: int) -> Tensor:
    """A number for each pair, whichever comes first."""
    return pairs.min(0).values * nodes + pairs.max(0).values


def pairs_of(keys: Tensor, nodes: int) -> Tensor:
    """The inverse of ``keys_of``: ``[2, keys]``, the smaller node first."""
    return torch.stack([keys.div(nodes, rounding_mode="floor"), keys.remainder(nodes)])


def _among(keys: Tensor, known: Tensor) -> Tensor:
    if not len(known):
        return torch.zeros_like(keys, dtype=torch.bool)
    return known[torch.searchsorted(known, keys).clamp(max=len(known) - 1)] == keys


def _distinct(keys: Tensor) -> Tensor:
    """Each key once, in the order of its first appearance."""
    order = keys.argsort(stable=True)
    ordered = keys[order]
    first = torch.ones_like(ordered, dtype=torch.bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return keys[order[first].sort().values]
