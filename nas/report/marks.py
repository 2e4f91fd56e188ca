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
    """Grid, ticks and titles, around the field that the two axes span."""
    ticks = y.ticks(7)
    text, unit = printer(y_name, ticks)
    parts = [f"<path class='grid' d='M{x.start} {y(t):.1f}H{x.end}'/>" for t in ticks]
    for t in ticks:
        parts.append(f"<text class='tick' x='{x.start - 8}' y='{y(t) + 4:.1f}' text-anchor='end'>{text(t)}</text>")
    parts.append(f"<text class='axis-title' x='4' y='{y.end - 18}'>{_with(y_title, unit)}</text>")
    return "".join(parts) + across(x, y.start, x_name, x_title)


def across(x: Scale, base: float, name: str, title: str) -> str:
    """The lower axis with its ticks and title."""
    ticks = x.ticks(6)
    if name in ("trials", "epochs"):
        ticks = [t for t in ticks if t == round(t)]
    text, unit = printer(name, ticks)
    parts = [f"<path class='axis' d='M{x.start} {base}H{x.end}'/>"]
    for t in ticks:
        parts.append(f"<path class='axis' d='M{x(t):.1f} {base}v5'/>")
        parts.append(f"<text class='tick' x='{x(t):.1f}' y='{base + 19}' text-anchor='middle'>{text(t)}</text>")
    parts.append(f"<text class='axis-title' x='{x.end}' y='{base + 40}' text-anchor='end'>{_with(title, unit)}</text>")
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


def diamond(a: float, b: float, title: str, kind: str) -> str:
    """What stands out among other marks."""
    said = f"<title>{escape(title)}</title>" if title else ""
    return f"<path class='{kind}' d='M{a:.1f} {b - 4:.1f}l4 4l-4 4l-4 -4z'>{said}</path>"


def step(a: float, top: float, bottom: float, title: str = "", *, better: bool = False, width: float = 2.0) -> str:
    """What stands for a change in a trial; where the trial became the best it is taller and has a head."""
    said = f"<title>{escape(title)}</title>" if title else ""
    if not better:
        return (
            f"<path class='step' stroke-width='{width:.3g}' d='M{a:.1f} {top + 3:.1f}V{bottom - 3:.1f}'>{said}</path>"
        )
    line = f"<path class='step better' d='M{a:.1f} {top:.1f}V{bottom:.1f}'>{said}</path>"
    return line + diamond(a, top + 2, title, "step better")


def svg(summary: str, body: str, legend: Sequence[tuple[str, str]], size: tuple[float, float] = (WIDTH, HEIGHT)) -> str:
    """The figure: what screen readers say of it, its marks, and the kinds of marks with their names.

    One that is wider than the others spans the page, and is moved sideways where the page is narrow.
    """
    keys = "".join(f"<span><svg viewBox='0 0 18 12' aria-hidden='true'>{_key(k)}</svg>{t}</span>" for k, t in legend)
    named = f"viewBox='0 0 {size[0]} {size[1]}' role='img' aria-label='{escape(summary)}'"
    caption = f"<figcaption class='legend'>{keys}</figcaption>" if legend else ""
    kind = "chart wide scroll" if size[0] > WIDTH else "chart"
    return f"<figure class='{kind}'><svg {named}>{body}</svg>{caption}</figure>"


def _key(kind: str) -> str:
    match kind:
        case "line":
            return "<path class='best' d='M1 6H17'/>"
        case "curve":
            return "<path class='curve' d='M1 6H17'/>"
        case "curve faint":
            return "<path class='curve faint' d='M1 6H15'/><circle class='dot faint' cx='15' cy='6' r='3'/>"
        case "front":
            return "<path class='front' d='M1 6H17'/>"
        case "far":
            return "<path class='far' d='M5 3h8l-4 7z'/>"
        case "cross":
            return "<path class='cross' d='M5.5 2.5l7 7m0 -7l-7 7'/>"
        case "scratch":
            return diamond(9, 6, "", "scratch")
        case "step":
            return step(9, -1, 13)
        case "step better":
            return step(9, 3, 12, better=True)
        case _:
            return f"<circle class='{kind}' cx='9' cy='6' r='3.5'/>"
