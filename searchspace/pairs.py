"""Pairs of nodes: the links of a graph, and as many pairs without one, drawn anew for every step of a training."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch

ENUMERATED = 4096
"""Up to so many nodes all absent pairs are listed where drawing them would take long."""


def with_fresh_pairs(batch: Batch, rng: torch.Generator) -> Batch:
    """The batch of training links with other pairs without one."""
    assert batch.edge_label_index is not None
    nodes, device = batch.x.size(0), batch.y.device
    if "training links" not in batch.kept:
        links = batch.edge_label_index[:, batch.y[:, 0] == 1]
        batch.kept["training links"] = links, keys_of(links.cpu(), nodes).sort().values
    links, known = batch.kept["training links"]
    absent = absent_pairs(known, nodes, links.size(1), rng, "the graph").to(device)
    pairs = torch.cat([links, absent], 1)
    y = (torch.arange(pairs.size(1), device=device) < links.size(1)).float()[:, None]
    return Batch(
        batch.x, batch.edge_index, y,
        edge_weight=batch.edge_weight, edge_attr=batch.edge_attr, edge_label_index=pairs,
    )  # fmt: skip


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
