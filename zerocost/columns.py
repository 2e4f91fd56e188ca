"""Columns of embeddings brought to one scale."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.zerocost.base import NotScored

WIDEST = 256
"""Columns at most where every pair of them is compared."""
STILL = 1e-6
"""Share of a column's largest number below which its deviation is rounding."""


def standardised(x: Tensor, count: Tensor | None = None) -> Tensor:
    """Columns of mean zero and variance one, in float64; those that do not vary are zero.

    Args:
        count: ``[rows]``, how often each row counts; once by default.

    Raises:
        NotScored: if a number is infinite or none.
    """
    x = x.detach().double()
    if not x.isfinite().all():
        raise NotScored("numbers in the network are too large, or not numbers")
    share = torch.ones(len(x), 1, dtype=x.dtype, device=x.device) if count is None else count.double().unsqueeze(1)
    share = share / share.sum()
    centred = x - (share * x).sum(0)
    deviation = (share * centred.square()).sum(0).sqrt()
    still = deviation <= STILL * x.abs().amax(0)
    return centred / deviation.masked_fill(still, torch.inf)


def correlation(x: Tensor) -> Tensor:
    """``[columns, columns]``: Pearson's; zero for columns that do not vary."""
    z = standardised(x)
    return z.T @ z / len(z)


def thinned(x: Tensor) -> Tensor:
    """``WIDEST`` columns at even distances, or all where they are no more."""
    if x.size(1) <= WIDEST:
        return x
    return x[:, torch.linspace(0, x.size(1) - 1, WIDEST, device=x.device).long()]
