"""What can be wrong with a graph, each with an error that says what, where and what to do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from nas.searchspace.errors import BadInput

MASKS = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}
BELIEVED = 100_000
"""Isolated nodes that are believed without a row for each."""
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def tensor(value: Any, what: str, where: str) -> Tensor:
    """``value`` as a dense tensor on the CPU, without history."""
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            raise BadInput(f"{where}: {what} must be a tensor; got {type(value).__name__}") from None
    dense: Tensor = value.detach() if value.layout == torch.strided else value.detach().to_dense()
    return dense.cpu()


def node_count(data: Data, rows_of_y: int) -> int:
    """Nodes of a graph: what it says, else rows of its features, else of its labels, else what the edges name."""
    shape = tuple(getattr(data.x, "shape", ()))
    rows = int(shape[0]) if shape else None
    if "num_nodes" in data:
        nodes = int(data.num_nodes or 0)
        if nodes not in (rows, rows_of_y):
            believable(nodes, data.edge_index)
        return nodes
    if rows is not None:
        return rows
    if rows_of_y > 1 or data.edge_index is None:
        return rows_of_y
    index = tensor(data.edge_index, "edge_index", "the graph")
    nodes = int(index.max()) + 1 if index.numel() and index.dtype in _INTEGERS else 1
    believable(nodes, index)
    return nodes


def believable(nodes: int, edge_index: Any) -> None:
    """Refuse a number of nodes that neither rows nor edges stand behind, before anything of that size is made.

    Raises:
        BadInput: if there are more than 100 nodes for each end of an edge, and many.
    """
    ends = edge_index.numel() if isinstance(edge_index, Tensor) else 0
    if nodes > BELIEVED + 100 * ends:
        raise BadInput(
            f"there are {nodes:,} nodes by their highest number, without features or labels, and {ends // 2:,} edges; "
            "number the nodes 0, 1, 2, ... without gaps, or give each of them features"
        )


def edges(value: Any, nodes: int, where: str) -> Tensor:
    """``[2, edges]`` int64 with every entry a node of the graph."""
    if value is None:
        raise BadInput(f"{where} has no edge_index; a graph without edges has torch.empty(2, 0, dtype=torch.long)")
    index = tensor(value, "edge_index", where)
    if index.dim() != 2 or index.size(0) != 2:
        raise BadInput(f"{where}: edge_index must have the shape [2, edges]; it has {list(index.shape)}")
    if index.dtype not in _INTEGERS:
        raise BadInput(f"{where}: edge_index must hold integers; it is {index.dtype}: use .long()")
    index = index.long()
    outside = ((index < 0) | (index >= nodes)).any(0)
    if outside.any():
        column = int(outside.nonzero()[0])
        raise BadInput(
            f"{where}: edge index out of bounds in {int(outside.sum())} edges, first edge {column} "
            f"({int(index[0, column])} -> {int(index[1, column])}); nodes are 0 to {nodes - 1}"
        )
    return index.contiguous()


def features(value: Any, nodes: int, where: str, notes: list[str]) -> Tensor:
    """``[nodes, features]`` float32, finite."""
    x = tensor(value, "x", where)
    if x.dim() == 1:
        x = x[:, None]
    if x.dim() != 2 or x.size(0) != nodes or x.size(1) == 0:
        raise BadInput(f"{where}: x must have the shape [{nodes} nodes, features]; it has {list(x.shape)}")
    if x.is_complex():
        raise BadInput(f"{where}: x must hold real numbers; it is {x.dtype}: use torch.view_as_real")
    if x.dtype != torch.float32:
        notes.append(f"features were converted from {str(x.dtype).removeprefix('torch.')} to float32")
        x = x.float()
    finite("x", x, where)
    return x.contiguous()


def finite(what: str, values: Tensor, where: str) -> None:
    """No NaN and no infinity in ``[rows, columns]``."""
    bad = ~values.isfinite()
    if bad.any():
        row = int(bad.flatten(1).any(1).nonzero()[0])
        raise BadInput(
            f"{where}: {what} has {int(bad.sum())} NaN or infinite values, first in row {row}; "
            f"fill them in, for example with data.{what}.nan_to_num()"
        )


def classes(y: Tensor, what: str) -> None:
    """Labels of ``[items]`` are 0 to classes - 1."""
    negative = y < 0
    if negative.any():
        raise BadInput(
            f"{what}: {int(negative.sum())} labels are negative, first {int(y[negative][0])} at item "
            f"{int(negative.nonzero()[0])}; classes are numbered from 0, and unlabelled nodes are left out of the masks"
        )
    if len(y) and int(y.max()) >= max(len(y), 2):
        raise BadInput(
            f"{what}: labels out of range: label {int(y.max())} at item {int(y.argmax())}, of {len(y)} items; "
            "number the classes 0, 1, 2, ... (a regression needs float labels)"
        )


def masks(data: Data, nodes: int, where: str) -> dict[str, Tensor] | None:
    """``[nodes, columns]`` bool for each split, or None if the data carry no masks."""
    held = {split: data[name] for split, name in MASKS.items() if name in data and data[name] is not None}
    if not held:
        return None
    lacking = [name for split, name in MASKS.items() if split not in held]
    if lacking:
        raise BadInput(f"{where} has masks but no {' and no '.join(lacking)}; give all of {', '.join(MASKS.values())}")
    out = {split: _mask(value, MASKS[split], nodes, where) for split, value in held.items()}
    if len({mask.size(1) for mask in out.values()}) > 1:
        shapes = ", ".join(f"{MASKS[split]} {list(mask.shape)}" for split, mask in out.items())
        raise BadInput(f"{where}: the masks must have equally many columns, one for each split; got {shapes}")
    return out


def _mask(value: Any, name: str, nodes: int, where: str) -> Tensor:
    given = tensor(value, name, where)
    mask = given[:, None] if given.dim() == 1 else given
    if mask.dim() != 2 or mask.size(0) != nodes or mask.size(1) == 0:
        raise BadInput(
            f"{where}: {name} must have one entry for each of {nodes} nodes; its shape is {list(given.shape)}"
        )
    if mask.dtype != torch.bool:
        if not ((mask == 0) | (mask == 1)).all():
            raise BadInput(f"{where}: {name} must be boolean, not node numbers; use index_to_mask of PyG")
        mask = mask.bool()
    return mask


def apart(parts: dict[str, Tensor], items: str, where: str) -> None:
    """No split is empty and no item is in two. ``items`` is the plural of what is divided."""
    for split, rows in parts.items():
        if not len(rows):
            raise BadInput(f"{where}: the {split} set is empty; give it {items}, or use another split")
    for a, b in (("train", "valid"), ("train", "test"), ("valid", "test")):
        shared = parts[a][torch.isin(parts[a], parts[b])]
        if len(shared):
            raise BadInput(
                f"{where}: the {a} and {b} sets overlap in {len(shared)} {items}, first {int(shared[0])}; "
                "each item belongs to one set"
            )


def learnable(y: Tensor, where: str) -> None:
    """The training labels can teach something: two classes or more, or any known label at all."""
    if not y.is_floating_point():
        if int(y.min()) == int(y.max()):
            raise BadInput(f"{where}: the training set holds a single class, {int(y[0])}; use another split")
    elif y.isnan().all():
        raise BadInput(f"{where}: no label of the training set is known (all are NaN); use another split")
