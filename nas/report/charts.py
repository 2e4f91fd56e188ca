"""The charts of a report."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from nas.metrics import METRICS
from nas.report.marks import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Point,
    clipped,
    cross,
    diamond,
    dots,
    frame,
    polyline,
    svg,
    triangle,
)
from nas.report.scales import Scale, around, clock
from nas.report.view import View, label, number
from nas.study.records import AGAIN, Record, finished

CURVES = 200
"""So many learning curves at most are drawn."""


def best_so_far(view: View, *, against: str) -> str:
    """The first objective of every trial and the best until then, against ``trials`` or ``time``.

    After a search with shared weights those trained from scratch have a mark of their own, and no part in the curve;
    so have those trained again with another seed. Beside scores they have no place.
    """
    objective, done = view.compared[0], finished(view.searched if view.proxy else view.records)
    where = _place(view.records, against)
    high = max(where(r) for r in view.records)
    x = Scale(0.0, high * 1.02 or 1.0, LEFT, WIDTH - RIGHT)
    values = [_natural(view, r) for r in done]
    y = robust(values, objective.maximise)
    floor = HEIGHT - BOTTOM - 6 if objective.maximise else TOP + 6

    whole, early, again, outside = list[Point](), list[Point](), list[Point](), list[Point]()
    for record, value in zip(done, values, strict=True):
        group = whole if record.trial.stopped is None else early
        if (view.provisional and record.from_scratch) or record.evaluator == AGAIN:
            group = again
        inside = y.low <= value <= y.high
        group = group if inside else outside
        group.append((x(where(record)), y(value) if inside else floor, _title(view, record)))
    marks = dots(early, "dot faint") + dots(whole, "dot")
    marks += "".join(diamond(*point, "scratch") for point in again)
    marks += "".join(triangle(point, down=objective.maximise) for point in outside)
    marks += "".join(
        cross(x(where(r)), HEIGHT - BOTTOM, f"trial {r.trial.number} failed: {r.trial.reason}")
        for r in view.records
        if r.trial.values is None
    )
    title = f"time ({clock(max(r.elapsed for r in view.records))[1]})" if against == "time" else "trials"
    body = frame(x, y, against, objective.name, title, label(objective))
    shared = " with shared weights" if view.provisional and not view.proxy else ""
    legend = [("line", f"best so far{shared}"), ("dot", "a trial")]
    if again:
        legend.append(("scratch", "trained from scratch" if view.provisional else "again, with another seed"))
    if early:
        legend.append(("dot faint", "stopped early"))
    if outside:
        legend.append(("far", "off the scale"))
    if len(done) < len(view.records):
        legend.append(("cross", "failed"))
    summary = f"Best {label(objective)} so far against {against}"
    return svg(summary, body + marks + _curve(view, where, x, y), legend)


def pareto(view: View, second: int) -> str:
    """The first objective against another one; the front is that of all objectives.

    Where trials were trained from scratch after a search with shared weights, these are all that is drawn.
    """
    across, up = view.decisive[second], view.decisive[0]
    done, best = view.retrained or finished(view.records), view.front
    xs = [_natural(view, r, second) for r in done]
    ys = [_natural(view, r) for r in done]
    x = around(xs, LEFT, WIDTH - RIGHT)
    y = robust(ys, up.maximise)
    on = {r.trial.number for r in best}

    def point(record: Record) -> tuple[float, float, str]:
        value = clamped(_natural(view, record), y)
        return x(_natural(view, record, second)), y(value), _title(view, record)

    def off(record: Record) -> bool:
        return not y.low <= _natural(view, record) <= y.high

    ordered = sorted(map(point, best))
    line = ""
    if len(view.objectives) == 2 and len(ordered) > 1:
        line = f"<polyline class='front' points='{' '.join(f'{a:.1f},{b:.1f}' for a, b, _ in ordered)}'/>"
    body = frame(x, y, across.name, up.name, label(across), label(up))
    dominated = [r for r in done if r.trial.number not in on]
    marks = dots([point(r) for r in dominated if not off(r)], "dot faint")
    marks += "".join(triangle(point(r), down=up.maximise) for r in done if off(r))
    marks += line + dots([point(r) for r in best if not off(r)], "dot") + dots([point(view.best[0])], "dot won")
    legend = [("dot won", "the winner"), ("dot", "on the front"), ("dot faint", "dominated")]
    legend += [("far", "off the scale")] if any(map(off, done)) else []
    return svg(f"Pareto front of {label(up)} and {label(across)}", body + marks, legend)


def learning(view: View) -> str:
    """The metric that chooses the best epoch, at every look at the validation split; of many trials some of each rank.

    Epochs are on a logarithmic axis where trainings were stopped or had shared weights, most of which end soon.
    """
    curved = [r for r in view.best if r.trial.curve]
    drawn = curved[:: -(-len(curved) // CURVES)]
    metric = METRICS[view.tested[0]]
    early = [r for r in drawn if _short(r)]
    epochs = [at for r in drawn for at, _ in r.trial.curve]
    x = Scale(min(epochs) if early else 0.0, max(epochs), LEFT, WIDTH - RIGHT, log=bool(early))
    y = _most([v for r in drawn for _, v in r.trial.curve if v == v], metric.larger_is_better)

    def line(record: Record, kind: str) -> str:
        points = [(x(at), y(value)) for at, value in record.trial.curve if value == value]
        return polyline(points, kind, _title(view, record))

    def end(record: Record) -> Point:
        """Where a training was stopped, or ended that began with shared weights."""
        at, value = record.trial.curve[-1]
        ended = f"{'stopped' if record.from_scratch else 'ended'} at epoch {at}"
        return x(at), y(clamped(value, y)), f"{_title(view, record)}, {ended}"

    winner, others = drawn[0], drawn[:0:-1]
    lines = "".join(line(r, "curve faint") for r in others if _short(r))
    lines += dots([end(r) for r in early], "dot faint")
    lines += "".join(line(r, "curve") for r in others if not _short(r)) + line(winner, "best")
    title = f"epochs{' (logarithmic)' if early else ''}"
    body = frame(x, y, "epochs", metric.name, title, f"validation {metric.name}") + clipped(lines)
    legend = [("line", "the winner")]
    legend += (
        [("curve", "trained from scratch" if view.provisional else "trained in full")]
        if len(early) < len(drawn)
        else []
    )
    legend += [("curve faint", "with shared weights" if view.provisional else "stopped early")] if early else []
    return svg(f"Learning curves: validation {metric.name} against epochs", body, legend)


def _short(record: Record) -> bool:
    return record.trial.stopped is not None or not record.from_scratch


def _place(records: Sequence[Record], against: str) -> Callable[[Record], float]:
    if against == "time":
        factor, _ = clock(max(r.elapsed for r in records))
        return lambda r: r.elapsed / factor
    position = {id(r): float(i) for i, r in enumerate(records, 1)}
    return lambda r: position[id(r)]


def robust(values: Sequence[float], maximise: bool) -> Scale:
    """An axis on which the better half of the values is readable, however bad the worst ones are."""
    best, middle = (max(values), median(values)) if maximise else (min(values), median(values))
    limit = middle + 2.5 * (middle - best)
    shown = [v for v in values if (v >= limit if maximise else v <= limit)]
    kept = shown if best != middle and len(shown) < len(values) else values
    low, high = min(kept), max(kept)
    room = max(0.08 * (high - low), 1e-6 * max(abs(low), abs(high))) if high > low else 0.02 * abs(high) or 0.1
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def _most(values: Sequence[float], maximise: bool) -> Scale:
    """An axis of all values but the worst twentieth, which are those of first epochs."""
    ordered = sorted(values, reverse=maximise)
    kept = ordered[: max(1, math.ceil(0.95 * len(ordered)))]
    low, high = min(kept), max(kept)
    room = 0.05 * (high - low) or 0.02 * abs(high) or 0.1
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def clamped(value: float, scale: Scale) -> float:
    """The nearest number on the axis."""
    return min(max(value, scale.low), scale.high)


def _title(view: View, record: Record) -> str:
    shown = [o.by(record.evaluator) for o in view.objectives]
    return f"trial {record.trial.number}: " + ", ".join(
        f"{label(o)} {number(o.name, _natural(view, record, i))}" for i, o in enumerate(shown)
    )


def _natural(view: View, record: Record, objective: int = 0) -> float:
    """An objective's value in its natural sign."""
    assert record.trial.values is not None
    return view.objectives[objective].by(record.evaluator).value(record.trial.values[objective])


def _curve(view: View, where: Callable[[Record], float], x: Scale, y: Scale) -> str:
    path, best = "", -math.inf
    for record in view.searched:
        if record.trial.values is None or record.trial.values[0] <= best:
            continue
        best = record.trial.values[0]
        value = _natural(view, record)
        across, up = x(where(record)), y(clamped(value, y))
        path += f"H{across:.1f}V{up:.1f}" if path else f"M{across:.1f} {up:.1f}"
    return f"<path class='best' d='{path}H{x(max(where(r) for r in view.searched)):.1f}'/>"
