"""Links as items: which edges are hidden, and pairs of nodes without an edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nas.data.splits import Plan
from nas.searchspace.errors import BadInput
from nas.searchspace.pairs import absent_pairs, keys_of, pairs_of

SHARES = {"valid": 0.05, "test": 0.1}
"""Of the links; the division of Kipf and Welling, arXiv 1611.07308."""


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
    each = keys_of(edge_index, nodes)
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
        "train": torch.cat([pairs_of(visible, nodes), absent_pairs(visible, nodes, len(visible), rng, where)], 1),
        "valid": torch.cat([pairs_of(hidden["valid"], nodes), absent[:, : sizes["valid"]]], 1),
        "test": torch.cat([pairs_of(hidden["test"], nodes), absent[:, sizes["valid"] :]], 1),
    }
    y = {split: (torch.arange(pair.size(1)) < pair.size(1) // 2).float()[:, None] for split, pair in pairs.items()}
    return Links(torch.isin(each, visible), pairs, y)
