"""From node embeddings to what the task asks for, without the author of a space writing it."""

from __future__ import annotations

from functools import cache
from typing import Any

from nas.searchspace.derived import derived
from nas.searchspace.elements import READOUTS
from nas.searchspace.errors import BadInput
from nas.searchspace.language import choice, declarations
from nas.searchspace.network import Network, Value
from nas.searchspace.task import Task


def with_head(of: Any, task: Task) -> Any:
    """The class with the knobs that the task's level adds: ``readout`` for graphs, none for nodes.

    Raises:
        BadInput: for a level that has no head yet.
    """
    if task.level == "graph":
        return of if "readout" in declarations(of) else _with_readout(of)
    if task.level == "node":
        return of
    raise BadInput(f"no search space has a head for {task.level}-level tasks yet; node and graph levels are supported")


@cache
def _with_readout(of: Any) -> Any:
    return derived(_with_readout, of, (), {"readout": (str, choice(*READOUTS))})


def finish(net: Network, value: Value) -> Value:
    """The readout where the network has none yet, and a linear map unless it says that it returns the scores."""
    if net.task.level == "graph" and not value.pooled:
        net.comment("from nodes to graphs")
        value = net.pool(value)
    if value.scores:
        return value
    net.comment("head")
    return net.linear(value, net.outputs)
