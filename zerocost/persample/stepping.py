"""A network step by step, each step on the rows that it is needed for.

What a network says of an item depends on what its last layer computes for the item alone, on what the layer before
computes for the neighbours of the item, and so on: of the rows of a neighbourhood most are needed by the first layer
only, so the later ones do with a fraction of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.fx
from torch import Tensor

from nas.searchspace.layers.hops import is_rowwise_call
from nas.searchspace.layers.known import DECODERS, is_ours
from nas.zerocost.persample.egonets import Samples
from nas.zerocost.persample.receptive import inside, trace

Named = dict[str, torch.nn.Module]


def outputs(model: torch.nn.Module, samples: Samples, entering: Callable[[Samples], None]) -> Tensor:
    """The network's outputs for the samples, one for each.

    Args:
        samples: within as many hops as the network hears, or more.
        entering: is told before each step what this is computed on.
    """
    graph = trace(model) if samples.nearer is not None else None
    layers: Named = dict(model.named_modules())
    needed = None if graph is None else _needed(graph, layers)
    if graph is None or needed is None:
        entering(samples)
        return _scored(model(*samples.arguments), samples)
    placeholders = [node for node in graph.nodes if node.op == "placeholder"]
    number = {node: place for place, node in enumerate(placeholders)}
    made = dict[torch.fx.Node, tuple[Any, Samples | None]]()  # and of which nodes; behind a decoder of none
    for node in graph.nodes:
        here = samples.within(needed[node])
        layer = layers[str(node.target)] if node.op == "call_module" else None
        hears = layer is not None and inside(layer) > 0
        arguments = here.inward if hears else here.arguments

        def value(source: torch.fx.Node, here: Samples = here, arguments: tuple[Tensor, ...] = arguments) -> Any:
            if source in number:
                return arguments[number[source]]
            found, there = made[source]
            return found if there is here or there is None else found.index_select(0, there.places(here))

        if node.op == "output":
            return _scored(value(node.all_input_nodes[0]), here)
        if node.op != "placeholder":
            given, named = (torch.fx.node.map_arg(each, value) for each in (node.args, node.kwargs))
            call = cast(Callable[..., Any], node.target if layer is None else layer)
            entering(here if hears else here.rows)
            out = call(*given, **named)
            by_item = is_ours(type(layer)) in DECODERS or any(
                made[s][1] is None for s in node.all_input_nodes if s in made
            )
            left = here.next if hears and here.next is not None and len(out) == len(here.next.node) else here
            made[node] = out, None if by_item else left
    raise AssertionError("a network returns something")


def _scored(out: Tensor, samples: Samples) -> Tensor:
    return out if samples.scored is None else out[samples.scored]


def _needed(graph: torch.fx.Graph, layers: Named) -> dict[torch.fx.Node, int] | None:
    """Within how many hops of the items each step is needed; None where a step may mix rows in an unknown way."""
    needed = dict.fromkeys(graph.nodes, 0)
    for node in reversed(graph.nodes):
        if node.op == "call_module":
            needed[node] += inside(layers[str(node.target)])
        elif not is_rowwise_call(node):
            return None
        for source in node.all_input_nodes:
            needed[source] = max(needed[source], needed[node])
    return needed
