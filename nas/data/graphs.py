"""The graphs themselves, before they are made a task: what a trained network predicts on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch_geometric.data import Batch, Data, Dataset

from nas.data.catalogue import CATALOGUE, find
from nas.data.loading import read_own
from nas.data.sources import read
from nas.searchspace.errors import BadInput


def graphs_of(data: Any, root: Any = None) -> list[Data]:
    """The graphs of anything that ``load`` takes; those of a dict of splits in the order of its values.

    Raises:
        BadInput: if there is no such data.
    """
    if isinstance(data, str) and data.lower() in CATALOGUE:
        return read(find(data), root)
    if isinstance(data, Data):
        return [data]
    if (own := read_own(data, root)) is not None:
        data = own.graphs
    if isinstance(data, Mapping):
        data = [graph for part in data.values() for graph in part]
    if isinstance(data, Dataset):
        data = [data[i] for i in range(len(data))]
    if isinstance(data, Sequence) and data and all(isinstance(graph, Data) for graph in data):
        return list(data)
    raise BadInput(f"there is no graph in {type(data).__name__}; give a torch_geometric Data, a list, a name or a path")


def ids_of(graphs: list[Data], level: str) -> list[str] | None:
    """What the data call the items that are predicted on, or the nodes of links; None where they have numbers alone."""
    if level == "graph":
        named = [getattr(graph, "id", None) for graph in graphs]
        return None if None in named else [str(one) for one in named]
    of_nodes: list[list[str]] = [own if isinstance(own := getattr(g, "ids", None), list) else [] for g in graphs]
    if [] in of_nodes:
        return None
    ids = [one for own in of_nodes for one in own]
    if len(set(ids)) == len(ids):
        return ids
    names = [getattr(graph, "id", number) for number, graph in enumerate(graphs)]
    return [f"{name}/{one}" for name, own in zip(names, of_nodes, strict=True) for one in own]


def side_by_side(graphs: list[Data], level: str) -> Any:
    """One graph as it is, where its nodes or links are meant; several, and all where graphs are, as one batch."""
    return graphs[0] if len(graphs) == 1 and level != "graph" else Batch.from_data_list(graphs)
