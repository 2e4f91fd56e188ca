"""What kinds of numbers a matrix of features holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 4096
"""Rows that are looked at together, so that large matrices are never copied whole."""


@dataclass(frozen=True)
class Kinds:
    """Columns by what they hold.

    Attributes:
        width: how many there are.
        constant: of them with the same number everywhere.
        binary: of the others with 0 and 1 alone.
        whole: with other whole numbers.
        real: with other numbers.
        filled: share of the entries that are not zero.
        one_hot: whether every row has a single 1 and zeros beside it.
    """

    width: int
    constant: int
    binary: int
    whole: int
    real: int
    filled: float
    one_hot: bool


def kinds(matrices: Sequence[Tensor]) -> Kinds:
    """Of ``[rows, columns]`` matrices, equally wide, taken together."""
    width = matrices[0].size(1)
    binary, whole = torch.ones(width, dtype=torch.bool), torch.ones(width, dtype=torch.bool)
    low, high = torch.full((width,), float("inf")), torch.full((width,), -float("inf"))
    filled, total, single = 0, 0, True
    for matrix in matrices:
        for rows in torch.split(matrix, ROWS):
            zero = rows == 0
            binary &= (zero | (rows == 1)).all(0)
            whole &= (rows == rows.round()).all(0)
            low, high = torch.minimum(low, rows.amin(0)), torch.maximum(high, rows.amax(0))
            filled += rows.numel() - int(zero.sum())
            total += rows.numel()
            single = single and bool(((~zero).sum(1) == 1).all())
    varied = low < high
    return Kinds(
        width=width,
        constant=int((~varied).sum()),
        binary=int((binary & varied).sum()),
        whole=int((whole & ~binary & varied).sum()),
        real=int((~whole & varied).sum()),
        filled=filled / max(total, 1),
        one_hot=single and width > 1 and bool(binary.all()),
    )
