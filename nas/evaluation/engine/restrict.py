"""A network run on the rows that its scores depend on, and on no others.

Semi-supervised training scores a few nodes of a large graph: on Cora 140 of 2,708. What a layer computes for nodes
that none of those hears of is thrown away, so it need not be computed: the program of the network is read backwards
once, and every step is given the circle of nodes that it is needed for. Scores and gradients are the same. Batch
normalisation in training needs all rows, so nothing is left out before it; nor is anything in the training of a network
whose quantisers learn the range of their values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.fx
from torch import Tensor

from nas.evaluation.engine.products import taken
from nas.evaluation.engine.reach import EVERYWHERE, Reach
from nas.searchspace.layers.hops import Layers, is_rowwise_call
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised, Quantiser

ROWWISE_LAYERS = (
    *(torch.nn.Linear, torch.nn.Dropout, torch.nn.PReLU, torch.nn.LayerNorm, torch.nn.Identity),
    torch.nn.BatchNorm1d,
)

Scores = Callable[[Reach], Tensor]
Named = dict[str, torch.nn.Module]
Hops = Callable[[torch.nn.Module], int | None]


def traced(model: torch.nn.Module) -> torch.fx.Graph | None:
    """The steps of a network in its present mode; None where they cannot be known, or all rows have to be computed."""
    if model.training and any(_observes(layer) for layer in model.modules()):
        return None
    try:
        return Layers().trace(model)
    except Exception:  # control flow that depends on the data, or whatever else cannot be traced
        return None


def restricted(model: torch.nn.Module, old: torch.fx.Graph, reach: Reach, hops: Hops) -> Scores | None:
    """The scores of a node-level network for the scored nodes alone.

    Args:
        model: takes ``x`` and ``edge_index``.
        old: its steps, in its present mode.
        reach: the circles around the scored nodes.
        hops: how far a message-passing layer hears if it can run on a part of a graph, else None.

    Returns: None where a step is not known to work row by row, or nothing can be left out.
    """
    layers = dict(model.named_modules())
    needed = _needed(old, layers, reach, hops)
    if needed is None or all(level == EVERYWHERE for node, level in needed.items() if node.op == "call_module"):
        return None
    code = _rewritten(old, layers, needed, reach, hops).python_code("self")
    scope = dict(code.globals)
    exec(code.src, scope)  # as torch.fx.GraphModule does, which would keep the text for ever
    return partial(scope["forward"], model)


def _observes(layer: Any) -> bool:
    """Whether it learns in training from all rows what the range of its values is."""
    return is_ours(type(layer)) is Quantiser and hasattr(layer, "range")


def _needed(
    graph: torch.fx.Graph,
    layers: Named,
    reach: Reach,
    hops: Hops,
) -> dict[torch.fx.Node, int] | None:
    """The level that each step's output is needed for; None if a step is of an unknown kind."""
    needed = dict.fromkeys(graph.nodes, 0)
    for node in reversed(graph.nodes):
        level = needed[node]
        inputs = [source for source in node.all_input_nodes if source.op != "placeholder" or source.target == "x"]
        far = _hops(node, layers, hops)
        if _needs_all(node, layers):
            level = EVERYWHERE
        elif far is not None:
            level = level if level == EVERYWHERE or far == 0 else reach.level(level + far)
        elif not _is_rowwise(node, layers):
            return None
        for source in inputs:
            needed[source] = max(needed[source], level)
    return needed


def _hops(node: torch.fx.Node, layers: Named, hops: Hops) -> int | None:
    """How far a call of a layer with edges hears; None for any other step."""
    usual = node.op == "call_module" and len(node.args) == 2 and not node.kwargs
    return hops(layers[str(node.target)]) if usual else None


def _needs_all(node: torch.fx.Node, layers: Named) -> bool:
    """Whether it normalises by all rows, itself or in what it is made of."""
    within = layers[str(node.target)].modules() if node.op == "call_module" else ()
    return any(isinstance(layer, torch.nn.BatchNorm1d) and layer.training for layer in within)


def _is_rowwise(node: torch.fx.Node, layers: Named) -> bool:
    if node.op == "call_module":
        layer = layers[str(node.target)]
        if is_ours(type(layer)) is Quantised:
            layer = getattr(layer, "layer")  # noqa: B009
        return isinstance(layer, ROWWISE_LAYERS) or is_ours(type(layer)) is Quantiser
    return is_rowwise_call(node)


def _rewritten(
    old: torch.fx.Graph,
    layers: Named,
    needed: dict[torch.fx.Node, int],
    reach: Reach,
    hops: Hops,
) -> torch.fx.Graph:
    """The same program of a ``Reach``, each step on its own circle."""
    new, made = torch.fx.Graph(), dict[torch.fx.Node, tuple[torch.fx.Node, int]]()
    circles = new.placeholder("reach")
    cut: dict[tuple[torch.fx.Node, int], torch.fx.Node] = {}

    def at(level: int) -> Callable[[torch.fx.Node], torch.fx.Node]:
        def value(source: torch.fx.Node) -> torch.fx.Node:
            found, has = made[source]
            if has == level:
                return found
            if (source, level) not in cut:
                cut[source, level] = new.call_function(rows, (found, circles, has, level))
            return cut[source, level]

        return value

    for node in old.nodes:
        level = EVERYWHERE if _needs_all(node, layers) else needed[node]
        if node.op == "placeholder":
            if node.target == "x":
                made[node] = new.call_function(Reach.features, (circles, level)), level
        elif node.op == "output":
            new.output(at(0)(node.all_input_nodes[0]))
        elif (far := _hops(node, layers, hops)) is not None:
            outer, inner = level, level
            if level != EVERYWHERE and far > 0:
                outer, inner = reach.level(level + far), reach.level(level + far - 1)
            edges = new.call_function(Reach.edges, (circles, outer, inner))
            made[node] = new.call_module(str(node.target), (at(outer)(node.all_input_nodes[0]), edges)), inner
        else:
            made[node] = new.node_copy(node, at(level)), level
    return new


def rows(x: Tensor, reach: Reach, outer: int, inner: int) -> Tensor:
    """The rows of the inner circle out of those of the outer one."""
    return taken(x, reach.places(outer, inner))
