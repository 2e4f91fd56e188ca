"""The message-passing layer of the AGNN search space."""

import torch
import torch.nn.functional as F
from torch_geometric.utils import add_remaining_self_loops, degree, scatter, softmax, sort_edge_index


class SparseSum(torch.autograd.Function):
    """``[nodes, width]``: row i sums value(e) x[source(e)] over its incoming edges e, as a sparse matrix product.

    Edges are sorted by target; those of node i are ``start[i]`` to ``start[i + 1]``.
    """

    @staticmethod
    def forward(ctx, value, x, start, source, target):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(value, x, start, source, target)
        return torch.sparse_csr_tensor(start, source, value, (len(x), len(x)), check_invariants=False) @ x

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        value, x, _, source, target = ctx.saved_tensors
        grad_value = grad_x = None
        if ctx.needs_input_grad[0]:
            grad_value = (grad[target] * x[source]).sum(-1)
        if ctx.needs_input_grad[1]:
            source, order = source.sort(stable=True)
            start = torch.searchsorted(source, torch.arange(len(x) + 1))
            size = (len(x), len(x))
            grad_x = torch.sparse_csr_tensor(start, target[order], value[order], size, check_invariants=False) @ grad
        return grad_value, grad_x, None, None, None


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
        h = self.linear(x).view(x.size(0), self.heads, self.width)
        if torch.compiler.is_exporting() or x.device.type != "cpu":
            return self.along_edges(h, edge_index)
        edge_index, _ = add_remaining_self_loops(edge_index, num_nodes=len(h))
        edge_index = sort_edge_index(edge_index, num_nodes=len(h), sort_by_row=False)
        source, target = edge_index[0], edge_index[1]
        return self.finished(self.sparse(h, self.weights(h, source, target), source, target), h, target)

    def along_edges(self, h: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        """The layer as a message along every edge, in shapes that follow from the shapes of the input alone.

        The graph's own self-loops are not taken out but moved to a spare node, which is cut off in the end.
        """
        h = F.pad(h, (0, 0, 0, 0, 0, 1))
        nodes = h.size(0)
        edge_index = edge_index.masked_fill(edge_index[0] == edge_index[1], nodes - 1)
        edge_index = torch.cat([edge_index, torch.arange(nodes, device=h.device).expand(2, -1)], dim=1)
        source, target = edge_index[0], edge_index[1]
        weight = self.weights(h, source, target)
        messages = h[source] if weight is None else h[source] * weight.unsqueeze(-1)
        out = scatter(messages, target, dim=0, dim_size=nodes, reduce="max" if self.aggregate == "max" else "sum")
        return self.finished(out, h, target)[:-1]

    def finished(self, out: torch.Tensor, h: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """From what arrived at each node and head to ``[nodes, outputs]``."""
        if self.aggregate == "mean":
            out = out / degree(target, h.size(0), dtype=out.dtype).view(-1, 1, 1)
        if self.aggregate == "mlp":
            out = self.mlp(out)
        if self.combine == "mlp":
            out = torch.relu(self.merge(torch.cat([out, h], dim=-1)))
        out = out.flatten(1) if self.concat else out.mean(dim=1)
        return out + self.bias

    def sparse(
        self, h: torch.Tensor, weight: torch.Tensor | None, source: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """The sum or maximum as sparse matrix products: many times faster on a CPU than messages of every edge."""
        start = torch.searchsorted(target, torch.arange(len(h) + 1))
        if weight is None or weight.size(1) == 1:  # one matrix for all heads
            value = h.new_ones(len(source)) if weight is None else weight.squeeze(1)
            return self.product(value, h.flatten(1), start, source, target).view_as(h)
        heads = zip(weight.unbind(1), h.unbind(1), strict=True)
        return torch.stack([self.product(w, x.contiguous(), start, source, target) for w, x in heads], dim=1)

    def product(
        self, value: torch.Tensor, x: torch.Tensor, start: torch.Tensor, source: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """One sparse matrix times ``[nodes, width]``."""
        value = value.contiguous()
        out: torch.Tensor
        if self.aggregate != "max":
            out = SparseSum.apply(value, x, start, source, target)  # type: ignore[no-untyped-call]
        elif ((source[1:] == source[:-1]) & (target[1:] == target[:-1])).any():  # the product wants edges to differ
            out = scatter(x[source] * value.unsqueeze(1), target, dim=0, dim_size=len(x), reduce="max")
        else:
            matrix = torch.sparse_csr_tensor(start, source, value, (len(x), len(x)), check_invariants=False)
            out = torch.sparse.mm(matrix, x, "amax")
        return out

    def weights(self, h: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor | None:
        """The coefficients after dropout."""
        weight = self.coefficients(h, source, target)
        return None if weight is None else F.dropout(weight, self.dropout, self.training)

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
