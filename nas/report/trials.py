"""The tables of trials and of failures."""

from __future__ import annotations

import re
from collections import defaultdict
from html import escape

from nas.report.view import View, duration, number
from nas.searchspace.encodings import text
from nas.study.records import AGAIN, Record

ROWS = 1000
"""More rows than this are left out, the worst first."""

SORT = """
document.querySelectorAll("table.trials").forEach(table => {
  const body = table.tBodies[0];
  const key = (row, i) => row.cells[i].dataset.value ?? row.cells[i].textContent;
  table.querySelectorAll("thead button").forEach(button => button.addEventListener("click", () => {
    const head = button.parentElement, i = head.cellIndex, number = !head.classList.contains("words");
    const old = head.getAttribute("aria-sort"), first = head.dataset.first;
    const down = old ? old === "ascending" : first === "descending";
    table.querySelectorAll("th").forEach(th => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sign = down ? -1 : 1;
    [...body.rows].sort((a, b) => {
      const x = key(a, i), y = key(b, i);
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (number ? x - y : x.localeCompare(y));
    }).forEach(row => body.append(row));
  }));
  body.addEventListener("click", event => event.target.closest("td.text")?.classList.toggle("open"));
});
""".strip()


def trials(view: View) -> str:
    """All trials, best first, failed ones last; a click on a heading sorts, one on an architecture shows all of it."""
    best = view.best
    failed = sorted((r for r in view.records if r.trial.values is None), key=lambda r: r.trial.number)
    on = {r.trial.number for r in view.front} if len(view.objectives) > 1 else set()
    shown = [*best, *failed][:ROWS]
    columns = [c for c in view.columns if c.name != "seconds"]
    heads = [_head("trial", "ascending"), _head("state", "ascending", words=True)]
    heads += [_head(c.title, "descending" if c.larger else "ascending") for c in columns]
    looked_up = view.settings.table is not None and not view.settings.simulated
    heads += [
        _head("took" if view.proxy or looked_up else "trained in", "ascending"),
        _head("origin", "ascending", words=True),
    ]
    heads += [_head("architecture", "ascending", words=True)]
    rows = []
    for record in shown:
        trial = record.trial
        state = "failed" if trial.values is None else "front" if trial.number in on else "finished"
        if trial.stopped is not None:
            state = f"stopped at {trial.stopped}"
        elif view.provisional and state == "finished":
            state = "from scratch" if record.from_scratch else "scored" if view.proxy else "shared weights"
        if record.evaluator == AGAIN:
            state += f", seed {record.seed}"
        faint = trial.stopped is not None or not record.from_scratch
        kind = {"failed": " failed", "front": " onfront"}.get(state, " muted" if faint else "")
        cells = [f"<td>{trial.number}</td>", f"<td class='words{kind}'>{state}</td>"]
        cells += [_cell(c.name, view.measured(record, c.key)) for c in columns]
        cells.append(f"<td data-value='{trial.seconds:.6g}'>{duration(trial.seconds)}</td>")
        cells.append(f"<td class='words'>{escape(record.origin)}</td>")
        cells.append(f"<td class='text'>{escape(text(trial.architecture))}</td>")
        won = " class='won'" if best and record is best[0] else ""
        rows.append(f"<tr{won}>{''.join(cells)}</tr>")
    left_out = len(view.records) - len(shown)
    note = "Best first; a click on a heading sorts, one on an architecture shows all of it."
    if view.provisional and (view.retrained or not view.proxy):
        other = "that are scores alone" if view.proxy else "with shared weights"
        note += f" Trials trained from scratch stand before those {other}: the two cannot be compared."
    if view.confirmed:
        note += (
            " First stands one training of each network that was trained again with other seeds, in the order of the "
            "means; then come the trials of the search as measured, and the rest."
        )
    if left_out:
        note += f" The table holds the best {ROWS:,}; {left_out:,} more are not shown."
    return (
        f"<p class='muted small'>{note}</p>"
        f"<div class='scroll'><table class='trials'><thead><tr>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def failures(view: View) -> str:
    """The reasons for which trials failed, the most frequent first; numbers in them are taken for the same."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in view.records:
        if record.trial.values is None:
            groups[re.sub(r"\d+(\.\d+)?", "#", record.trial.reason or "")].append(record)
    if not groups:
        return "<p>No trial failed.</p>"
    rows = []
    for group in sorted(groups.values(), key=lambda g: (-len(g), g[0].trial.number)):
        numbers = [str(r.trial.number) for r in group]
        which = ", ".join(numbers[:12]) + (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")
        reason = group[0].trial.reason or "no reason was recorded"
        rows.append(f"<tr><td>{len(group)}</td><td>{escape(reason)}</td><td>{which}</td></tr>")
    return (
        "<p class='muted small'>A failed trial is kept, told to the controller, and never ends the search.</p>"
        "<div class='scroll'><table class='failures'><thead><tr><th>count</th><th>reason (of the first)</th>"
        f"<th>trials</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _head(title: str, first: str, *, words: bool = False) -> str:
    kind = " class='words'" if words else ""
    return f"<th scope='col' data-first='{first}'{kind}><button type='button'>{escape(title)}</button></th>"


def _cell(name: str, value: float | None) -> str:
    known = value is not None and value == value
    return f"<td data-value='{f'{value:.9g}' if known else ''}'>{number(name, value)}</td>"
