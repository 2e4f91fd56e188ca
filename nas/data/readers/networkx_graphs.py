"""NetworkX graphs: attributes of nodes are read as the columns of ``nodes.csv`` are."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch_geometric.data import Data

from nas.data.called import Called
from nas.data.readers.base import Read
from nas.data.readers.columns import features
from nas.data.readers.directions import Edges, both_ways
from nas.data.readers.divided import SPLIT, masks, split_of
from nas.data.readers.labels import LABEL, Labels, is_label, labels
from nas.data.readers.table import Table
from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    import networkx as nx

_ALSO_LABEL = "y"


def are_networkx(data: Any) -> bool:
    """Whether this is a NetworkX graph, or a list or tuple of them."""
    library = sys.modules.get("networkx")  # whoever has such a graph has imported it
    if library is None:
        return False
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(one, library.Graph) for one in data)
    return isinstance(data, library.Graph)


def read_networkx(data: nx.Graph | Sequence[nx.Graph]) -> Read:
    """One graph whose nodes have labels, or several that have one each, as ``G.graph["label"]`` or ``"y"``.

    Attributes of nodes are features: numbers, true and false, text (one-hot), and lists of numbers, all of one length.
    ``label`` (or ``y``), ``label:NAME`` and ``split`` mean what they mean in ``nodes.csv``; ``weight`` of an edge is
    its weight and other attributes are its features. Edges of an undirected graph go both ways.

    Raises:
        BadInput: if an attribute is missing at some nodes, or is not understood.
    """
    graphs: list[Any] = list(data) if isinstance(data, list | tuple) else [data]
    notes: list[str] = []
    nodes = _table(
        "nodes", [(f"node {n!r}{_of(i, graphs)}", d) for i, g in enumerate(graphs) for n, d in g.nodes(data=True)]
    )
    edges = _table(
        "edges",
        [(f"edge {u!r} - {v!r}{_of(i, graphs)}", d) for i, g in enumerate(graphs) for u, v, d in g.edges(data=True)],
    )
    called = Called()
    x = features(nodes, [c for c in nodes.columns if c != SPLIT and not is_label(c)], notes, called.nodes)
    weight = features(edges, ["weight"], notes) if "weight" in edges else None
    attr = features(edges, [c for c in edges.columns if c != "weight"], notes, called.edges)
    y, split = labels(nodes, notes), split_of(nodes)
    several = len(graphs) > 1
    whole = labels(_table("graphs", [(f"graph {i}", _graph_label(g)) for i, g in enumerate(graphs)]), notes)
    out, node, edge = [], 0, 0
    for i, graph in enumerate(graphs):
        of_nodes, of_edges = slice(node, node + len(graph)), slice(edge, edge + graph.number_of_edges())
        node, edge = of_nodes.stop, of_edges.stop
        found = Edges(
            _index(graph), None if weight is None else weight[of_edges, 0], None if attr is None else attr[of_edges]
        )
        if not graph.is_directed():
            found, _ = both_ways(found, len(graph))
        here = Data(edge_index=found.index, num_nodes=len(graph))
        called.write(here)
        for key, value in {
            "x": None if x is None else x[of_nodes],
            "edge_weight": found.weight,
            "edge_attr": found.attr,
            **_labelled(y, of_nodes),
            **({} if whole is None or not several else _labelled(whole, slice(i, i + 1))),
            **({} if split is None else masks(split[of_nodes])),
        }.items():
            if value is not None:
                here[key] = value
        out.append(here)
    return Read("data", out, tuple(notes))


def _of(number: int, graphs: Sequence[Any]) -> str:
    return f" of graph {number}" if len(graphs) > 1 else ""


def _graph_label(graph: Any) -> dict[str, Any]:
    return {k: v for k, v in graph.graph.items() if isinstance(k, str) and (is_label(k) or k == _ALSO_LABEL)}


def _labelled(found: Labels | None, rows: slice) -> dict[str, Any]:
    if found is None:
        return {}
    return {"y": found.y[rows], **({"class_names": list(found.names)} if found.names else {})}


def _index(graph: Any) -> Tensor:
    place = {node: i for i, node in enumerate(graph)}
    pairs = [(place[u], place[v]) for u, v in graph.edges()]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t().contiguous()


def _table(what: str, rows: list[tuple[str, dict[str, Any]]]) -> Table:
    """The attributes as columns; a list of numbers as a column for each."""
    names = dict.fromkeys(name for _, attributes in rows for name in attributes)
    columns: dict[str, Any] = {}
    for name in names:
        if not isinstance(name, str):
            raise BadInput(f"the {what} have an attribute {name!r}; its name must be text")
        values = [attributes.get(name) for _, attributes in rows]
        shown = LABEL if name == _ALSO_LABEL and what != "edges" else name
        if shown != name and shown in names:
            raise BadInput(f"the {what} have 'label' and 'y'; keep one")
        if is_label(shown) or shown == SPLIT:
            columns[shown] = ["" if v is None or v != v else _written(v, name, what) for v in values]
            continue
        if lacking := [place for (place, _), value in zip(rows, values, strict=True) if value is None]:
            raise BadInput(f"{lacking[0]} has no {name!r} and others do; give it to all of the {what}, or to none")
        columns |= _vectors(name, values, rows)
    return Table(f"the {what}", pd.DataFrame(columns, index=range(len(rows))), lambda row: rows[row][0])


def _written(value: Any, name: str, what: str) -> str:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0):
        value = value.item()
    if not isinstance(value, str | Number):
        raise BadInput(f"{name!r} of the {what} must be text or a number; it is {type(value).__name__}")
    return str(value)


def _vectors(name: str, values: list[Any], rows: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    first = values[0]
    if isinstance(first, str | Number | np.generic) or not isinstance(first, Iterable):
        for (place, _), value in zip(rows, values, strict=True):
            if not isinstance(value, str | Number | np.generic):
                raise BadInput(f"{place}: {name!r} must be a number, text or a list of numbers; it is {value!r:.60}")
        return {name: [v.item() if isinstance(v, np.generic) else v for v in values]}
    width = len(np.asarray(first).ravel())
    for (place, _), value in zip(rows, values, strict=True):
        try:
            size = len(np.asarray(value, dtype=np.float64).ravel())
        except (TypeError, ValueError):
            raise BadInput(f"{place}: {name!r} must be a list of numbers; it is {value!r:.60}") from None
        if size != width:
            raise BadInput(f"{place}: {name!r} has {size} numbers and the first one {width}; make them equal")
    stacked = np.array([np.asarray(value, dtype=np.float64).ravel() for value in values])
    return {f"{name}.{i}": stacked[:, i] for i in range(width)}
