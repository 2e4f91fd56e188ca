"""Axes: from numbers to places on a chart, and the numbers worth a tick."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic axis.

    Attributes:
        low, high: the numbers at its ends, ``low < high``.
        start, end: where the ends lie on the chart, in pixels; ``end`` may be the smaller one.
        log: whether equal factors are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a number, in pixels."""
        f = math.log10 if self.log else float
        share = (f(value) - f(self.low)) / (f(self.high) - f(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the axis, in order."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            for parts in ((1, 2, 5), (1, 3), (1,)):
                inside = [p * 10.0**e for e in range(first, last + 1) for p in parts]
                inside = [t for t in inside if self.low <= t <= self.high]
                if len(inside) <= most:
                    break
            inside = inside[:: max(1, math.ceil(len(inside) / most))]
            return inside if len(inside) > 1 else Scale(self.low, self.high, 0, 1).ticks(most)
        step = _step((self.high - self.low) / most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(p * power for p in (1, 2, 5, 10) if p * power >= least * (1 - 1e-9))


def around(values: Sequence[float], start: float, end: float, *, decades: bool = True) -> Scale:
    """An axis that holds all values, with a little room on both sides; logarithmic where they span ``decades``."""
    low, high = min(values), max(values)
    if decades and low > 0 and high / low > 20:
        room = (high / low) ** 0.06
        return Scale(low / room, high * room, start, end, log=True)
    room = max(0.06 * (high - low), 1e-6 * max(abs(low), abs(high))) if high > low else 0.05 * abs(high) or 1.0
    return Scale(0.0 if 0 <= low < room else low - room, high + room, start, end)


def printer(name: str, ticks: Sequence[float]) -> tuple[Callable[[float], str], str]:
    """How the ticks of a metric or cost are written, and the unit that goes into the axis title (or nothing)."""
    top = max(map(abs, ticks), default=1.0)
    if name == "accuracy":
        return _plain([100 * t for t in ticks], 100.0), "%"
    if name == "seconds":
        factor, unit = clock(top)
        return _plain([t / factor for t in ticks], 1 / factor), unit
    if name == "latency":
        return _plain([1000 * t for t in ticks], 1000.0), "ms"
    if name in ("params", "bytes", "buffer"):
        return _short, ""
    return _plain(ticks), ""


def clock(seconds: float) -> tuple[float, str]:
    """The unit in which so long a time is told: its length in seconds, and its name."""
    return next(((f, u) for f, u in ((3600.0, "hours"), (60.0, "minutes")) if seconds >= 2 * f), (1.0, "seconds"))


def _plain(ticks: Sequence[float], factor: float = 1.0) -> Callable[[float], str]:
    """With as many decimals as it takes to tell the ticks apart, the same for all of a linear axis."""
    gaps = [b - a for a, b in pairwise(ticks)]
    digits = max(0, -math.floor(math.log10(min(gaps)) + 1e-9)) if gaps else 2
    return lambda value: f"{value * factor:,.{digits}f}"


def _short(value: float) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
