"""Links as items: which edges are hidden, and pairs of nodes without an edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.splits import Plan
from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch

SHARES = {"valid": 0.05, "test": 0.1}
"""Of the links; the division of Kipf and Welling, arXiv 1611.07308."""
ENUMERATED = 4096
"""Up to so many nodes all absent pairs are listed where drawing them would take long."""


@dataclass(frozen=True, eq=False)
class Links:
    """The links of an undirected graph, divided.

    Attributes:
        visible: ``[edges]`` bool, the edges that messages may pass: those of the training links, in both directions.
        pairs: for each split ``[2, items]``, first the links and then as many pairs without one.
        y: for each split ``[items, 1]``, 1 for a link and 0 for none.
    """

    visible: Tensor
    pairs: dict[str, Tensor]
    y: dict[str, Tensor]


def divide_links(edge_index: Tensor, nodes: int, plan: Plan, seed: int, where: str) -> Links:
    """Hide a share of the links for validation and for test.

    No hidden link is among the edges that messages pass, in neither direction. The pairs without a link that validation
    and test score are links in no split; those of training may be hidden links, for training must not know them.

    Args:
        edge_index: ``[2, edges]``, both directions of every edge, no self-loops.

    Raises:
        BadInput: if the split is not ``random``, or there are too few links, or too few pairs without one.
    """
    if str(plan) != "random":
        raise BadInput(f"links are divided at random, 85 % to 5 % to 10 %: use split random, not {plan}")
    rng = torch.Generator().manual_seed(seed)
    each = _keys(edge_index, nodes)
    links = torch.unique(each)
    if len(links) < 10:
        raise BadInput(
            f"{where}: {len(links)} links are too few to hide some of them; link prediction needs 10 or more"
        )
    shuffled = links[torch.randperm(len(links), generator=rng)]
    sizes = {split: max(1, round(share * len(links))) for split, share in SHARES.items()}
    hidden = {"valid": shuffled[: sizes["valid"]], "test": shuffled[sizes["valid"] : sum(sizes.values())]}
    visible = shuffled[sum(sizes.values()) :].sort().values
    absent = absent_pairs(links, nodes, sum(sizes.values()), rng, where)
    pairs = {
        "train": torch.cat([_pairs(visible, nodes), absent_pairs(visible, nodes, len(visible), rng, where)], 1),
        "valid": torch.cat([_pairs(hidden["valid"], nodes), absent[:, : sizes["valid"]]], 1),
        "test": torch.cat([_pairs(hidden["test"], nodes), absent[:, sizes["valid"] :]], 1),
    }
    y = {split: (torch.arange(pair.size(1)) < pair.size(1) // 2).float()[:, None] for split, pair in pairs.items()}
    return Links(torch.isin(each, visible), pairs, y)


def with_fresh_pairs(batch: Batch, rng: torch.Generator) -> Batch:
    """The batch of training links with other pairs without one."""
    assert batch.edge_label_index is not None
    nodes, device = batch.x.size(0), batch.y.device
    if "training links" not in batch.kept:
        links = batch.edge_label_index[:, batch.y[:, 0] == 1]
        batch.kept["training links"] = links, _keys(links.cpu(), nodes).sort().values
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
        return _pairs(keys[torch.randperm(len(keys), generator=rng)[:count]], nodes)
    found = links[:0]
    while len(found) < count:
        drawn = torch.randint(nodes, (2, 2 * (count - len(found)) + 16), generator=rng)
        keys = _keys(drawn[:, drawn[0] != drawn[1]], nodes)
        keys = keys[~_among(keys, links)]
        found = _distinct(torch.cat([found, keys]))[:count]
    return _pairs(found, nodes)


def _keys(pairs: Tensor, nodes: int) -> Tensor:
    """A number for each pair, whichever comes first."""
    return pairs.min(0).values * nodes + pairs.max(0).values


def _pairs(keys: Tensor, nodes: int) -> Tensor:
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
