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


class EdgeAggregate(torch.nn.Module):
    """The same along edges that carry something: j sends ``w_ij relu(x_j + W e_ij + b)`` to i, and i itself x_i.

    The message of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020 (GINE): without the relu
    its sum and mean would not tell which neighbour an edge leads to. Where edges have no features, ``edge_dim`` is 0
    and a neighbour sends ``w_ij x_j``. The mean is over the number of messages, whatever they weigh.

    Shapes: ``[nodes, width]``, weights ``[edges]`` and features of edges ``[edges, edge_dim]`` to ``[nodes, width]``.
    """

    def __init__(self, width: int, aggr: str = "mean", edge_dim: int = 0) -> None:
        super().__init__()
        self.aggr = aggr
        self.edge = torch.nn.Linear(edge_dim, width) if edge_dim else None

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        edge_weight: torch.Tensor | None = None,
        edge_attr: torch.Tensor | None = None,
    ) -> torch.Tensor:
        sent = x[edge_index[0]]
        if self.edge is not None:
            sent = torch.relu(sent + self.edge(edge_attr))
        if edge_weight is not None:
            sent = sent * edge_weight.unsqueeze(1)
        target = torch.cat([edge_index[1], torch.arange(x.size(0), device=x.device)])
        out: torch.Tensor = scatter(torch.cat([sent, x]), target, dim=0, dim_size=x.size(0), reduce=self.aggr)
        return out
