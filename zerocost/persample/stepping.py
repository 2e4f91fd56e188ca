"""A network step by step, each step on the rows that it is needed for.

What a network says of an item depends on what its last layer computes for the item alone, on what the layer before
computes for the neighbours of the item, and so on: of the rows of a neighbourhood most are needed by the first layer
only, so the later ones do with a fraction of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, cast

import torch
import torch.fx
from torch import Tensor

from nas.searchspace.layers.hops import is_rowwise_call
from nas.searchspace.layers.known import DECODERS, is_ours
from nas.zerocost.persample.receptive import inside, trace
from nas.zerocost.persample.samples import Samples

Named = dict[str, torch.nn.Module]
Entering = Callable[[Samples], None]


def outputs(model: torch.nn.Module, samples: Samples, entering: Entering) -> Tensor:
    """The network's outputs for the samples, one for each.

    Args:
        samples: within as many hops as the network hears, or more.
        entering: is told before each step what this is computed on.
    """
    graph = trace(model) if samples.nearer is not None else None
    layers: Named = dict(model.named_modules())
    needed = None if graph is None else _needed(graph, layers)
    if needed is None:
        entering(samples)
        return _scored(model(*samples.arguments), samples)
    return _Steps(layers, needed, samples, entering).run()


@dataclass(eq=False)
class _Steps:
    """The steps of a network in their order, each with the hops within which it is needed."""

    layers: Named
    needed: dict[torch.fx.Node, int]
    samples: Samples
    entering: Entering
    made: dict[torch.fx.Node, tuple[Any, Samples | None]] = field(default_factory=dict)
    """What a step has computed, and of which nodes: behind a decoder of none."""

    def run(self) -> Tensor:
        for node, hops in self.needed.items():
            here = self.samples.within(hops)
            if node.op == "output":
                return _scored(self._value(node.all_input_nodes[0], here, here.arguments), here)
            if node.op != "placeholder":
                self.made[node] = self._step(node, here)
        raise AssertionError("a network returns something")

    @cached_property
    def number(self) -> dict[torch.fx.Node, int]:
        """Of each argument."""
        return {node: place for place, node in enumerate(n for n in self.needed if n.op == "placeholder")}

    def _step(self, node: torch.fx.Node, here: Samples) -> tuple[Any, Samples | None]:
        layer = self.layers[str(node.target)] if node.op == "call_module" else None
        hears = layer is not None and inside(layer) > 0
        value = partial(self._value, here=here, arguments=here.inward if hears else here.arguments)
        given, named = cast(Any, torch.fx.node.map_arg((node.args, node.kwargs), value))
        self.entering(here if hears else here.rows)
        out = cast(Callable[..., Any], node.target if layer is None else layer)(*given, **named)
        before = (self.made[source][1] for source in node.all_input_nodes if source in self.made)
        if is_ours(type(layer)) in DECODERS or None in before:
            return out, None
        left = here.next if hears else None  # where the layer has left out what nobody needs
        return out, here if left is None or len(out) != len(left.node) else left

    def _value(self, source: torch.fx.Node, here: Samples, arguments: tuple[Tensor, ...]) -> Any:
        if source in self.number:
            return arguments[self.number[source]]
        found, there = self.made[source]
        return found if there is here or there is None else found.index_select(0, there.places(here))


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
