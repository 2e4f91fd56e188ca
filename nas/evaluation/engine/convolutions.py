"""Convolutions of torch_geometric whose messages carry constant weights, as products with one matrix.

The linear map comes before the aggregation where that is cheaper, which is the same function. Each row says which
settings of the layer it covers; other settings run as torch_geometric wrote them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.nn import ARMAConv, ChebConv, GCNConv, GINConv, GraphConv, SAGEConv, SGConv, TAGConv

from nas.evaluation.engine.dropout import Noise, dropped
from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.graph import PLAIN, Graph
from nas.evaluation.engine.products import highest, propagate

SUMS = ("add", "sum")


def map_first(x: Tensor, weight: Tensor) -> bool:
    """Whether the linear map should come before the aggregation."""
    return isinstance(x, SparseFeatures) or weight.size(0) <= weight.size(1)


def spread(graph: Graph, matrix: str, x: Tensor, weight: Tensor, times: int = 1, every: bool = False) -> Tensor:
    """M^times X W^T in the cheaper order, the rows that are wanted or ``every`` one.

    M X is kept where X is the features themselves.
    """
    wanted = (lambda rows: rows) if every else graph.wanted
    if x is graph.features and not isinstance(x, SparseFeatures):
        return F.linear(wanted(graph.propagated(matrix, times)), weight)
    first = map_first(x, weight)
    x = F.linear(x, weight) if first else x
    for _ in range(times):
        x = propagate(graph.matrix(matrix), x)
    return wanted(x) if first else F.linear(wanted(x), weight)


def itself(graph: Graph, x: Tensor, linear: Any) -> Tensor:
    """A linear map of the wanted rows; of sparse ones it is cheap to map all."""
    out: Tensor = graph.wanted(linear(x)) if isinstance(x, SparseFeatures) else linear(graph.wanted(x))
    return out


def gcn(layer: GCNConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Kipf and Welling, ICLR 2017, eq. 2."""
    return _biased(spread(graph, "gcn", x, layer.lin.weight), layer.bias)


def sage(layer: SAGEConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Hamilton et al., NeurIPS 2017: W_l mean(x_j) + W_r x_i, or another aggregation."""
    out: Tensor = _aggregated(layer.aggr, graph, x, layer.lin_l)
    return out + itself(graph, x, layer.lin_r) if layer.root_weight else out


def graph_conv(layer: GraphConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Morris et al., AAAI 2019: W_1 x_i + W_2 sum(x_j), or another aggregation."""
    out: Tensor = _aggregated(layer.aggr, graph, x, layer.lin_rel)
    return out + itself(graph, x, layer.lin_root)


def gin(layer: GINConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Xu et al., ICLR 2019, eq. 4.1; the first linear map of the network is drawn before the sum."""
    first, *rest = layer.nn if isinstance(layer.nn, torch.nn.Sequential) else [layer.nn]
    own = 1 + layer.eps
    if not isinstance(first, torch.nn.Linear) or not map_first(x, first.weight):
        x = plain(x)
        out: Tensor = layer.nn(graph.wanted(propagate(graph.matrix("sum"), x)) + own * graph.wanted(x))
        return out
    mapped = F.linear(x, first.weight)
    summed = graph.wanted(propagate(graph.matrix("sum"), mapped))
    out = _biased(summed + own * graph.wanted(mapped), first.bias)
    for module in rest:
        out = module(out)
    return out


def sg(layer: SGConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Wu et al., ICML 2019."""
    return _biased(spread(graph, "gcn", x, layer.lin.weight, layer.K), layer.lin.bias)


def tag(layer: TAGConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """X W_0 + A (X W_1 + A (X W_2 + ...)), by Horner's scheme."""
    if not map_first(x, layer.lins[0].weight):
        out = layer.lins[0](x)
        for linear in layer.lins[1:]:
            x = propagate(graph.matrix("symmetric"), x)
            out = out + linear(x)
        return _biased(out, layer.bias)
    out = layer.lins[-1](x)
    for linear in reversed(layer.lins[:-1]):
        out = propagate(graph.matrix("symmetric"), out) + linear(x)
    return _biased(out, layer.bias)


def cheb(layer: ChebConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """The sum of T_k(L) X W_k, by Clenshaw's recurrence b_k = X W_k + 2 L b_(k+1) - b_(k+2)."""
    later: list[Tensor | None] = [None, None]
    for k in range(len(layer.lins) - 1, -1, -1):
        b = layer.lins[k](x)
        if later[0] is not None:
            b = b + (2 if k else 1) * propagate(graph.matrix("laplacian"), later[0])
        if later[1] is not None:
            b = b - later[1]
        later = [b, later[0]]
    assert later[0] is not None
    return _biased(later[0], layer.bias)


def arma(layer: ARMAConv, x: Tensor, graph: Graph, noise: Noise) -> Tensor:
    """Bianchi et al., TPAMI 2021, for a single stack."""
    out = x
    for step in range(layer.num_layers):
        shared = 0 if layer.shared_weights else step
        weight = layer.init_weight[0] if step == 0 else layer.weight[0 if layer.shared_weights else step - 1, 0]
        out = spread(graph, "symmetric", out, weight.t(), every=True)
        root = dropped(noise, x, layer.dropout, layer.training)
        out = out + F.linear(root, layer.root_weight[shared, 0].t())
        out = _biased(out, None if layer.bias is None else layer.bias[shared, 0])
        out = out if layer.act is None else layer.act(out)
    return out


def _aggregated(aggr: str, graph: Graph, x: Tensor, linear: Any) -> Tensor:
    """The linear map of the aggregated neighbours."""
    if aggr == "max":
        out: Tensor = linear(graph.wanted(highest(graph.structure(PLAIN), plain(x))))
        return out
    return _biased(spread(graph, "sum" if aggr in SUMS else aggr, x, linear.weight), linear.bias)


def _biased(x: Tensor, bias: Tensor | None) -> Tensor:
    return x if bias is None else x + bias


def _aggregates(layer: Any) -> bool:
    return layer.aggr in (*SUMS, "mean", "max")


CONVOLUTIONS: dict[type, tuple[Any, Any]] = {
    GCNConv: (gcn, lambda m: m.normalize and m.add_self_loops and not m.improved and m.aggr in SUMS),
    SAGEConv: (sage, lambda m: _aggregates(m) and not m.project and not m.normalize),
    GraphConv: (graph_conv, _aggregates),
    GINConv: (gin, lambda m: m.aggr in SUMS),
    SGConv: (sg, lambda m: m.add_self_loops and not m.cached and m.aggr in SUMS),
    TAGConv: (tag, lambda m: m.normalize and m.aggr in SUMS),
    ChebConv: (cheb, lambda m: m.normalization == "sym" and m.aggr in SUMS),
    ARMAConv: (arma, lambda m: m.num_stacks == 1 and m.aggr in SUMS),
}
"""Layer to its forward pass, and to what it asks of the layer."""
NARROWING = (gcn, sage, graph_conv, gin, sg)
"""Those that return the wanted rows of the graph alone, so that nothing more is computed for the others."""
