"""A folder of CSV files: ``nodes.csv``, ``edges.csv`` and, for many graphs, ``graphs.csv``.

The first line of each names its columns, and the names say what they are:

- ``nodes.csv``: ``id``; ``graph`` where there are many; ``label`` or several ``label:NAME``; ``split``. Anything else
  is a feature.
- ``edges.csv``: ``source`` and ``target``, ids of nodes; ``graph`` where the ids of several graphs are alike;
  ``weight``; ``directed``, true where an edge goes one way. Anything else is a feature of the edge.
- ``graphs.csv``: ``id``, ``label`` or several ``label:NAME``, ``split``.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from nas.data.called import Called
from nas.data.readers.base import Read, name_of
from nas.data.readers.columns import TRUTH, features
from nas.data.readers.directions import Edges, both_ways
from nas.data.readers.divided import SPLIT, label_some, masks, split_of
from nas.data.readers.labels import Labels, is_label, labels
from nas.data.readers.table import Table, read_table
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS

NODES, EDGES, GRAPHS = "nodes.csv", "edges.csv", "graphs.csv"
ENDS = ("source", "target")
_OFTEN = {
    "id": ("node", "node_id", "nodeid", "name", "index", "graph", "graph_id"),
    "source": ("src", "from", "u", "head", "node1", "source_id"),
    "target": ("dst", "to", "v", "tail", "node2", "target_id", "destination"),
    "graph": ("graph_id", "graphid", "graph_indicator"),
}
_LABELS = ("y", "class", "labels", "target", "category")
_DIVISIONS = ("train_mask", "val_mask", "valid_mask", "test_mask")
Rows = NDArray[np.int64]


def read_folder(folder: Path) -> Read:
    """The graph or graphs of a folder.

    Raises:
        BadInput: if a file or column is missing, or a row is wrong; the message names file and line.
    """
    if not (folder / NODES).exists():
        there = sorted(path.name for path in folder.iterdir())[:8]
        raise BadInput(
            f"the folder {folder} has no {NODES}; it needs {NODES} (a column id) and {EDGES} (columns source and "
            f"target). It holds {', '.join(there) or 'nothing'}"
        )
    notes: list[str] = []
    nodes = read_table(folder / NODES, lambda name: name in ("id", "graph", SPLIT) or is_label(name))
    nodes.need("id", _OFTEN)
    if not (folder / EDGES).exists():
        raise BadInput(
            f"the folder {folder} has no {EDGES}; for graphs without edges write one with the line source,target alone"
        )
    edges = read_table(folder / EDGES, lambda name: name in ("id", "source", "target", "graph", "directed"))
    for column in ENDS:
        edges.need(column, _OFTEN)
    graphs = None
    if (folder / GRAPHS).exists():
        graphs = read_table(folder / GRAPHS, lambda name: name in ("id", SPLIT) or is_label(name))
        graphs.need("id", _OFTEN)
        nodes.need("graph", _OFTEN)
    _check_roles(nodes, graphs)
    name = name_of(folder)
    if "graph" not in nodes:
        return Read(name, [_single(nodes, edges, notes)], tuple(notes))
    return Read(name, _several(nodes, edges, graphs, notes), tuple(notes))


def _check_roles(nodes: Table, graphs: Table | None) -> None:
    """Refuse columns that are likely to be labels or splits and would be features."""
    for table in (nodes, graphs):
        if table is None or any(map(is_label, table.columns)):
            continue
        for column in table.columns:
            if column.lower() in _LABELS and (table is graphs or graphs is None):
                raise BadInput(
                    f"{table.where} has no column 'label'; rename {column!r} to 'label' if it is to be predicted"
                )
    for column in nodes.columns:
        if column.lower() in _DIVISIONS:
            raise BadInput(f"{nodes.where}: write one column 'split' with {', '.join(SPLITS)} in place of {column!r}")
    if graphs is not None and any(map(is_label, nodes.columns)) and any(map(is_label, graphs.columns)):
        raise BadInput(f"{nodes.where} and {graphs.where} both have labels; keep those that are to be predicted")


def _single(nodes: Table, edges: Table, notes: list[str]) -> Data:
    """One graph, its nodes in the order of the file."""
    ids = _unique(nodes, nodes.texts("id"), "id")
    called = Called()
    x, y, split = _features(nodes, notes, called), labels(nodes, notes), split_of(nodes)
    ends = [_known(edges, column, ids, nodes.where) for column in ENDS]
    made = _edges(edges, ends, len(nodes), notes, called)
    data = Data(edge_index=made.index, num_nodes=len(nodes), **_given(x, y), **_edge_data(made))
    called.write(data)
    if split is not None:
        for key, mask in masks(split).items():
            data[key] = mask
    if y is not None:
        label_some(data, y.labelled, notes)
    data.ids = list(ids)
    return data


def _several(nodes: Table, edges: Table, graphs: Table | None, notes: list[str]) -> list[Data] | dict[str, list[Data]]:
    """Many graphs, in the order of ``graphs.csv`` or else of their first nodes."""
    if graphs is not None:
        named = _unique(graphs, graphs.texts("id"), "id")
        owner = _known(nodes, "graph", named, graphs.where)
        without = np.bincount(owner, minlength=len(named)) == 0
        if without.any():
            raise BadInput(f"{graphs.first(without)}: no node of {nodes.where} belongs to this graph; remove it")
    else:
        owner, names = pd.factorize(nodes.texts("graph"))
        owner, named = owner.astype(np.int64), pd.Index(names)
        if (lost := nodes.texts("graph") == "").any():
            raise BadInput(f"{nodes.first(lost)}: column 'graph' is empty; say to which graph the node belongs")
    ends = _ends(nodes, edges, owner, named)
    apart = owner[ends[0]] != owner[ends[1]]
    if apart.any():
        raise BadInput(f"{edges.first(apart)}: the edge joins nodes of two graphs; edges stay within one")
    split = _graph_split(nodes, graphs, owner, len(named))
    called = Called()
    x, of_nodes = _features(nodes, notes, called), labels(nodes, notes)
    y = None if graphs is None else labels(graphs, notes)
    if y is not None:
        for column in graphs.columns if graphs is not None else ():
            if column not in ("id", SPLIT) and not is_label(column):
                notes.append(f"column {column!r} of {GRAPHS} is not used: graphs as a whole have no features")
    made = _edges(edges, ends, len(nodes), notes, called)
    parts = _taken_apart(_given(x, None if y is not None else of_nodes), made, owner, len(named))
    if y is not None:
        for i, graph in enumerate(parts):
            graph.y = y.y[i : i + 1]
            if y.names:
                graph.class_names = list(y.names)
    ids = iter(nodes.texts("id").to_numpy()[owner.argsort(kind="stable")].tolist())
    for graph, name in zip(parts, named, strict=True):
        graph.id, graph.ids = name, list(islice(ids, graph.num_nodes))
        called.write(graph)
    return _divided(parts, y, split, notes)


def _ends(nodes: Table, edges: Table, owner: Rows, graphs: pd.Index) -> list[Rows]:
    """Rows of the nodes that edges name; ids may be alike in several graphs where edges say which graph they are of."""
    if "graph" not in edges:
        ids = _unique(
            nodes, nodes.texts("id"), "id", ", or give edges.csv a column 'graph' if ids repeat in every graph"
        )
        return [_known(edges, column, ids, nodes.where) for column in ENDS]
    home = _known(edges, "graph", graphs, nodes.where)
    keys = pd.Series(owner.astype(str)) + " " + nodes.texts("id")
    ids = _unique(nodes, keys, "id")
    return [_known(edges, c, ids, f"this graph in {nodes.where}", pd.Series(home.astype(str)) + " ") for c in ENDS]


def _unique(table: Table, values: pd.Series[str], column: str, more: str = "") -> pd.Index:
    """The ids of a table.

    Raises:
        BadInput: if one is empty or comes twice.
    """
    index = pd.Index(values)
    empty = (table.texts(column) == "").to_numpy()
    if empty.any():
        raise BadInput(f"{table.first(empty)}: column {column!r} is empty; give every row an id")
    twice = index.duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        before = int(np.flatnonzero(values == values.iloc[row])[0])
        raise BadInput(
            f"{table.first(twice)}: the id {table.texts(column).iloc[row]!r} was there before, {table.place(before)}; "
            f"give every row an id of its own{more}"
        )
    return index


def _known(table: Table, column: str, ids: pd.Index, where: str, before: pd.Series[str] | str = "") -> Rows:
    """The rows of the ids that a column names.

    Raises:
        BadInput: if one of them is not there, naming the row.
    """
    texts = table.texts(column)
    found = ids.get_indexer(pd.Index(before + texts))
    lost = found < 0
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        what = f"{column} {texts.iloc[row]!r:.60}" if texts.iloc[row] else f"the empty {column}"
        raise BadInput(f"{table.first(lost)}: {what} is no id of {where}; add it there, or remove the row")
    return np.asarray(found, dtype=np.int64)


def _features(nodes: Table, notes: list[str], called: Called) -> Tensor | None:
    roles = ("id", "graph", SPLIT)
    return features(nodes, [c for c in nodes.columns if c not in roles and not is_label(c)], notes, called.nodes)


def _given(x: Tensor | None, y: Labels | None) -> dict[str, Any]:
    """What nodes have, of which only what is there."""
    out: dict[str, Any] = {"x": x, "y": None if y is None else y.y, "class_names": list(y.names) if y else None}
    return {key: value for key, value in out.items() if value is not None and len(value)}


def _edges(table: Table, ends: list[Rows], nodes: int, notes: list[str], called: Called) -> Edges:
    """With the reverse of each edge that is listed once."""
    roles = ("id", "source", "target", "graph", "weight", "directed")
    said: list[str] = []
    weight = features(table, ["weight"], said) if "weight" in table else None
    if weight is not None and (weight.size(1) > 1 or said):
        raise BadInput(f"{table.where}: column 'weight' must hold numbers; it holds text")
    attr = features(table, [c for c in table.columns if c not in roles], said, called.edges)
    notes += [f"{note} (of edges)" for note in said]
    found = Edges(torch.from_numpy(np.stack(ends)), None if weight is None else weight[:, 0], attr)
    made, note = both_ways(found, nodes, _one_way(table))
    if note is not None:
        ask = "" if "directed" in table or "once" not in note else " (a column 'directed' with true keeps directions)"
        notes.append(note + ask)
    return made


def _one_way(table: Table) -> Tensor | None:
    if "directed" not in table:
        return None
    lowered = table.texts("directed").str.lower()
    words = {**TRUTH, "1": 1.0, "0": 0.0, "": 0.0}
    wrong = ~lowered.isin(list(words)).to_numpy()
    if wrong.any():
        raise BadInput(f"{table.first(wrong)}: column 'directed' holds true or false")
    return torch.from_numpy(lowered.map(words).to_numpy(dtype=np.float64) == 1)


def _edge_data(edges: Edges) -> dict[str, Tensor]:
    there = {"edge_weight": edges.weight, "edge_attr": edges.attr}
    return {key: value for key, value in there.items() if value is not None}


def _taken_apart(whole: dict[str, Any], edges: Edges, owner: Rows, graphs: int) -> list[Data]:
    """A graph for each owner; its nodes and edges keep their order."""
    of = torch.from_numpy(owner)
    order = of.argsort(stable=True)
    sizes = torch.bincount(of, minlength=graphs)
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order)) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    edge_of = of[edges.index[0]]
    rows = edge_of.argsort(stable=True)
    counts = torch.bincount(edge_of, minlength=graphs).tolist()
    moved = edges.take(rows)
    columns = {"edge_index": torch.split(place[moved.index], counts, dim=1)}
    columns |= {key: torch.split(value, counts) for key, value in _edge_data(moved).items()}
    names = whole.pop("class_names", None)
    columns |= {
        key: torch.split(value[order], sizes.tolist()) for key, value in whole.items() if isinstance(value, Tensor)
    }
    out = []
    for i, size in enumerate(sizes.tolist()):
        graph = Data(num_nodes=size, **{key: value[i] for key, value in columns.items()})
        if names:
            graph.class_names = names
        out.append(graph)
    return out


def _graph_split(nodes: Table, graphs: Table | None, owner: Rows, count: int) -> Rows | None:
    """The split of each graph, as ``graphs.csv`` says or all of its nodes agree."""
    given = None if graphs is None else split_of(graphs)
    of_nodes = split_of(nodes)
    if of_nodes is None:
        return given
    if given is not None:
        raise BadInput(f"{nodes.where} and {GRAPHS} both have a column 'split'; keep one")
    first = np.full(count, -1, dtype=np.int64)
    first[owner[::-1]] = of_nodes[::-1]
    other = of_nodes != first[owner]
    if other.any():
        raise BadInput(
            f"{nodes.first(other)}: the split differs from that of other nodes of its graph; with many graphs a graph "
            "belongs to one split as a whole"
        )
    return first


def _divided(
    graphs: list[Data], y: Labels | None, split: Rows | None, notes: list[str]
) -> list[Data] | dict[str, list[Data]]:
    """Without graphs that have no label; by split, where there is one."""
    out = np.zeros(len(graphs), dtype=bool)
    if y is not None and (lacking := ~y.labelled.numpy()).any():
        notes.append(f"{int(lacking.sum()):,} of {len(graphs):,} graphs have no label and were left out")
        out |= lacking
    if split is None:
        return [graph for graph, gone in zip(graphs, out, strict=True) if not gone]
    if (nowhere := (split < 0) & ~out).any():
        notes.append(f"{int(nowhere.sum()):,} of {len(graphs):,} graphs are in no split and were left out")
        out |= nowhere
    return {
        name: [graphs[i] for i in np.flatnonzero((split == position) & ~out)] for position, name in enumerate(SPLITS)
    }
