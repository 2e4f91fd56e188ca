"""Attributed graphs in ``.npz`` files, in the two common layouts.

The layout of Amazon and Coauthor (shchur/gnn-benchmark) holds sparse matrices: ``adj_data``, ``adj_indices``,
``adj_indptr``, ``adj_shape``, the same of ``attr_``, or a dense ``attr_matrix``, and ``labels``. That of
yandex-research/heterophilous-graphs holds ``edges``, ``node_features``, ``node_labels``, and masks of several splits.
Both may have ``class_names``; masks or node numbers for each split; and ``directed``, which is true where edges that
are listed once go one way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from nas.data.checks import believable
from nas.data.readers.arrays import Arrays
from nas.data.readers.base import Read, name_of
from nas.data.readers.directions import Edges, both_ways
from nas.data.readers.divided import label_some
from nas.data.readers.limits import affordable
from nas.searchspace.errors import BadInput

EDGES = ("edge_index", "edges")
FEATURES = ("attr_matrix", "node_features", "features", "x")
LABELS = ("labels", "node_labels", "y", "label")
WEIGHTS = ("edge_weight", "edge_weights")
ATTRIBUTES = ("edge_attr", "edge_features")
MASKS = {"train_mask": ("train",), "val_mask": ("val", "valid"), "test_mask": ("test",)}
Array = NDArray[Any]


def read_npz(path: Path) -> Read:
    """The graph of a file in one of the two layouts.

    Raises:
        BadInput: if the file is damaged, claims more than fits into memory, holds Python objects, or has neither
            layout.
    """
    arrays, notes = Arrays(path), list[str]()
    x, y = _features(arrays), _labels(arrays)
    rows = [len(part) for part in (x, y) if part is not None]
    index, weight, nodes = _edges(arrays, rows[0] if rows else None)
    attr = _numbers(arrays, ATTRIBUTES)
    edges = Edges(index, weight, attr)
    _same_length(arrays, edges)
    if nodes is None:
        nodes = rows[0] if rows else int(index.max()) + 1 if index.numel() else 0
        if not rows:
            believable(nodes, index)
    outside = ((index < 0) | (index >= nodes)).any(0)
    if outside.any():
        column = int(outside.nonzero()[0])
        raise BadInput(
            f"{path}: {int(outside.sum())} edges name nodes that there are not, first edge {column} "
            f"({int(index[0, column])} -> {int(index[1, column])}); nodes are 0 to {nodes - 1}"
        )
    if not _directed(arrays):
        edges, said = both_ways(edges, nodes)
        notes += [said] if said else []
    data = Data(edge_index=edges.index, num_nodes=nodes)
    for key, value in {"x": x, "y": y, "edge_weight": edges.weight, "edge_attr": edges.attr}.items():
        if value is not None:
            data[key] = value
    for key, mask in _masks(arrays, nodes).items():
        data[key] = mask
    if y is not None and not y.is_floating_point() and y.dim() == 1 and y.dtype == torch.long and bool((y == -1).any()):
        label_some(data, y != -1, notes)
    names = _class_names(arrays, notes)
    if names:
        data.class_names = names
    if left := [name for name in arrays.names() if name not in arrays.asked]:
        notes.append(f"arrays that were not used: {', '.join(left[:8])}" + ", ..." * (len(left) > 8))
    return Read(name_of(path), [data], tuple(notes))


def _edges(arrays: Arrays, rows: int | None) -> tuple[Tensor, Tensor | None, int | None]:
    """Edges, their weights, and how many nodes there are where the adjacency says so."""
    if arrays.first(["adj_indptr"]):
        entries, indices, pointer, shape = _sparse(arrays, "adj")
        if shape[0] != shape[1]:
            raise BadInput(f"{arrays.path}: adj_shape is {list(shape)}; an adjacency matrix is square")
        if rows is not None and rows != shape[0]:
            raise BadInput(f"{arrays.path}: there are {rows} rows of features or labels, and adj_shape says {shape[0]}")
        source = np.repeat(np.arange(shape[0]), np.diff(pointer))
        weight = None if (entries == 1).all() else torch.from_numpy(entries.astype(np.float32))
        return torch.from_numpy(np.stack([source, indices])), weight, shape[0]
    name = arrays.first(EDGES)
    if name is None:
        raise BadInput(
            f"{arrays.path} has no edges; give it adj_data, adj_indices, adj_indptr and adj_shape, or an array "
            f"edge_index of shape [2, edges]; it has {', '.join(arrays.names())}"
        )
    found = _whole(arrays, name)
    if found.ndim != 2 or 2 not in found.shape:
        raise BadInput(f"{arrays.path}: {name} has the shape {list(found.shape)}; it must be [2, edges] or [edges, 2]")
    if found.shape[0] != 2 or (found.shape[1] == 2 and name == "edges"):
        found = found.T
    weight = _numbers(arrays, WEIGHTS)
    return torch.from_numpy(found.copy()), None if weight is None else weight.flatten(), None


def _sparse(arrays: Arrays, prefix: str) -> tuple[Array, Array, Array, tuple[int, int]]:
    """Entries, their columns, where each row begins, and the shape; checked against each other."""
    path = arrays.path
    shape = _whole(arrays, f"{prefix}_shape").flatten()
    if len(shape) != 2 or (shape < 0).any():
        raise BadInput(f"{path}: {prefix}_shape must be two numbers, rows and columns; it is {shape.tolist()[:4]}")
    rows, columns = int(shape[0]), int(shape[1])
    pointer, indices = _whole(arrays, f"{prefix}_indptr").flatten(), _whole(arrays, f"{prefix}_indices").flatten()
    entries = _real(arrays, f"{prefix}_data").flatten()
    if len(pointer) != rows + 1:
        raise BadInput(
            f"{path}: {prefix}_shape claims {rows:,} rows and {prefix}_indptr has {len(pointer):,} entries, which must "
            "be one more; the file is damaged, get it again"
        )
    if pointer[0] != 0 or pointer[-1] != len(indices) or (np.diff(pointer) < 0).any() or len(entries) != len(indices):
        raise BadInput(
            f"{path}: {prefix}_indptr, {prefix}_indices ({len(indices):,}) and {prefix}_data ({len(entries):,}) do not "
            "fit each other; the file is damaged, get it again"
        )
    if len(indices) and (indices.min() < 0 or indices.max() >= columns):
        raise BadInput(
            f"{path}: {prefix}_indices are {indices.min():,} to {indices.max():,} and there are {columns:,} columns"
        )
    return entries, indices, pointer, (rows, columns)


def _features(arrays: Arrays) -> Tensor | None:
    if arrays.first(["attr_indptr"]):
        entries, indices, pointer, (rows, columns) = _sparse(arrays, "attr")
        affordable(4 * rows * columns, f"{arrays.path}: {rows:,} nodes with {columns:,} features")
        x = np.zeros((rows, columns), dtype=np.float32)
        np.add.at(x, (np.repeat(np.arange(rows), np.diff(pointer)), indices), entries)
        return torch.from_numpy(x)
    return _numbers(arrays, FEATURES)


def _labels(arrays: Arrays) -> Tensor | None:
    name = arrays.first(LABELS)
    if name is None:
        return None
    found = arrays.read(name)
    if found.dtype.kind in "US":
        raise BadInput(
            f"{arrays.path}: {name} holds text; number the classes from 0 and give their names as class_names"
        )
    if found.dtype.kind in "iu":
        found = _whole(arrays, name)
    elif found.dtype.kind != "b":
        found = _real(arrays, name).astype(np.float32)
    if found.ndim == 0:
        raise BadInput(f"{arrays.path}: {name} is a single number; give one to each node")
    return torch.from_numpy(found)


def _masks(arrays: Arrays, nodes: int) -> dict[str, Tensor]:
    """Masks as they are, ``[nodes]`` or ``[nodes, splits]``, or made from the numbers of nodes."""
    out = {}
    for mask, words in MASKS.items():
        name = arrays.first([f"{word}_mask{s}" for word in words for s in ("", "s")])
        if name is not None:
            found = arrays.read(name)
            if found.dtype.kind not in "biu":
                raise BadInput(f"{arrays.path}: {name} must hold true and false; it is {found.dtype}")
            if found.ndim == 2 and found.shape[0] != nodes and found.shape[1] == nodes:
                found = found.T  # one row for each split
            out[mask] = torch.from_numpy(found.astype(np.int64) if found.dtype.kind != "b" else found.copy())
            continue
        name = arrays.first([f"{begin}{word}{end}" for word in words for begin, end in (("idx_", ""), ("", "_idx"))])
        if name is not None:
            rows = _whole(arrays, name).flatten()
            if len(rows) and (rows.min() < 0 or rows.max() >= nodes):
                raise BadInput(
                    f"{arrays.path}: {name} names the nodes {rows.min()} to {rows.max()}; nodes are 0 to {nodes - 1}"
                )
            out[mask] = torch.zeros(nodes, dtype=torch.bool).index_fill(0, torch.from_numpy(rows), True)
    return out


def _class_names(arrays: Arrays, notes: list[str]) -> list[str]:
    if arrays.first(["class_names"]) is None:
        return []
    try:
        return [str(name) for name in arrays.read("class_names").flatten()]
    except BadInput as error:
        if "Python objects" not in str(error):
            raise
        notes.append("class_names are Python objects, which could run code, so they were not read; classes are numbers")
        return []


def _directed(arrays: Arrays) -> bool:
    return arrays.first(["directed"]) is not None and bool(arrays.read("directed").any())


def _same_length(arrays: Arrays, edges: Edges) -> None:
    count = edges.index.size(1)
    for value, names in ((edges.weight, WEIGHTS), (edges.attr, ATTRIBUTES)):
        if value is not None and len(value) != count:
            raise BadInput(f"{arrays.path}: {arrays.first(names)} has {len(value)} rows; there are {count} edges")


def _numbers(arrays: Arrays, names: tuple[str, ...]) -> Tensor | None:
    """The first array of these names, as float32; one of a single dimension becomes a column."""
    name = arrays.first(names)
    if name is None:
        return None
    found = _real(arrays, name).astype(np.float32)
    if found.ndim not in (1, 2):
        raise BadInput(f"{arrays.path}: {name} has the shape {list(found.shape)}; it must have one row for each item")
    return torch.from_numpy(found if found.ndim == 2 else found[:, None])


def _real(arrays: Arrays, name: str) -> Array:
    found = arrays.read(name)
    if found.dtype.kind not in "biuf":
        raise BadInput(f"{arrays.path}: {name} must hold numbers; it is {found.dtype}")
    return found


def _whole(arrays: Arrays, name: str) -> Array:
    """As int64. Whole numbers that were written as floats will do."""
    found = _real(arrays, name)
    if found.dtype.kind == "f" and not (np.isfinite(found).all() and (found == np.round(found)).all()):
        raise BadInput(f"{arrays.path}: {name} must hold whole numbers; it is {found.dtype}")
    if found.size and (found.max() >= 2**62 or found.min() < -(2**62)):
        raise BadInput(f"{arrays.path}: {name} holds {found.max()}; that is no number of a node or class")
    return found.astype(np.int64)
