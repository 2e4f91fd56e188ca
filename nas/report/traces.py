"""What a controller shows of itself: numbers from trial to trial, and what it changed in which trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from statistics import fmean

from nas.controllers.base import Trace
from nas.controllers.registry import CONTROLLERS
from nas.report.marks import BOTTOM, HEIGHT, LEFT, across, frame, polyline, step, svg
from nas.report.scales import Scale, around
from nas.report.view import plural
from nas.settings import AUTO
from nas.study.folder import RunFolder
from nas.study.plan import Plan
from nas.study.records import Record, searched
from nas.study.replay import retell

WIDE, NAMES = 1072, 232
"""Pixels of a chart across the page, and those of them to the right of the field, for the names."""
POINTS = 250
"""Where a line has more points than this, each is the mean of several trials."""
TITLED = 300
"""With more changes than this only those that made a trial the best say something on hover."""
COLOURS, DASHES = 6, 3
ROW, GAP, TEXT, ABOVE = 34, 6, 15, 12
LETTERS = 25

Line = Sequence[tuple[int, float]]


def section(plan: Plan, records: Sequence[Record], folder: RunFolder | None = None) -> tuple[str, str] | None:
    """Title and HTML of what the plan's controller shows of its state, computed again from the trials.

    Or read from what it kept in the run's folder. None for a controller that shows nothing. What goes wrong is told in
    the section: a report must be written all the same.
    """
    title = f"How {plan.settings.controller} searched"
    try:
        shown = traces(plan, records, folder)
        return (title, draw(shown)) if shown else None
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        return title, f"<p class='note'>The controller could not say how it searched: {escape(why)}</p>"


def traces(plan: Plan, records: Sequence[Record], folder: RunFolder | None = None) -> list[Trace]:
    """What the plan's controller shows of its state over these trials; nothing of one that shows nothing.

    Only a controller whose class has a method ``traces``, or whose screen learns, is made for this. Where a run is only
    read, a controller that was an object in Python is not known and shows nothing.
    """
    controller = plan.controller
    if isinstance(controller, str):
        if controller not in CONTROLLERS:
            return []
        controller = CONTROLLERS.load(controller)
    if not hasattr(controller, "traces") and plan.settings.screen != AUTO:
        return []
    made = plan.made_controller(folder=folder)
    for record in searched(records):
        retell(made, record, records)
    return list(made.traces())  # type: ignore[attr-defined]


def draw(shown: Sequence[Trace]) -> str:
    """Each trace with its title, its explanation, a chart of its lines and one of its steps; a name has one colour."""
    last: dict[str, int] = {}
    for t in shown:
        numbers = [int(at) for kind in (t.lines, t.steps) for points in kind.values() for at, _ in points]
        last[t.unit] = max([*numbers, last.get(t.unit, 1)])
    x = {unit: Scale(0.0, end, LEFT, WIDE - NAMES) for unit, end in last.items()}
    names = list(dict.fromkeys(name for t in shown for kind in (t.lines, t.steps) for name in kind))
    return "".join(_trace(trace, x[trace.unit], {name: i for i, name in enumerate(names)}) for trace in shown)


def _trace(trace: Trace, x: Scale, order: Mapping[str, int]) -> str:
    drawn = _lines(trace, x, order) + _steps(trace, x)
    said = f"<h3>{escape(trace.title)}</h3><p>{escape(trace.about)}</p>"
    return said + (drawn or "<p class='muted small'>There is nothing to show yet.</p>")


def _lines(trace: Trace, x: Scale, order: Mapping[str, int]) -> str:
    """The lines, with their names where they end."""
    known = {n: [(int(at), float(v)) for at, v in p if math.isfinite(v)] for n, p in trace.lines.items()}
    lines = {name: points for name, points in known.items() if points}
    missing = [name for name in known if name not in lines]
    rest = f"<p class='muted small'>Without a value: {escape(', '.join(missing))}.</p>" if missing else ""
    if not lines:
        return rest
    height = max(HEIGHT, ABOVE + BOTTOM + TEXT * len(lines))
    y = around([v for points in lines.values() for _, v in points], height - BOTTOM, ABOVE, decades=False)
    each = math.ceil((x.high + 1) / POINTS) if max(map(len, lines.values())) > POINTS else 1
    ends = {name: y(points[-1][1]) for name, points in lines.items()}
    places = dict(zip(ends, apart(list(ends.values()), TEXT, ABOVE, height - BOTTOM), strict=True))
    parts = [frame(x, y, f"{trace.unit}s", "", trace.unit, "")]
    for name, points in lines.items():
        colour, dash = f"c{order[name] % COLOURS}", f"d{order[name] // COLOURS % DASHES}"
        (first, begin), (last, end) = points[0], points[-1]
        title = f"{name}: {begin:.3g} at {trace.unit} {first}" + (
            f", {end:.3g} at {trace.unit} {last}" if last > first else ""
        )
        parts.append(polyline([(x(at), y(v)) for at, v in means(points, each)], f"trace {colour} {dash}", title))
        lead = f"M{x(last):.1f} {ends[name]:.1f}H{x.end + 3}L{x.end + 15} {places[name]:.1f}h4"
        parts.append(f"<path class='lead {colour}' d='{lead}'/>")
        parts.append(_name(name, x.end + 23, places[name] + 4, f"name {colour}", title))
    note = f"<p class='muted small'>The lines are means of every {each:,} {trace.unit}s.</p>" if each > 1 else ""
    return svg(f"{trace.title} against {trace.unit}s", "".join(parts), [], (WIDE, height)) + note + rest


def _steps(trace: Trace, x: Scale) -> str:
    """A row for each name with a mark for each trial in which it was changed."""
    if not trace.steps:
        return ""
    titled = sum(map(len, trace.steps.values())) <= TITLED
    width = min(2.0, max(0.25, 0.8 * (x.end - x.start) / (x.high - x.low)))
    base, parts = GAP + ROW * len(trace.steps), []
    for row, (name, changes) in enumerate(trace.steps.items()):
        top, bottom = GAP + ROW * row, GAP + ROW * (row + 1) - GAP
        plain = [int(at) for at, better in changes if not better]
        best = [int(at) for at, better in changes if better]
        counts = f"changed {plural(len(changes), 'time')}, better {len(best):,}" if changes else "never changed"
        said = f"{name}: {counts}"
        parts.append(
            f"<rect class='band' x='{x.start - 4}' y='{top}' width='{x.end - x.start + 8}' height='{bottom - top}'>"
            f"<title>{escape(said)}</title></rect>"
        )
        if titled:
            parts += [step(x(at), top, bottom, f"trial {at} changed {name}", width=width) for at in plain]
        elif plain:
            marks = dict.fromkeys(f"M{x(at):.1f} {top + 3}v{bottom - top - 6}" for at in plain)
            parts.append(f"<path class='step' stroke-width='{width:.3g}' d='{''.join(marks)}'/>")
        became = f"changed {name} and became the best"
        parts += [step(x(at), top, bottom, f"trial {at} {became}", better=True) for at in best]
        parts.append(_name(name, x.end + 23, top + 12, "name", said))
        parts.append(f"<text class='count' x='{x.end + 23}' y='{top + 26}'>{counts}</text>")
    legend = [("step", "changed in this trial"), ("step better", "changed, and the trial became the best")]
    body = "".join(parts) + across(x, base, f"{trace.unit}s", trace.unit)
    return svg("What was changed in which trial", body, legend, (WIDE, base + BOTTOM))


def _name(name: str, a: float, b: float, kind: str, title: str) -> str:
    shown = name if len(name) <= LETTERS else "…" + name[1 - LETTERS :].lstrip("*.")
    return f"<text class='{kind}' x='{a}' y='{b:.1f}'>{escape(shown)}<title>{escape(title)}</title></text>"


def means(points: Line, each: int) -> list[tuple[float, float]]:
    """The mean of the points that lie in every ``each`` trials."""
    groups = [list(group) for _, group in groupby(points, key=lambda point: point[0] // each)]
    return [(fmean(a for a, _ in group), fmean(b for _, b in group)) for group in groups]


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places ``gap`` or more apart within ``low`` and ``high``, in the order of those wanted and near to them.

    The squares of the distances are least: pooling adjacent violators on the places less what their ranks take.
    """
    ranks = sorted(range(len(wanted)), key=wanted.__getitem__)
    pools: list[list[float]] = []
    for rank, i in enumerate(ranks):
        pools.append([wanted[i] - gap * rank])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    top = high - gap * (len(wanted) - 1)
    free = [max(low, min(fmean(pool), top)) for pool in pools for _ in pool]
    places = [0.0] * len(wanted)
    for rank, i in enumerate(ranks):
        places[i] = free[rank] + gap * rank
    return places
