"""Layers that compute on the prepared task while a block runs, each the same function as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.attention import ATTENTIONS
from nas.evaluation.engine.convolutions import CONVOLUTIONS
from nas.evaluation.engine.convolutions import NARROWING as CONVOLVING
from nas.evaluation.engine.dropout import Noise
from nas.evaluation.engine.elementwise import ELEMENTWISE
from nas.evaluation.engine.graph import Part, graph_of
from nas.evaluation.engine.printed import CARRYING, PRINTED
from nas.evaluation.engine.printed import NARROWING as PRINTING
from nas.evaluation.engine.quantising import chance, quantise, rounded
from nas.searchspace.layers.hops import FURTHER
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised, Quantiser

LAYERS = CONVOLUTIONS | ATTENTIONS | PRINTED
NARROWING = (*CONVOLVING, *PRINTING)


@contextmanager
def lowered(model: torch.nn.Module, seed: int) -> Iterator[None]:
    """Let the layers of ``model`` that the engine knows use prepared features and edges.

    Parameters, buffers and the model's own source stay as they are, and so do layers that are not known, or come with
    settings or hooks that are not covered. Edges that are not prepared go the ordinary way.

    Args:
        seed: of the dropout in these layers.
    """
    noise, changed = Noise(seed), list[torch.nn.Module]()
    try:
        for layer in model.modules():
            forward = _forward(layer, noise)
            if forward is not None:
                layer.forward = forward
                changed.append(layer)
            if is_ours(type(layer)) is Quantiser:
                vars(layer).update(chance=partial(chance, layer), rounded=partial(rounded, layer))
        yield
    finally:
        for layer in changed:
            del layer.forward
            for name in ("chance", "rounded", "held"):
                vars(layer).pop(name, None)


def _forward(layer: Any, noise: Noise) -> Callable[..., Tensor] | None:
    """The layer's forward pass on prepared tensors; None where it keeps its own."""
    kind, plain = is_ours(type(layer)) or type(layer), type(layer).forward
    if kind is Quantiser:
        return lambda x, *edges: quantise(layer, x, *edges) if _here(x) else plain(layer, x, *edges)
    if kind in ELEMENTWISE:
        fast, fits = ELEMENTWISE[kind]
        return (lambda x: fast(layer, x, noise) if _here(x) else plain(layer, x)) if fits(layer) else None
    if kind in CARRYING:
        return partial(_carrying, CARRYING[kind], layer)
    fast, fits = LAYERS.get(kind, (None, None))
    if fast is None or not fits(layer) or not _usual(layer):
        return None

    def forward(x: Any, edge_index: Any, *more: Any, **named: Any) -> Tensor:
        graph = graph_of(edge_index)
        if isinstance(graph, Part) and (more or named or not _here(x)):
            raise TypeError(f"{type(layer).__name__} cannot run on a part of a graph here")
        if graph is None or more or named or not _here(x):
            out: Tensor = plain(layer, x, edge_index, *more, **named)
        else:
            out = fast(layer, x, graph, noise)
            out = out if fast in NARROWING else graph.wanted(out)
        return out

    return forward


def _carrying(fast: Callable[..., Tensor], layer: Any, x: Any, edge_index: Any, *carried: Any) -> Tensor:
    """Along edges that carry something, by ``fast`` where it is known which edge of the graph is which."""
    graph = graph_of(edge_index)
    if isinstance(graph, Part):
        raise TypeError(f"{type(layer).__name__} cannot run on a part of a graph here")
    known = graph is not None and graph.given is not None and _here(x)
    out: Tensor = fast(layer, x, graph, *carried) if known else type(layer).forward(layer, x, edge_index, *carried)
    return out


def _here(x: Any) -> bool:
    """Whether the engine's products are made for this input."""
    return isinstance(x, Tensor) and x.device.type == "cpu" and x.dtype == torch.float32


def hops(layer: torch.nn.Module) -> int | None:
    """How far a lowered layer that takes edges hears; None for any other layer."""
    kind = is_ours(type(layer))
    if kind is Quantised:
        assert isinstance(layer.layer, torch.nn.Module)
        return hops(layer.layer)
    if kind is Quantiser:
        return 0
    if "forward" not in vars(layer) or type(layer) in ELEMENTWISE:
        return None
    return FURTHER[type(layer)](layer) if type(layer) in FURTHER else 1


LISTENERS = ("_propagate", "_message", "_aggregate", "_edge_update")


def _usual(layer: Any) -> bool:
    """Whether messages flow from source to target and nobody listens to them."""
    listeners = [getattr(layer, n) for n in vars(layer) if n.startswith(LISTENERS) and n.endswith("_hooks")]
    return getattr(layer, "flow", "source_to_target") == "source_to_target" and not any(listeners)
