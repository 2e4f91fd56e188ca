"""A table as text that fits the terminal: numbers to the right, no number ever cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

NUMBER = re.compile(r"-|[-+]?[\d.,]+(e[-+]?\d+)?( [a-zA-Z]+)?")
GAP = "  "
NARROW = 24
"""Columns below which the last column is not worth printing beside the others."""


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, cut: bool = False
) -> list[str]:
    """The lines of a table: a heading, a rule, the rows.

    Args:
        columns: headings; they may have several lines.
        rows: one line of text for each cell.
        width: columns of the terminal; None means no limit. The last column of the table gives way.
        cut: whether the last column ends in an ellipsis where it is too long, or goes on in the next line. Where
            there is hardly room for it, it stands below its row.
    """
    headings = [name.split("\n") for name in columns]
    widths = [max([*map(len, heading), *(len(row[i]) for row in rows)]) for i, heading in enumerate(headings)]
    right = [bool(rows) and all(NUMBER.fullmatch(row[i]) for row in rows) for i in range(len(columns))]
    total = sum(widths) + len(GAP) * (len(widths) - 1)
    room = widths[-1] if width is None else min(widths[-1], width - total + widths[-1])
    below = room < min(widths[-1], NARROW) and len(columns) > 1
    shown = len(columns) - below
    if not below:
        widths[-1] = max(room, 1)

    def line(cells: Sequence[str]) -> str:
        set_right = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=False))
        return GAP.join(set_right).rstrip()

    lines = [
        line([heading[k - depth] if k - depth >= -len(heading) else "" for heading in headings[:shown]])
        for depth in [max(len(heading) for heading in headings[:shown])]
        for k in range(depth)
    ]
    lines.append("─" * (sum(widths[:shown]) + len(GAP) * (shown - 1)))
    for row in rows:
        last = list(_last(row[-1], width if below else widths[-1], cut, "  " if below else ""))
        if below:
            lines += [line(row[:shown]), *(last if row[-1] else [])]
        else:
            lines.append(line([*row[:-1], last[0]]))
            lines += [line([*("" for _ in row[:-1]), more]) for more in last[1:]]
    return lines


def _last(text: str, width: int | None, cut: bool, indent: str) -> Iterator[str]:
    """The lines of a cell of the last column."""
    if width is None or len(indent + text) <= width:
        yield indent + text
    elif cut:
        yield (indent + text)[: max(width - 1, 0)].rstrip() + "…"
    else:
        yield from textwrap.wrap(text, max(width, 8), initial_indent=indent, subsequent_indent=indent)
