"""From node embeddings to what the task asks for, without the author of a space writing it."""

from __future__ import annotations

from functools import cache
from typing import Any

from nas.searchspace.derived import derived
from nas.searchspace.elements import DECODERS, READOUTS
from nas.searchspace.language import choice, declarations
from nas.searchspace.network import Network, Value
from nas.searchspace.task import Task


def with_head(of: Any, task: Task) -> Any:
    """The class with the knob that the task's level adds: ``readout`` for graphs, ``decoder`` for links."""
    if task.level == "node":
        return of
    name, options = ("readout", READOUTS) if task.level == "graph" else ("decoder", DECODERS)
    return of if name in declarations(of) else _with(of, name, tuple(options))


@cache
def _with(of: Any, name: str, options: tuple[str, ...]) -> Any:
    return derived(_with, of, (name, options), {name: (str, choice(*options))})


def finish(net: Network, value: Value) -> Value:
    """The readout or the decoder, where the network has none yet, and a linear map unless it returns the scores."""
    if net.task.level == "graph" and not value.pooled:
        net.comment("from nodes to graphs")
        value = net.pool(value)
    if net.task.level == "link" and not value.pooled:
        net.comment("from nodes to links")
        value = net.decode(value)
    if value.scores:
        return value
    net.comment("head")
    return net.linear(value, net.outputs)
