"""What features are called, so that those of a new graph find the place that they had in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch_geometric.data import Data

from nas.searchspace.errors import BadInput

KEYS = {"x": "x_names", "edge_attr": "edge_attr_names"}
"""The attribute of a graph with the names of the columns of another."""


@dataclass
class Called:
    """Names of features of nodes and of edges, as a reader finds them: columns, and ``column=category``."""

    nodes: list[str] = field(default_factory=list)
    edges: list[str] = field(default_factory=list)

    def write(self, graph: Data) -> None:
        """Leave them on a graph."""
        for key, names in (("x", self.nodes), ("edge_attr", self.edges)):
            if names:
                graph[KEYS[key]] = list(names)


def names_of(graphs: Sequence[Data], key: str, width: int) -> tuple[str, ...]:
    """What the columns of ``x`` or ``edge_attr`` are called; empty where graphs do not say, or the width is another."""
    names = tuple(graphs[0].get(KEYS[key]) or ()) if graphs else ()
    return names if len(names) == width else ()


def in_place(graphs: Sequence[Data], task: Mapping[str, Any], where: str) -> tuple[list[Data], list[str]]:
    """The graphs with their features where those of the training were, and what is worth telling about it.

    A category that training did not know is none of those that it knew; one that does not occur here has no ones.
    Graphs without names stay as they are, and so do all where the task has none.

    Args:
        task: as it describes itself.
        where: what the data are called in an error.

    Raises:
        BadInput: if a column of the training is not there.
    """
    made, notes = list(graphs), dict[str, None]()
    for key, wanted in (("x", task.get("feature_names")), ("edge_attr", task.get("edge_feature_names"))):
        names = [graph.get(KEYS[key]) for graph in graphs]
        if not wanted or not all(names) or all(list(one) == list(wanted) for one in names):
            continue
        for i, (graph, has) in enumerate(zip(graphs, names, strict=True)):
            copy = graph.clone() if made[i] is graph else made[i]
            copy[key] = _columns(graph[key], list(has), list(wanted), key, where, notes)
            copy[KEYS[key]] = list(wanted)
            made[i] = copy
    return made, list(notes)


def _columns(values: Tensor, has: list[str], wanted: list[str], key: str, where: str, notes: dict[str, None]) -> Tensor:
    columns = {name.partition("=")[0] for name in has}
    for name in wanted:
        column, category, _ = name.partition("=")
        if name not in has and (not category or column not in columns):
            what = "nodes" if key == "x" else "edges"
            raise BadInput(f"{where}: the network was trained with a column {column!r} of {what}, which is not there")
    known = {name.partition("=")[0] for name in wanted}
    for name in has:
        column, category, value = name.partition("=")
        if column not in known:
            notes[f"column {column!r} is not used: the network was trained without it"] = None
        elif name not in wanted:
            notes[f"column {column!r}: training did not know {value!r}, which counts as none of its categories"] = None
    out = values.new_zeros(len(values), len(wanted))
    for place, name in enumerate(wanted):
        if name in has:
            out[:, place] = values[:, has.index(name)]
    return out
