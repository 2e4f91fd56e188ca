"""What the charts of a report are drawn with: small SVGs without ids, coloured by the classes of ``style.css``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.report.scales import Scale, printer

WIDTH, HEIGHT = 520, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 34, 48
TITLED = 1500
"""With more trials than this the dots carry no text on hover: they are drawn as one path."""

Point = tuple[float, float, str]
"""Where a mark stands, in pixels, and what it says on hover."""


def frame(x: Scale, y: Scale, x_name: str, y_name: str, x_title: str, y_title: str) -> str:
    """Grid, ticks and titles."""
    x_ticks, y_ticks = x.ticks(6), y.ticks(7)
    if x_name in ("trials", "epochs"):
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


def dots(points: Sequence[Point], kind: str) -> str:
    """A dot for each point."""
    if len(points) > TITLED:
        return f"<path class='{kind} many' d='{''.join(f'M{a:.1f} {b:.1f}h0' for a, b, _ in points)}'/>"
    return "".join(
        f"<circle class='{kind}' cx='{a:.1f}' cy='{b:.1f}' r='3'><title>{escape(title)}</title></circle>"
        for a, b, title in points
    )


def polyline(points: Sequence[tuple[float, float]], kind: str, title: str) -> str:
    """A line through points; one alone is a dot."""
    places = " ".join(f"{a:.1f} {b:.1f}" for a, b in points)
    return f"<path class='{kind}' d='M{places}{'h0' * (len(points) == 1)}'><title>{escape(title)}</title></path>"


def clipped(lines: str) -> str:
    """Marks of which only what is within the axes is seen; a stroke may stand out by half its width."""
    a, b, width, height = LEFT - 2, TOP - 2, WIDTH - RIGHT - LEFT + 4, HEIGHT - BOTTOM - TOP + 2
    return f"<svg x='{a}' y='{b}' width='{width}' height='{height}' viewBox='{a} {b} {width} {height}'>{lines}</svg>"


def triangle(point: Point, *, down: bool) -> str:
    """What stands for a point that is off the scale."""
    a, b, title = point
    turn = 1 if down else -1
    shape = f"M{a - 4:.1f} {b - 3 * turn:.1f}h8l-4 {7 * turn}z"
    return f"<path class='far' d='{shape}'><title>{escape(title)}</title></path>"


def cross(a: float, b: float, title: str) -> str:
    """What stands for a failed trial."""
    return f"<path class='cross' d='M{a - 3.5:.1f} {b - 3.5:.1f}l7 7m0 -7l-7 7'><title>{escape(title)}</title></path>"


def svg(summary: str, body: str, legend: Sequence[tuple[str, str]]) -> str:
    """The figure: what screen readers say of it, its marks, and the kinds of marks with their names."""
    keys = "".join(f"<span><svg viewBox='0 0 18 12' aria-hidden='true'>{_key(k)}</svg>{t}</span>" for k, t in legend)
    named = f"viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(summary)}'"
    return f"<figure class='chart'><svg {named}>{body}</svg><figcaption class='legend'>{keys}</figcaption></figure>"


def _key(kind: str) -> str:
    match kind:
        case "line":
            return "<path class='best' d='M1 6H17'/>"
        case "curve":
            return "<path class='curve' d='M1 6H17'/>"
        case "curve faint":
            return "<path class='curve faint' d='M1 6H15'/><circle class='dot faint' cx='15' cy='6' r='3'/>"
        case "far":
            return "<path class='far' d='M5 3h8l-4 7z'/>"
        case "cross":
            return "<path class='cross' d='M5.5 2.5l7 7m0 -7l-7 7'/>"
        case _:
            return f"<circle class='{kind}' cx='9' cy='6' r='3.5'/>"
