"""The message-passing layer of the AGNN search space."""

import torch
import torch.nn.functional as F
from torch_geometric.utils import degree, scatter, softmax


class AttentionConv(torch.nn.Module):
    """One layer made of an attention function, an aggregation and a combination (Zhou et al., arXiv 1909.03184).

    With h = W x per head, a neighbour j sends ``a(i, j) h_j`` to i along every edge and the self-loop:

    - ``constant``: a = 1; ``gcn``: a = 1 / sqrt(d_i d_j);
    - ``gat``: leaky_relu(l . h_i + r . h_j); ``sym-gat``: gat(i, j) + gat(j, i);
    - ``cos``: (l * h_i) . (r * h_j); ``linear``: tanh(r . h_j);
    - ``generalised-linear``: g . tanh(L h_i + R h_j);

    all but the first two soft-maxed over the neighbourhood. ``aggregate`` is sum, mean, max, or mlp (a two-layer
    perceptron on the sum); ``combine`` is identity, or mlp (a linear map of the aggregate beside h_i, then relu).
    Heads stand side by side, or are averaged where ``concat`` is false. ``dropout`` acts on a(i, j), as in GAT.

    ``send`` and ``weigh`` are slots: what nodes send and the weight of each edge pass through them.

    Shapes: ``[nodes, inputs]`` to ``[nodes, outputs]``; with ``concat``, ``outputs`` counts all heads together.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        heads: int = 1,
        attention: str = "gat",
        aggregate: str = "sum",
        combine: str = "identity",
        concat: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.concat, self.dropout = heads, concat, dropout
        self.width = outputs // heads if concat else outputs
        if concat and outputs % heads:
            raise ValueError(f"{heads} heads do not divide a width of {outputs}")
        self.attention, self.aggregate, self.combine = attention, aggregate, combine
        width = self.width
        self.linear = torch.nn.Linear(inputs, heads * width, bias=False)
        self.bias = torch.nn.Parameter(torch.zeros(outputs))
        self.send: torch.nn.Module = torch.nn.Identity()
        self.weigh: torch.nn.Module = torch.nn.Identity()
        if attention in ("gat", "sym-gat", "cos"):
            self.left = torch.nn.Parameter(torch.empty(heads, width))
        if attention in ("gat", "sym-gat", "cos", "linear"):
            self.right = torch.nn.Parameter(torch.empty(heads, width))
        if attention == "generalised-linear":
            self.left_map = torch.nn.Linear(width, width, bias=False)
            self.right_map = torch.nn.Linear(width, width, bias=False)
            self.gate = torch.nn.Parameter(torch.empty(heads, width))
        if aggregate == "mlp":
            self.mlp = torch.nn.Sequential(
                torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, width)
            )
        if combine == "mlp":
            self.merge = torch.nn.Linear(2 * width, width)
        torch.nn.init.xavier_uniform_(self.linear.weight)
        for name in ("left", "right", "gate"):
            if hasattr(self, name):
                torch.nn.init.xavier_uniform_(getattr(self, name))

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        # The graph's own self-loops are not taken out but moved to a spare node, which is cut off in the end: so all
        # shapes follow from those of the input, and the layer can be exported.
        h = F.pad(self.send(self.linear(x)).view(x.size(0), self.heads, self.width), (0, 0, 0, 0, 0, 1))
        nodes = h.size(0)
        edge_index = edge_index.masked_fill(edge_index[0] == edge_index[1], nodes - 1)
        edge_index = torch.cat([edge_index, torch.arange(nodes, device=h.device).expand(2, -1)], dim=1)
        source, target = edge_index[0], edge_index[1]
        weight = self.coefficients(h, source, target)
        messages = h[source]
        if weight is not None:
            messages = messages * F.dropout(self.weigh(weight), self.dropout, self.training).unsqueeze(-1)
        reduce = self.aggregate if self.aggregate in ("mean", "max") else "sum"
        out = scatter(messages, target, dim=0, dim_size=nodes, reduce=reduce)
        return self.combined(out[:-1], h[:-1])

    def combined(self, out: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """From what arrived at each node and head, ``[nodes, heads, width]``, to ``[nodes, outputs]``."""
        if self.aggregate == "mlp":
            out = self.mlp(out)
        if self.combine == "mlp":
            out = torch.relu(self.merge(torch.cat([out, h], dim=-1)))
        out = out.flatten(1) if self.concat else out.mean(dim=1)
        return out + self.bias

    def coefficients(self, h: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor | None:
        """The weight of each edge and head, ``[edges, heads]``; None for one everywhere."""
        if self.attention == "constant":
            return None
        if self.attention == "gcn":
            d: torch.Tensor = degree(target, h.size(0), dtype=h.dtype).clamp(min=1).rsqrt()
            return (d[source] * d[target]).unsqueeze(-1)
        if self.attention in ("gat", "sym-gat"):
            left, right = (h * self.left).sum(-1), (h * self.right).sum(-1)
            score = F.leaky_relu(left[target] + right[source], 0.2)
            if self.attention == "sym-gat":
                score = score + F.leaky_relu(left[source] + right[target], 0.2)
        elif self.attention == "cos":
            score = ((h * self.left)[target] * (h * self.right)[source]).sum(-1)
        elif self.attention == "linear":
            score = torch.tanh((h * self.right).sum(-1))[source]
        else:
            mapped = torch.tanh(self.left_map(h)[target] + self.right_map(h)[source])
            score = (mapped * self.gate).sum(-1)
        weight: torch.Tensor = softmax(score, target, num_nodes=h.size(0))
        return weight


class EdgeAttentionConv(AttentionConv):
    """The same along edges that carry something: j sends ``w_ij a(i, j) (h_j + W e_ij)`` to i, with a W for each head.

    The attention a(i, j) is that of the nodes alone. A self-loop has the weight one and no features. ``edge_dim`` is 0
    where edges have no features.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        heads: int = 1,
        attention: str = "gat",
        aggregate: str = "sum",
        combine: str = "identity",
        concat: bool = True,
        dropout: float = 0.0,
        edge_dim: int = 0,
    ) -> None:
        super().__init__(inputs, outputs, heads, attention, aggregate, combine, concat, dropout)
        self.edge = torch.nn.Linear(edge_dim, heads * self.width, bias=False) if edge_dim else None

    def forward(
        self,
        x: torch.Tensor,
        edge_index: torch.Tensor,
        edge_weight: torch.Tensor | None = None,
        edge_attr: torch.Tensor | None = None,
    ) -> torch.Tensor:
        h = F.pad(self.send(self.linear(x)).view(x.size(0), self.heads, self.width), (0, 0, 0, 0, 0, 1))
        nodes = h.size(0)
        edge_index = edge_index.masked_fill(edge_index[0] == edge_index[1], nodes - 1)
        edge_index = torch.cat([edge_index, torch.arange(nodes, device=h.device).expand(2, -1)], dim=1)
        source, target = edge_index[0], edge_index[1]
        weight = self.coefficients(h, source, target)
        messages = h[source]
        if self.edge is not None:
            carried = self.edge(edge_attr).view(-1, self.heads, self.width)
            messages = messages + F.pad(carried, (0, 0, 0, 0, 0, nodes))
        if weight is not None:
            messages = messages * F.dropout(self.weigh(weight), self.dropout, self.training).unsqueeze(-1)
        if edge_weight is not None:
            messages = messages * F.pad(edge_weight, (0, nodes), value=1.0).view(-1, 1, 1)
        reduce = self.aggregate if self.aggregate in ("mean", "max") else "sum"
        out = scatter(messages, target, dim=0, dim_size=nodes, reduce=reduce)
        return self.combined(out[:-1], h[:-1])
