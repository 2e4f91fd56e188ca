"""What a report says of architectures that were trained again with other seeds, whose means choose the winner."""

from __future__ import annotations

from html import escape
from statistics import fmean, stdev

from nas.report.view import Column, View, label, number, plural
from nas.searchspace.encodings import text
from nas.study.confirming import Confirmed


def standing(view: View) -> str:
    """What the winner is the best of."""
    many = len(view.confirmed)
    of = f"with the best mean over other seeds, of {many:,} that were trained again" if many > 1 else "trained again"
    return f"a training of the network {of}"


def selection(view: View, by: str) -> str:
    """How the winner was chosen, given what it is the best ``by``."""
    again = sum(len(found.again) for found in view.confirmed)
    return (
        f"The search ranked its trials by {by}. Since the best of many measurements was lucky, too, its best were then "
        f"trained again with other seeds ({plural(again, 'training')}), the better of them with more. Of those that "
        f"came furthest the winner has the best mean of {by}; what the search had measured is no part of it. Of "
        "its trainings the one that is best on validation is taken."
    )


def mean(view: View, column: Column, found: Confirmed) -> str:
    """A number over the trainings with other seeds, with its deviation where there are several."""
    known = [value for r in found.succeeded if (value := view.measured(r, column.key)) is not None]
    if not known:
        return "–"
    if column.name == "params" or len(known) == 1:
        return number(column.name, fmean(known))
    middle, deviation = number(column.name, fmean(known)), number(column.name, stdev(known))
    unit = " %" if middle.endswith(" %") else ""
    return f"{middle.removesuffix(unit)} ± {deviation}"


def section(view: View) -> str:
    """The table of those that were trained again, the one to take first."""
    columns = [c for c in view.columns if c.name != "seconds"]
    heads = ["found in", "taken", "seeds", "in the search", *(c.title for c in columns)]
    first = next(c for c in columns if c.key == view.decisive[0].key)
    rows, won = [], " class='won'"
    for place, found in enumerate(view.confirmed, 1):
        failed = len(found.again) - len(found.succeeded)
        seeds = f"{len(found.succeeded)}" + (f", {failed} failed" if failed else "")
        taken = f"trial {found.representative.trial.number}" if found.succeeded else "–"
        cells = [f"trial {found.original.trial.number}", taken, seeds]
        cells.append(number(first.name, view.measured(found.original, first.key)))
        cells += [mean(view, c, found) for c in columns]
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        body += f"<td class='text'>{escape(text(found.original.trial.architecture))}</td>"
        rows.append(f"<tr{won if place == 1 else ''}>{body}</tr>")
    titles = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    titles += "<th scope='col' class='words'>architecture</th>"
    return (
        "<p class='muted small'>Means and deviations over the seeds. First come those that came furthest, and of them "
        f"the mean decides. The {escape(label(view.decisive[0]))} that the search measured is there to compare: it is "
        "the best of many and tends to be too good.</p>"
        f"<div class='scroll'><table class='trials'><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
