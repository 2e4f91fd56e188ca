"""The modules of a supernet: each holds all options of a step and is called with their weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.utils import scatter

from nas.controllers.supernet.mixed import Mixed, options, together
from nas.controllers.supernet.sampling import Weights
from nas.searchspace.layers.attention import AttentionConv
from nas.searchspace.layers.quantised import Quantised, Quantiser, described
from nas.searchspace.task import Batch

Inputs = list[tuple[Tensor, Tensor]]
"""A constant that is rounded in several ways, ``[nodes, features]``, with the weight of each.

Features may be sparse; what is linear in them is computed of each and weighed afterwards.
"""


def bits_of(format: str) -> float:
    """Bits of a number as it is stored; five ternary ones take a byte."""
    kind, bits, _, _ = described(format)
    return 1.6 if kind == "ternary" else float(bits)


def bits(formats: Any, weights: Weights) -> Tensor:
    """The expected bits of a number whose format is not decided."""
    each = torch.tensor([bits_of(f) for f in options(formats)])
    return (weights.value(formats) * each).sum()


def weighted(parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The sum of tensors times their weights."""
    total = parts[0][1] * parts[0][0]
    for weight, x in parts[1:]:
        total = total + weight * x
    return total


class Rounding(torch.nn.Module):
    """A quantiser whose format is not decided.

    Gradients go straight through all formats alike, but for learned scales, so that they are computed once.
    """

    def __init__(self, formats: Any, moving: bool = True) -> None:
        super().__init__()
        self.formats = formats
        self.each = torch.nn.ModuleList(Quantiser(f, moving=moving) for f in options(formats))
        self.weights: Weights | None = None  # of this pass, for a layer that calls it without

    def forward(self, x: Tensor, edge_index: Tensor | None = None) -> Tensor:
        assert self.weights is not None
        if not isinstance(self.formats, Mixed):
            out: Tensor = self.each[0](x)
            return out
        parts = []
        for i, w in self.weights.active(self.formats):
            quantiser: Any = self.each[i]
            with torch.set_grad_enabled(quantiser.learned and torch.is_grad_enabled()):
                parts.append((w, quantiser(x)))
        return weighted(parts) + (x - x.detach())

    def of_inputs(self, x: Tensor, weights: Weights) -> Inputs:
        """Of the network's own features, each rounding apart."""
        found = []
        for i, w in weights.active(self.formats):
            quantiser: Any = self.each[i]
            sparse = hasattr(x, "with_values") and quantiser.kind not in ("binary", "float")
            held: Any = x
            found.append((w, held.with_values(quantiser(held.values_stored)) if sparse else quantiser(x)))
        return found


class Low(torch.nn.Module):
    """Weights of a module, those with two dimensions or more rounded."""

    def __init__(self, formats: Any) -> None:
        super().__init__()
        self.formats, self.rounding = formats, Rounding(formats, moving=False)

    def forward(self, weight: Tensor, weights: Weights) -> Tensor:
        self.rounding.weights = weights
        out: Tensor = self.rounding(weight)
        return out

    def bits(self, weights: Weights) -> Tensor:
        """The expected bits of one of them."""
        return bits(self.formats, weights)


def linear(x: Tensor | Inputs, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear map; of a constant with several roundings it is one of each."""
    if isinstance(x, Tensor):
        return F.linear(x, weight[:, : x.size(1)], bias)
    out = weighted([(w, F.linear(each, weight)) for w, each in x])
    return out if bias is None else out + bias


def joined(x: Tensor | Inputs) -> Tensor:
    """A constant with several roundings as one tensor."""
    if isinstance(x, Tensor):
        return x
    return weighted([(w, each.dense() if hasattr(each, "dense") else each) for w, each in x])


def alike(x: Tensor) -> Tensor:
    """Each column with mean zero and deviation one, so that options can be weighed against each other.

    As DARTS normalises each operation: the sum over a neighbourhood is tens of times its mean, and weights that serve
    the one would not serve the other. Activations are left as they are: one that hinders the supernet, such as a
    sigmoid between layers, hinders the network that is derived too.
    """
    centred = x - x.mean(0)
    return centred * (centred.square().mean(0) + 1e-5).rsqrt()


def wide(x: Tensor, most: int) -> Tensor:
    """With zeros in the columns that do not count in this pass."""
    return x if x.size(1) == most else F.pad(x, (0, most - x.size(1)))


def level(values: list[Tensor]) -> list[Tensor]:
    """All as wide as the widest of them: some steps leave out the columns that do not count, others do not."""
    most = max(x.size(1) for x in values)
    return [wide(x, most) for x in values]


def widest(width: Any, weights: Weights) -> int:
    """The widest of the widths that count."""
    return int(max(options(width)[i] for i, _ in weights.active(width)))


def masked(x: Tensor, width: Any, weights: Weights) -> Tensor:
    """Each column times the weight of the widths that have it; ``[rows, widest]`` or narrower."""
    if not isinstance(width, Mixed):
        return x
    there = torch.tensor([[float(j < w) for j in range(x.size(1))] for w in width.options])
    return x * (weights.value(width) @ there).to(x.device)


class Linear(torch.nn.Module):
    """A linear map to a width that is not decided."""

    def __init__(self, inputs: Any, width: Any, bias: bool, formats: Any) -> None:
        super().__init__()
        self.inputs, self.width, self.most = inputs, width, max(options(width))
        self.map, self.low = torch.nn.Linear(max(options(inputs)), self.most, bias=bias), Low(formats)

    def forward(self, x: Tensor | Inputs, weights: Weights) -> Tensor:
        width, bias = widest(self.width, weights), self.map.bias
        out = linear(x, self.low(self.map.weight[:width], weights), None if bias is None else bias[:width])
        return masked(out, self.width, weights)

    def size(self, weights: Weights) -> Tensor:
        """Expected bits of the weights."""
        width, bias = weights.expected(self.width), 32.0 * (self.map.bias is not None)
        return width * (weights.expected(self.inputs) * self.low.bits(weights) + bias)


class Operator(torch.nn.Module):
    """Operators side by side, all from and to the widest widths; their weighted sum.

    ``taken`` says of each with what arguments it is called, see :func:`nas.controllers.supernet.rows.arguments`.
    """

    def __init__(
        self, layers: list[torch.nn.Module], taken: list[Any], which: Any, inputs: Any, width: Any, precision: Any
    ) -> None:
        super().__init__()
        self.taken = taken
        self.which, self.inputs, self.width, self.most = which, inputs, width, max(options(width))
        self.low, self.layers, self.roundings = Low(precision.weights), torch.nn.ModuleList(), torch.nn.ModuleList()
        for layer in layers:
            held: Any = Quantised(layer, messages="int8", attention="affine8")  # its hooks and slots, filled anew
            send, weigh = Rounding(precision.messages), Rounding(precision.attention)
            slots: Any = layer if isinstance(getattr(layer, "send", None), torch.nn.Module) else held
            slots.send, slots.weigh = send, weigh
            self.roundings.extend([send, weigh])
            self.layers.append(held)

    def forward(self, x: Tensor | Inputs, weights: Weights, batch: Batch) -> Tensor:
        whole, parts = wide(joined(x), max(options(self.inputs))), []
        for rounding in self.roundings:
            vars(rounding)["weights"] = weights
        for i, w in weights.active(self.which):
            layer: Any = self.layers[i].layer
            low = {n: self.low(p, weights) for n, p in layer.named_parameters() if p.dim() > 1}
            parts.append((w, torch.func.functional_call(layer, low, *self.taken[i](whole, batch))))
        return masked(weighted(parts), self.width, weights)

    def size(self, weights: Weights) -> Tensor:
        """Expected bits of the weights."""
        total, share = torch.zeros(()), weights.expected(self.width) / self.most
        share_in = weights.expected(self.inputs) / max(options(self.inputs))
        for i, w in weights.active(self.which):
            held: Any = self.layers[i]
            for parameter in held.layer.parameters():
                low = parameter.dim() > 1
                total = total + w * share * parameter.numel() * (share_in * self.low.bits(weights) if low else 32.0)
        return total


class Attention(torch.nn.Module):
    """``AttentionConv`` with nothing decided, component by component.

    The coefficients of edges, the aggregations and the combinations are weighted sums each. ``hidden`` is the width of
    a head; of the linear map and all that follows the first rows are computed, as many as count. Where edges carry
    something it is ``EdgeAttentionConv``.
    """

    def __init__(
        self, inputs: Any, hidden: Any, settings: dict[str, Any], precision: Any, edge_features: int = 0
    ) -> None:
        super().__init__()
        self.inputs, self.hidden, self.heads = inputs, hidden, settings["heads"]
        self.attention, self.aggregate = settings["attention"], settings["aggregate"]
        self.combine, self.concat, self.dropout = settings["combine"], settings["concat"], settings["dropout"]
        self.width, self.most = max(options(hidden)), max(options(self.heads))
        self.map = torch.nn.Linear(max(options(inputs)), self.most * self.width, bias=False)
        torch.nn.init.xavier_uniform_(self.map.weight)
        self.sent = together(lambda heads, hidden: heads * hidden, self.heads, hidden)
        self.bias = torch.nn.Parameter(torch.zeros(self.width * (self.most if self.concat else 1)))
        self.kinds = torch.nn.ModuleList(_Coefficients(self.most, self.width, k) for k in options(self.attention))
        whole = AttentionConv(1, self.width, 1, "constant", "mlp", "mlp")
        self.mlp, self.merge = whole.mlp, whole.merge
        self.low = Low(precision.weights)
        self.send, self.weigh = Rounding(precision.messages), Rounding(precision.attention)
        self.edge = torch.nn.Linear(edge_features, self.most * self.width, bias=False) if edge_features else None

    def forward(self, x: Tensor | Inputs, weights: Weights, batch: Batch) -> Tensor:
        heads, width = widest(self.heads, weights), widest(self.hidden, weights)
        self.send.weights = self.weigh.weights = weights
        h = linear(x, self.low(self.map.weight[: heads * width], weights))
        h = self.send(masked(h, self.sent, weights)).view(-1, heads, width)
        out = self._combined(self._aggregated(h, batch, weights), h, weights)
        out = out.flatten(1) if self.concat else out.mean(1)
        return masked(out + self.bias[: out.size(1)], self.sent if self.concat else self.hidden, weights)

    def _aggregated(self, h: Tensor, batch: Batch, weights: Weights) -> Tensor:
        """What arrives at each node and head, ``[nodes, heads, width]``."""
        (nodes, heads, width), edge_index = h.shape, batch.edge_index
        keep, itself = edge_index[0] != edge_index[1], torch.arange(nodes, device=h.device)
        source, target = (torch.cat([edge_index[i][keep], itself]) for i in (0, 1))
        scores = []
        for i, w in weights.active(self.attention):
            kind: Any = self.kinds[i]
            cut = {}
            for name, p in kind.named_parameters():
                rows = width if name.endswith("_map.weight") else heads
                cut[name] = self.low(p[:rows, :width], weights)
            scores.append((w, torch.func.functional_call(kind, cut, (h, source, target))))
        coefficient = F.dropout(self.weigh(weighted(scores)), self.dropout, self.training)
        sent, parts = h[source], []
        if self.edge is not None:
            assert batch.edge_attr is not None
            carried = F.linear(batch.edge_attr[keep], self.low(self.edge.weight[: heads * width], weights))
            carried = masked(carried, self.sent, weights).view(-1, heads, width)
            sent = sent + F.pad(carried, (0, 0, 0, 0, 0, nodes))
        if batch.edge_weight is not None:
            coefficient = coefficient * F.pad(batch.edge_weight[keep], (0, nodes), value=1.0).unsqueeze(-1)
        messages = sent * coefficient.unsqueeze(-1)
        active = [(options(self.aggregate)[i], w) for i, w in weights.active(self.aggregate)]
        total = h
        if any(name != "max" for name, _ in active):
            total = scatter(messages, target, dim=0, dim_size=nodes, reduce="sum")
        for name, w in active:
            if name == "max":
                found = scatter(messages, target, dim=0, dim_size=nodes, reduce="max")
            elif name == "mean":
                found = total / torch.bincount(target, minlength=nodes).view(-1, 1, 1)
            elif name == "mlp":
                mlp: Any = self.mlp
                first, second = (self.low(mlp[i].weight[:width, :width], weights) for i in (0, 2))
                inner = torch.relu(F.linear(total, first, mlp[0].bias[:width]))
                found = F.linear(inner, second, mlp[2].bias[:width])
            else:
                found = total
            parts.append((w, alike(found)))
        return weighted(parts)

    def _combined(self, out: Tensor, h: Tensor, weights: Weights) -> Tensor:
        width, parts = h.size(2), []
        for i, w in weights.active(self.combine):
            if options(self.combine)[i] == "mlp":
                whole = self.merge.weight[:width]
                merge = torch.cat([whole[:, :width], whole[:, self.width : self.width + width]], 1)
                found = F.linear(torch.cat([out, h], -1), self.low(merge, weights), self.merge.bias[:width])
                parts.append((w, alike(torch.relu(found))))
            else:
                parts.append((w, out))
        return weighted(parts)

    def size(self, weights: Weights) -> Tensor:
        """Expected bits of the weights."""
        low, width, heads = self.low.bits(weights), weights.expected(self.hidden), weights.expected(self.heads)
        into = weights.expected(self.inputs) + (0 if self.edge is None else self.edge.in_features)
        total = heads * width * into * low + 32.0 * width * (heads if self.concat else 1)
        vectors = {"gat": 2, "sym-gat": 2, "cos": 2, "linear": 1, "generalised-linear": 1}
        for i, w in weights.active(self.attention):
            kind = options(self.attention)[i]
            maps = 2 * width * width if kind == "generalised-linear" else 0
            total = total + w * low * (vectors.get(kind, 0) * heads * width + maps)
        for i, w in weights.active(self.aggregate):
            total = total + w * (options(self.aggregate)[i] == "mlp") * (2 * width * width * low + 64.0 * width)
        for i, w in weights.active(self.combine):
            total = total + w * (options(self.combine)[i] == "mlp") * (2 * width * width * low + 32.0 * width)
        return total


class _Coefficients(torch.nn.Module):
    """One attention function of ``AttentionConv`` alone."""

    def __init__(self, heads: int, width: int, kind: str) -> None:
        super().__init__()
        self.layer = AttentionConv(1, heads * width, heads, kind)
        del self.layer.linear, self.layer.bias

    def forward(self, h: Tensor, source: Tensor, target: Tensor) -> Tensor:
        weight = self.layer.coefficients(h, source, target)
        ones = h.new_ones(len(source), 1) if weight is None else weight
        return ones.expand(-1, h.size(1))
