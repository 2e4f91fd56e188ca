"""Which features the architectures of a space have, and by how much they vary: from a sample of them, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.predictors.base import Array

Counts = Mapping[str, Mapping[str, float]]
"""By family and name."""
LEAST = 1e-6
"""A column that varies by less does not vary."""


@dataclass(frozen=True)
class Scaling:
    """Centres columns and makes their total variance 1. Made by :meth:`of`.

    Attributes:
        kept: the columns that vary.
        centre: of each of these.
        factor: of each of these.
    """

    kept: NDArray[np.int64]
    centre: Array
    factor: Array

    @classmethod
    def of(cls, sample: Array, families: Sequence[int] = ()) -> Scaling:
        """From ``[items, columns]``; families of so many columns each get equal shares of the variance."""
        kept, factors = [np.zeros(0, np.int64)], [np.zeros(0)]
        for columns in np.split(np.arange(sample.shape[1]), np.cumsum(families)[:-1].astype(int)):
            variances = sample[:, columns].var(0)
            varies = variances > LEAST
            if varies.any():
                kept.append(columns[varies])
                factors.append(np.full(varies.sum(), variances[varies].sum() ** -0.5))
        columns = np.concatenate(kept)
        shares = max(1, len(kept) - 1)
        return cls(columns, sample[:, columns].mean(0), np.concatenate(factors) / shares**0.5)

    def __call__(self, rows: Array) -> Array:
        """``[items, kept]`` of ``[items, columns]``."""
        return ((rows[:, self.kept] - self.centre) * self.factor).astype(np.float32)


class Vocabulary:
    """The names that were counted in a sample, each with its column. What was not met there is not counted.

    Args:
        sample: what was counted in each architecture.
    """

    def __init__(self, sample: Sequence[Counts]) -> None:
        names = {family: sorted({name for counts in sample for name in counts[family]}) for family in sample[0]}
        self.families = [len(found) for found in names.values()]
        self._columns = {family: dict[str, int]() for family in names}
        for family, found in names.items():
            for name in found:
                self._columns[family][name] = sum(map(len, self._columns.values()))

    def rows(self, counted: Sequence[Counts]) -> Array:
        """``[items, columns]``, the families side by side."""
        rows = np.zeros((len(counted), sum(self.families)), np.float32)
        for row, counts in zip(rows, counted, strict=True):
            for family, found in counts.items():
                columns = self._columns[family]
                for name, count in found.items():
                    if name in columns:
                        row[columns[name]] = count
        return rows
