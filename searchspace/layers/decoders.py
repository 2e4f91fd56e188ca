"""From the embeddings of nodes to the scores of pairs of nodes.

Every decoder takes ``[nodes, width]`` and the pairs ``edge_label_index``, ``[2, links]``, and returns
``[links, outputs]``. The two nodes of a pair may be swapped.
"""

import torch


class DotDecoder(torch.nn.Module):
    """The dot product of the two embeddings, scaled and moved (Kipf and Welling, arXiv 1611.07308)."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(outputs))
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, edge_label_index: torch.Tensor) -> torch.Tensor:
        one, other = x[edge_label_index[0]], x[edge_label_index[1]]
        return (one * other).sum(dim=1, keepdim=True) * self.scale + self.bias


class BilinearDecoder(torch.nn.Module):
    """A symmetric bilinear form of the two embeddings for each output: x_i (W + W^T) x_j / 2 + b."""

    def __init__(self, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.form = torch.nn.Linear(width, outputs * width, bias=False)
        self.bias = torch.nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor, edge_label_index: torch.Tensor) -> torch.Tensor:
        one, other = edge_label_index[0], edge_label_index[1]
        mapped = self.form(x).view(x.size(0), len(self.bias), -1)
        score = (mapped[one] * x[other].unsqueeze(1)).sum(-1) + (mapped[other] * x[one].unsqueeze(1)).sum(-1)
        out: torch.Tensor = score / 2 + self.bias
        return out


class ProductDecoder(torch.nn.Module):
    """A perceptron on the elementwise product of the two embeddings (the decoder of Hu et al., NeurIPS 2020)."""

    def __init__(self, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.score = torch.nn.Sequential(
            torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, outputs)
        )

    def forward(self, x: torch.Tensor, edge_label_index: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.score(x[edge_label_index[0]] * x[edge_label_index[1]])
        return out


class CommonNeighbourDecoder(torch.nn.Module):
    """A perceptron on the product of the two embeddings beside the sum of those of the common neighbours.

    Wang, Yang and Zhang, "Neural Common Neighbor with Completion for Link Prediction", ICLR 2024, eq. 8: NCN.
    A neighbour sends an edge to a node.
    """

    def __init__(self, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.score = torch.nn.Sequential(
            torch.nn.Linear(2 * width, width), torch.nn.ReLU(), torch.nn.Linear(width, outputs)
        )

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, edge_label_index: torch.Tensor) -> torch.Tensor:
        pair, node = self.common(edge_index, edge_label_index, x.size(0))
        shared = x.new_zeros(edge_label_index.size(1), x.size(1)).index_add(0, pair, x[node])
        product = x[edge_label_index[0]] * x[edge_label_index[1]]
        out: torch.Tensor = self.score(torch.cat([product, shared], dim=1))
        return out

    def common(
        self, edge_index: torch.Tensor, edge_label_index: torch.Tensor, nodes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Each common neighbour of each pair: the number of the pair, and the node."""
        keys, start = self.neighbours(edge_index, nodes)
        count = start.diff()
        swap = count[edge_label_index[0]] > count[edge_label_index[1]]  # the node with fewer neighbours comes first
        one = torch.where(swap, edge_label_index[1], edge_label_index[0])
        other = torch.where(swap, edge_label_index[0], edge_label_index[1])
        pair = torch.repeat_interleave(torch.arange(one.size(0), device=one.device), count[one])
        first = start[one] - count[one].cumsum(0) + count[one]
        node = keys[torch.arange(pair.size(0), device=one.device) + first[pair]] - one[pair] * nodes
        wanted = other[pair] * nodes + node
        there = keys[torch.searchsorted(keys, wanted).clamp(max=keys.size(0) - 1)] == wanted
        there = there & (node != one[pair]) & (node != other[pair])
        return pair[there], node[there]

    def neighbours(self, edge_index: torch.Tensor, nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The different ``target * nodes + source`` in order, and where those of each target begin, ``[nodes + 1]``."""
        keys = torch.unique(edge_index[1] * nodes + edge_index[0])
        return keys, torch.searchsorted(keys, torch.arange(nodes + 1, device=keys.device) * nodes)
