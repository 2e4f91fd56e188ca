"""The charts of a report: small SVGs without ids, coloured by the classes of ``style.css``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from statistics import median

from nas.report.scales import Scale, around, clock, printer
from nas.report.view import View, label, number
from nas.study.records import Record, finished

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 48
TITLED = 1500
"""With more trials than this the dots carry no text on hover: they are drawn as one path."""


def best_so_far(view: View, *, against: str) -> str:
    """The first objective of every trial and the best until then, against ``trials`` or ``time``."""
    objective, done = view.objectives[0], finished(view.records)
    where = _place(view.records, against)
    high = max(where(r) for r in view.records)
    x = Scale(0.0, high * 1.02 or 1.0, LEFT, WIDTH - RIGHT)
    values = [_natural(view, r) for r in done]
    y = _robust(values, objective.maximise)
    floor = HEIGHT - BOTTOM - 6 if objective.maximise else TOP + 6

    points, outside = [], []
    for record, value in zip(done, values, strict=True):
        inside = y.low <= value <= y.high
        points.append((x(where(record)), y(value) if inside else floor, _title(view, record)))
        outside.append(not inside)
    marks = _dots([p for p, out in zip(points, outside, strict=True) if not out], "dot")
    marks += "".join(_triangle(p, down=objective.maximise) for p, out in zip(points, outside, strict=True) if out)
    marks += "".join(
        _cross(x(where(r)), HEIGHT - BOTTOM, f"trial {r.trial.number} failed: {r.trial.reason}")
        for r in view.records
        if r.trial.values is None
    )
    title = f"time ({clock(max(r.elapsed for r in view.records))[1]})" if against == "time" else "trials"
    body = _frame(x, y, against, objective.name, title, label(objective))
    legend = [("line", "best so far"), ("dot", "a trial")]
    if any(outside):
        legend.append(("far", "off the scale"))
    if len(done) < len(view.records):
        legend.append(("cross", "failed"))
    summary = f"Best {label(objective)} so far against {against}"
    return _svg(summary, body + marks + _curve(view, where, x, y), legend)


def pareto(view: View, second: int) -> str:
    """The first objective against another one; the front is that of all objectives."""
    across, up = view.objectives[second], view.objectives[0]
    done, best = finished(view.records), view.front
    xs = [_natural(view, r, second) for r in done]
    ys = [_natural(view, r) for r in done]
    x = around(xs, LEFT, WIDTH - RIGHT)
    y = _robust(ys, up.maximise)
    on = {r.trial.number for r in best}

    def point(record: Record) -> tuple[float, float, str]:
        value = _clamped(_natural(view, record), y)
        return x(_natural(view, record, second)), y(value), _title(view, record)

    def off(record: Record) -> bool:
        return not y.low <= _natural(view, record) <= y.high

    ordered = sorted(map(point, best))
    line = ""
    if len(view.objectives) == 2 and len(ordered) > 1:
        line = f"<polyline class='front' points='{' '.join(f'{a:.1f},{b:.1f}' for a, b, _ in ordered)}'/>"
    body = _frame(x, y, across.name, up.name, label(across), label(up))
    dominated = [r for r in done if r.trial.number not in on]
    marks = _dots([point(r) for r in dominated if not off(r)], "dot faint")
    marks += "".join(_triangle(point(r), down=up.maximise) for r in done if off(r))
    marks += line + _dots([point(r) for r in best if not off(r)], "dot") + _dots([point(view.best[0])], "dot won")
    legend = [("dot won", "the winner"), ("dot", "on the front"), ("dot faint", "dominated")]
    legend += [("far", "off the scale")] if any(map(off, done)) else []
    return _svg(f"Pareto front of {label(up)} and {label(across)}", body + marks, legend)


def _place(records: Sequence[Record], against: str) -> Callable[[Record], float]:
    if against == "time":
        factor, _ = clock(max(r.elapsed for r in records))
        return lambda r: r.elapsed / factor
    position = {id(r): float(i) for i, r in enumerate(records, 1)}
    return lambda r: position[id(r)]


def _robust(values: Sequence[float], maximise: bool) -> Scale:
    """An axis on which the better half of the values is readable, however bad the worst ones are."""
    best, middle = (max(values), median(values)) if maximise else (min(values), median(values))
    limit = middle + 2.5 * (middle - best)
    shown = [v for v in values if (v >= limit if maximise else v <= limit)]
    kept = shown if best != middle and len(shown) < len(values) else values
    low, high = min(kept), max(kept)
    room = max(0.08 * (high - low), 1e-6 * max(abs(low), abs(high))) if high > low else 0.02 * abs(high) or 0.1
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def _clamped(value: float, scale: Scale) -> float:
    return min(max(value, scale.low), scale.high)


def _title(view: View, record: Record) -> str:
    return f"trial {record.trial.number}: " + ", ".join(
        f"{label(o)} {number(o.name, _natural(view, record, i))}" for i, o in enumerate(view.objectives)
    )


def _natural(view: View, record: Record, objective: int = 0) -> float:
    """An objective's value in its natural sign."""
    assert record.trial.values is not None
    return view.objectives[objective].value(record.trial.values[objective])


def _curve(view: View, where: Callable[[Record], float], x: Scale, y: Scale) -> str:
    path, best = "", -math.inf
    for record in view.records:
        if record.trial.values is None or record.trial.values[0] <= best:
            continue
        best = record.trial.values[0]
        value = _natural(view, record)
        across, up = x(where(record)), y(_clamped(value, y))
        path += f"H{across:.1f}V{up:.1f}" if path else f"M{across:.1f} {up:.1f}"
    return f"<path class='best' d='{path}H{x(max(where(r) for r in view.records)):.1f}'/>"


def _frame(x: Scale, y: Scale, x_name: str, y_name: str, x_title: str, y_title: str) -> str:
    """Grid, ticks and titles."""
    x_ticks, y_ticks = x.ticks(6), y.ticks(7)
    if x_name == "trials":
        x_ticks = [t for t in x_ticks if t == round(t)]
    x_text, x_unit = printer(x_name, x_ticks)
    y_text, y_unit = printer(y_name, y_ticks)
    base = HEIGHT - BOTTOM
    parts = [f"<path class='grid' d='M{LEFT} {y(t):.1f}H{WIDTH - RIGHT}'/>" for t in y_ticks]
    parts.append(f"<path class='axis' d='M{LEFT} {base}H{WIDTH - RIGHT}'/>")
    for t in y_ticks:
        parts.append(f"<text class='tick' x='{LEFT - 8}' y='{y(t) + 4:.1f}' text-anchor='end'>{y_text(t)}</text>")
    for t in x_ticks:
        parts.append(f"<path class='axis' d='M{x(t):.1f} {base}v5'/>")
        parts.append(f"<text class='tick' x='{x(t):.1f}' y='{base + 19}' text-anchor='middle'>{x_text(t)}</text>")
    x_title, y_title = _with(x_title, x_unit), _with(y_title, y_unit)
    parts.append(f"<text class='axis-title' x='{WIDTH - RIGHT}' y='{HEIGHT - 8}' text-anchor='end'>{x_title}</text>")
    parts.append(f"<text class='axis-title' x='4' y='16'>{y_title}</text>")
    return "".join(parts)


def _with(title: str, unit: str) -> str:
    return escape(f"{title} ({unit})" if unit else title)


def _dots(points: Sequence[tuple[float, float, str]], kind: str) -> str:
    if len(points) > TITLED:
        return f"<path class='{kind} many' d='{''.join(f'M{a:.1f} {b:.1f}h0' for a, b, _ in points)}'/>"
    return "".join(
        f"<circle class='{kind}' cx='{a:.1f}' cy='{b:.1f}' r='3'><title>{escape(title)}</title></circle>"
        for a, b, title in points
    )


def _triangle(point: tuple[float, float, str], *, down: bool) -> str:
    a, b, title = point
    turn = 1 if down else -1
    shape = f"M{a - 4:.1f} {b - 3 * turn:.1f}h8l-4 {7 * turn}z"
    return f"<path class='far' d='{shape}'><title>{escape(title)}</title></path>"


def _cross(a: float, b: float, title: str) -> str:
    return f"<path class='cross' d='M{a - 3.5:.1f} {b - 3.5:.1f}l7 7m0 -7l-7 7'><title>{escape(title)}</title></path>"


def _svg(summary: str, body: str, legend: Sequence[tuple[str, str]]) -> str:
    keys = "".join(f"<span><svg viewBox='0 0 18 12' aria-hidden='true'>{_key(k)}</svg>{t}</span>" for k, t in legend)
    named = f"viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(summary)}'"
    return f"<figure class='chart'><svg {named}>{body}</svg><figcaption class='legend'>{keys}</figcaption></figure>"


def _key(kind: str) -> str:
    match kind:
        case "line":
            return "<path class='best' d='M1 6H17'/>"
        case "far":
            return "<path class='far' d='M5 3h8l-4 7z'/>"
        case "cross":
            return "<path class='cross' d='M5.5 2.5l7 7m0 -7l-7 7'/>"
        case _:
            return f"<circle class='{kind}' cx='9' cy='6' r='3.5'/>"
