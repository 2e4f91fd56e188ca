"""What labels ask: one of several classes, yes/no questions, or numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from nas.data import checks
from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch, Level, Target


def labels_of(data: Data, where: str) -> Tensor:
    """``[rows, ...]`` labels of a graph.

    Raises:
        BadInput: if there are none.
    """
    if data.y is None:
        raise BadInput(f"{where} has no y; give a label to each node, or one to each graph of a list")
    y = checks.tensor(data.y, "y", where)
    return y[None] if y.dim() == 0 else y


def level_of(labels: Sequence[Tensor], sizes: Sequence[int], names: Sequence[str]) -> Level:
    """Whether labels belong to graphs (one row each) or to nodes (a row for each node).

    Raises:
        BadInput: if a graph fits neither.
    """
    if len(labels) > 1 and all(y.size(0) == 1 for y in labels):
        return "graph"
    for y, nodes, name in zip(labels, sizes, names, strict=True):
        if y.size(0) != nodes:
            wanted = f"one row for each of its {nodes} nodes" + (", or one for the graph" if len(labels) > 1 else "")
            raise BadInput(f"{name}: y has {y.size(0)} rows; expected {wanted} (y.view(1, -1) makes one row)")
    return "node"


def interpret(y: Tensor, where: str, notes: list[str]) -> tuple[Target, Tensor]:
    """The target that labels fit, and the labels in its form.

    Integers in one column are classes; several columns of 0 and 1, and float columns in which only 0 and 1 (and NaN)
    occur, are yes/no questions; other floats are numbers to predict.

    Raises:
        BadInput: if they fit none, or an infinite number is among them.
    """
    if y.dim() > 2:
        raise BadInput(f"{where}: y must have the shape [items] or [items, outputs]; it has {list(y.shape)}")
    if y.is_complex():
        raise BadInput(f"{where}: y must hold real numbers; it is {y.dtype}")
    columns = y[:, None] if y.dim() == 1 else y
    if y.dtype == torch.bool:
        return "multilabel", columns.float()
    if not y.is_floating_point():
        if columns.size(1) == 1:
            return "multiclass", columns[:, 0].long()
        if not ((columns == 0) | (columns == 1)).all():
            raise BadInput(
                f"{where}: {columns.size(1)} columns of integer labels must hold only 0 and 1; use float "
                "labels for a regression, or one column of class numbers"
            )
        return "multilabel", columns.float()
    values = columns.float()
    known = values[~values.isnan()]
    if known.isinf().any():
        raise BadInput(f"{where}: y has {int(known.isinf().sum())} infinite values; NaN marks a missing label")
    if len(known) and ((known == 0) | (known == 1)).all():
        notes.append("the labels are 0 and 1, so they are read as yes/no questions, not as a regression")
        return "multilabel", values
    return "regression", values


def standard(batches: Sequence[Batch]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the deviation of each number to predict, to six digits; 0 and 1 where nothing is known of it."""
    centre, spread = [], []
    for column in torch.cat([batch.y for batch in batches]).double().t():
        known = column[~column.isnan()]
        deviation = float(known.std()) if len(known) > 1 else 0.0
        centre.append(float(f"{float(known.mean()) if len(known) else 0.0:.6g}"))
        spread.append(float(f"{deviation:.6g}") or 1.0)
    return tuple(centre), tuple(spread)
