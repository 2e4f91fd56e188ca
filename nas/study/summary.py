"""One number over several seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """One metric over seeds: mean and sample standard deviation; NaN where a value is, or is alone."""

    mean: float
    deviation: float
    values: tuple[float, ...]

    @staticmethod
    def of(values: Sequence[float]) -> Summary:
        defined = len(values) > 1 and all(map(math.isfinite, values))
        deviation = statistics.stdev(values) if defined else math.nan
        return Summary(statistics.fmean(values), deviation, tuple(values))
