"""The page of a comparison of controllers: tables after equal numbers of trials, and curves from trial to trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from nas.comparison.comparison import Comparison, Mean, Row, Table
from nas.comparison.entries import RANDOM
from nas.report.marks import BOTTOM, LEFT, frame, polyline, svg
from nas.report.page import document, foot
from nas.report.scales import Scale
from nas.report.traces import apart
from nas.report.view import duration, plural
from nas.report.view import table as pairs

WIDE, TALL, ABOVE, NAMES, LETTERS, TEXT = 1072, 430, 34, 270, 34, 16
"""Pixels of a chart, above its field and to the right of it for the names; how long a name may be, and how high."""
COLOURS, DASHES = 8, 3
BEGIN = 40
"""Curves begin at this part of the longest budget: before it, all controllers know next to nothing."""
POINTS = 150


def render(found: Comparison, facts: Sequence[tuple[str, str]], versions: Mapping[str, str]) -> str:
    """The page as text: the same comparison gives the same bytes."""
    sections = [
        ("After equal numbers of trials", "".join(_table(table, found) for table in found.tables) + _costs(found)),
        ("From trial to trial", _curves(found)),
        *([("By data set", _by_data(found))] if found.table.name == "regret" and len(found.data) > 1 else []),
        ("What was compared", _what("Searches", facts) + _what("Versions", list(versions.items()))),
    ]
    body = "".join(f"<section><h2>{escape(title)}</h2>{html}</section>" for title, html in sections)
    return document(f"{found.name} – controllers compared", f"{_head(found)}{body}{foot(versions)}")


def written(mean: Mean, name: str, *, bare: bool = False) -> str:
    """A mean and what it varies by: ``.221 ± .004``, ``81.2 ± 0.3 %``; ``bare`` leaves the latter out."""
    if math.isnan(mean.value):
        return "–"
    factor, digits, unit = (100.0, 2, " %") if name == "accuracy" else (1.0, 3, "")
    value, spread = (f"{factor * part:.{digits}f}" for part in (mean.value, mean.spread))
    if name == "regret":
        value, spread = value.replace("0.", ".", 1), spread.replace("0.", ".", 1)
    return f"{value}{unit}" if bare or math.isnan(mean.spread) else f"{value} ± {spread}{unit}"


def _head(found: Comparison) -> str:
    table = found.table
    label, rival = next(iter(table.rows)), table.rows[RANDOM][-1]
    best = table.rows[label][-1]
    lead = f"After {plural(found.budgets[-1], 'trial')} "
    if best.value == rival.value or math.isnan(rival.value):
        lead += f"no controller is ahead of random search: {escape(table.title)} <b>{written(rival, table.name)}</b>."
    else:
        lead += (
            f"<b>{escape(label)}</b> is ahead: {escape(table.title)} <b>{written(best, table.name)}</b>; random search "
            f"has {written(rival, table.name)}."
        )
    tiles = [
        (len(table.rows), "controllers"),
        (len(found.data), "data set" if len(found.data) == 1 else "data sets"),
        (found.seeds, "seed" if found.seeds == 1 else "seeds of each"),
        (len(table.rows) * len(found.data) * found.seeds, "searches"),
    ]
    cells = "".join(f"<div class='tile'><b>{value:,}</b><span>{what}</span></div>" for value, what in tiles)
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in found.notes)
    return (
        f"<header><p class='kicker'>Controllers compared on {escape(', '.join(found.data))}</p>"
        f"<h1>{escape(found.name)}</h1><p class='lead'>{lead}</p>{notes}<div class='tiles'>{cells}</div></header>"
    )


def _table(table: Table, found: Comparison) -> str:
    heads = ["controller", *(plural(budget, "trial") for budget in found.budgets)]
    first = next(iter(table.rows))
    rows = []
    for label, means in table.rows.items():
        cells = "".join(f"<td>{written(mean, table.name)}</td>" for mean in means)
        won = label == first and table is found.table
        rows.append(f"<tr{_won(won)}><td class='words'>{escape(label)}</td>{cells}</tr>")
    better = "more" if table.larger else "less"
    about = f"Mean ± {table.spread}; {better} is better."
    if table.name == "regret" and table is found.table:
        about += (
            " What is chosen is the best by validation; its regret is its distance from the best of the table, divided "
            "by that of the median: 0 is the best network, 1 the median."
        )
    return f"<h3>{escape(table.title.capitalize())}</h3>{_grid(heads, rows)}<p class='muted small'>{escape(about)}</p>"


def _costs(found: Comparison) -> str:
    costs = [f"{escape(label)} {_time(seconds)}" for label, seconds in found.seconds.items()]
    text = f"For a trial, besides its evaluation, a search took in the mean: {', '.join(costs)}."
    failed = [f"{escape(label)} {100 * share:.1f} %" for label, share in found.failures.items() if share]
    if failed:
        text += f" Trials that failed, and count: {', '.join(failed)}."
    return f"<p class='muted small'>{text}</p>"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else duration(seconds)


def _grid(heads: Sequence[str], rows: Sequence[str]) -> str:
    first, *rest = (escape(head) for head in heads)
    head = f"<th scope='col' class='words'>{first}</th>" + "".join(f"<th scope='col'>{name}</th>" for name in rest)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<div class='scroll'><table class='trials'>{body}</table></div>"


def _won(won: bool) -> str:
    return " class='won'" if won else ""


def _curves(found: Comparison) -> str:
    drawn = "".join(f"<h3>{escape(table.title.capitalize())}</h3>{_chart(table)}" for table in found.tables)
    spread = found.table.spread
    return (
        f"<p>Of the best network by validation so far. Lines are means, bands are ± one {escape(spread)}. Trials are "
        f"distinct networks, on a logarithmic axis.</p>{drawn}"
    )


def _chart(table: Table) -> str:
    """A line and a band for each controller, with its name where the line ends."""
    curves = {label: _thinned(curve) for label, curve in table.curves.items()}
    curves = {label: points for label, points in curves.items() if points}
    if not curves:
        return "<p class='muted small'>No controller has found anything in all of its searches.</p>"
    end = max(at for points in curves.values() for at, _ in points)
    begin = min(at for points in curves.values() for at, _ in points)
    x = Scale(begin, max(end, begin + 1), LEFT, WIDE - NAMES, log=True)
    height = max(TALL, ABOVE + BOTTOM + TEXT * len(curves))
    y = _upright([mean for points in curves.values() for _, mean in points], table, height)
    ends = {label: y(_inside(points[-1][1].value, y)) for label, points in curves.items()}
    places = dict(zip(ends, apart(list(ends.values()), TEXT, ABOVE, height - BOTTOM), strict=True))
    kinds = _kinds(list(table.curves))
    ordered = [label for label in reversed(list(table.rows)) if label in curves]
    parts = [frame(x, y, "trials", table.name, "trials (logarithmic)", table.name)]
    parts += [_band(curves[label], x, y, kinds[label].split()[0]) for label in ordered]
    for label in ordered:
        points, kind = curves[label], kinds[label]
        last = points[-1][1]
        said = f"{label}: {written(last, table.name)} after {plural(round(points[-1][0]), 'trial')}"
        line = [(x(at), y(_inside(mean.value, y))) for at, mean in points]
        parts.append(polyline(line, f"trace {kind}", said))
        lead = f"M{x.end + 2} {ends[label]:.1f}L{x.end + 14} {places[label]:.1f}h4"
        parts.append(f"<path class='lead {kind.split()[0]}' d='{lead}'/>")
        shown = label if len(label) <= LETTERS else label[: LETTERS - 1] + "…"
        parts.append(
            f"<text class='name {kind.split()[0]}' x='{x.end + 22}' y='{places[label] + 4:.1f}'>{escape(shown)}"
            f"<title>{escape(said)}</title></text>"
        )
    return svg(f"{table.title} against trials", "".join(parts), [], (WIDE, height))


def _thinned(curve: Sequence[Mean]) -> list[tuple[float, Mean]]:
    """The points that a logarithmic axis can tell apart, from the first budget worth a look."""
    total = len(curve)
    begin = max(1, total // BEGIN)
    places = {round(begin * (total / begin) ** (i / POINTS)) for i in range(POINTS + 1)}
    return [(float(at), curve[at - 1]) for at in sorted(places) if not math.isnan(curve[at - 1].value)]


def _upright(means: Sequence[Mean], table: Table, height: float) -> Scale:
    """An axis for all means; regrets are told apart by their factors."""
    values = [mean.value for mean in means]
    low, high = min(values), max(values)
    if table.name == "regret" and low > 0:
        room = max(high / low, 1.1) ** 0.06
        return Scale(low / room, high * room, height - BOTTOM, ABOVE, log=True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.1
    return Scale(low - room, high + room, height - BOTTOM, ABOVE)


def _inside(value: float, y: Scale) -> float:
    return min(max(value, y.low), y.high)


def _band(points: Sequence[tuple[float, Mean]], x: Scale, y: Scale, kind: str) -> str:
    known = [(x(at), mean.value, mean.spread) for at, mean in points if not math.isnan(mean.spread)]
    if not known:
        return ""
    upper = [f"{a:.1f} {y(_inside(value + spread, y)):.1f}" for a, value, spread in known]
    lower = [f"{a:.1f} {y(_inside(value - spread, y)):.1f}" for a, value, spread in reversed(known)]
    return f"<path class='area {kind}' d='M{'L'.join([*upper, *lower])}Z'/>"


def _kinds(labels: Sequence[str]) -> dict[str, str]:
    """Colour and dash of each line; random search, which all others are held against, is grey."""
    others = [label for label in labels if label != RANDOM]
    kinds = {label: f"c{i % COLOURS} d{i // COLOURS % DASHES}" for i, label in enumerate(others)}
    return kinds | {RANDOM: "c-muted d2"}


def _by_data(found: Comparison) -> str:
    """The decisive quantity of each data set after the last budget."""
    last = found.budgets[-1]
    at: dict[tuple[str, str], Row] = {(r.controller, r.data): r for r in found.rows if r.trials == last}
    rows = []
    for label in found.table.rows:
        means = [at[label, data].valid_regret for data in found.data]
        cells = "".join(f"<td>{written(mean, 'regret', bare=True)}</td>" for mean in means if mean is not None)
        rows.append(f"<tr><td class='words'>{escape(label)}</td>{cells}</tr>")
    return (
        f"<h3>{escape(found.table.title.capitalize())} after {plural(last, 'trial')}</h3>"
        f"{_grid(['controller', *found.data], rows)}<p class='muted small'>Means over seeds. All numbers, with their "
        "deviations, are in comparison.csv beside this page.</p>"
    )


def _what(title: str, rows: Sequence[tuple[str, str]]) -> str:
    return f"<h3>{escape(title)}</h3>{pairs(rows)}"
