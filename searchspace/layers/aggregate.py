"""Aggregation over a neighbourhood, without weights."""

import torch
from torch_geometric.utils import scatter


class Aggregate(torch.nn.Module):
    """The mean, maximum or sum of a node and its neighbours (AGG of You et al., NeurIPS 2020, eq. 1).

    Shapes: ``[nodes, width]`` to ``[nodes, width]``.
    """

    def __init__(self, aggr: str = "mean") -> None:
        super().__init__()
        self.aggr = aggr

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        itself = torch.arange(x.size(0), device=x.device).expand(2, -1)
        source, target = torch.cat([edge_index, itself], dim=1).unbind()
        out: torch.Tensor = scatter(x[source], target, dim=0, dim_size=x.size(0), reduce=self.aggr)
        return out
