"""Aggregation over a neighbourhood, without weights."""

import torch
from torch_geometric.utils import scatter, sort_edge_index


class Aggregate(torch.nn.Module):
    """The mean, maximum or sum of a node and its neighbours (AGG of You et al., NeurIPS 2020, eq. 1).

    On a CPU this is a product with a sparse matrix, which is kept while the same ``edge_index`` comes again.

    Shapes: ``[nodes, width]`` to ``[nodes, width]``.
    """

    def __init__(self, aggr: str = "mean") -> None:
        super().__init__()
        self.aggr = aggr
        self.kept: tuple[torch.Tensor, int, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_exporting() or x.device.type != "cpu":
            source, target = self.with_itself(edge_index, x.size(0))
            out: torch.Tensor = scatter(x[source], target, dim=0, dim_size=x.size(0), reduce=self.aggr)
        else:
            out = torch.sparse.mm(self.matrix(edge_index, x), x, "amax" if self.aggr == "max" else self.aggr)
        return out

    def with_itself(self, edge_index: torch.Tensor, nodes: int) -> torch.Tensor:
        """The edges, and one from each node to itself."""
        return torch.cat([edge_index, torch.arange(nodes, device=edge_index.device).expand(2, -1)], dim=1)

    def matrix(self, edge_index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``[nodes, nodes]``, ones where row i hears column j."""
        if self.kept is not None and self.kept[0] is edge_index and self.kept[1] == edge_index._version:
            return self.kept[2]
        nodes = x.size(0)
        edges = sort_edge_index(self.with_itself(edge_index, nodes), num_nodes=nodes, sort_by_row=False)
        source, target = edges[0], edges[1]
        start = torch.searchsorted(target, torch.arange(nodes + 1))
        value = torch.ones(len(source), dtype=x.dtype)
        matrix = torch.sparse_csr_tensor(start, source, value, (nodes, nodes), check_invariants=False)
        self.kept = (edge_index, edge_index._version, matrix)
        return matrix
