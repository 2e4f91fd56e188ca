"""Aggregation over a neighbourhood, without weights."""

import torch
from torch_geometric.utils import add_remaining_self_loops, scatter, sort_edge_index


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
            edge_index, _ = add_remaining_self_loops(edge_index, num_nodes=x.size(0))
            return scatter(x[edge_index[0]], edge_index[1], dim=0, dim_size=x.size(0), reduce=self.aggr)
        reduce = "amax" if self.aggr == "max" else self.aggr
        return torch.sparse.mm(self.matrix(edge_index, x), x, reduce)

    def matrix(self, edge_index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``[nodes, nodes]`` ones where row i hears column j, itself included."""
        if self.kept is not None and self.kept[0] is edge_index and self.kept[1] == edge_index._version:
            return self.kept[2]
        nodes, seen = x.size(0), edge_index
        edge_index, _ = add_remaining_self_loops(edge_index, num_nodes=nodes)
        source, target = sort_edge_index(edge_index, num_nodes=nodes, sort_by_row=False)
        start = torch.searchsorted(target, torch.arange(nodes + 1))
        value = torch.ones(len(source), dtype=x.dtype)
        matrix = torch.sparse_csr_tensor(start, source, value, (nodes, nodes), check_invariants=False)
        self.kept = (seen, seen._version, matrix)
        return matrix
