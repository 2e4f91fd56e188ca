"""What a report says of a screen: from how many proposals it chose by what, what it took, and whether it was right."""

from __future__ import annotations

from html import escape
from statistics import fmean

from nas.controllers.screening import SCREENED, SECONDS
from nas.evaluation.columns import column, cost_column
from nas.evaluation.proxies import PRIOR, known
from nas.predictors.agreement import spearman
from nas.predictors.elsewhere import Elsewhere
from nas.report.view import View, duration, label, listed, plural
from nas.settings import AUTO, POOL
from nas.study.records import Record, finished
from nas.study.screening import CHEAP, known_elsewhere

LEAST = 8
"""With fewer trials no correlation is shown."""


def section(view: View) -> str:
    """Sentences, and a row for each proxy."""
    before = known_elsewhere(view.space, view.task, view.objectives[0]) if view.settings.screen == AUTO else None
    names = view.settings.screens or (() if before else CHEAP)
    screened = [r for r in view.searched if SCREENED in r.trial.metrics]
    text = _learned(view, screened, before) if view.settings.screen == AUTO else _named(view, names)
    if screened:
        seconds = sum(r.trial.metrics[SECONDS] for r in screened)
        new = fmean(r.trial.metrics[SCREENED] for r in screened)
        share = seconds / max(view.searched[-1].elapsed, 1e-9)
        text += (
            f" On average {new:.1f} proposals of a pool were networks not known yet. Scoring them took "
            f"{duration(seconds)}, {100 * share:.0f} % of the search."
        )
    return f"<p>{escape(text)}</p>{_table(view, names) if names else ''}"


def _named(view: View, names: tuple[str, ...]) -> str:
    by = f"by {names[0]}" if len(names) == 1 else f"by the sum of their ranks by {listed(names)}"
    if len(names) > 1 and PRIOR in names:
        by += f", of which those by {PRIOR} count {known(PRIOR).weight:g} times as much"
    return f"Each trial is the most promising, {by}, of {_pool(view)} that {view.settings.controller} proposed."


def _learned(view: View, screened: list[Record], known: Elsewhere | None) -> str:
    """When the learned screen had a say."""
    controller = view.settings.controller
    learner = f"A random forest learned from encodings and cheap scores ({listed(CHEAP)}) to choose among proposals."
    if known is not None:
        learner = (
            "A random forest learned from encodings to choose among proposals. It began with "
            f"{len(known.architectures):,} trainings on {listed(known.sources)}."
        )
    if not screened:
        return (
            f"{learner} It had no evidence that it ranks networks better than chance, so every proposal of "
            f"{controller} was trained as it came."
        )
    others = "" if len(screened) == len(view.searched) else " The others were proposed as they came."
    return (
        f"{learner} With evidence that it ranks, it chose {len(screened):,} of {plural(len(view.searched), 'trial')}, "
        f"each from {_pool(view)} that {controller} proposed; the first was trial {screened[0].trial.number}.{others}"
    )


def _pool(view: View) -> str:
    return plural(view.settings.pool or POOL, "architecture")


def _table(view: View, names: tuple[str, ...]) -> str:
    """What each proxy took and how its ranks agree with those of the trials."""
    objective = view.compared[0]
    rows = []
    for name in names:
        known = [r.trial for r in finished(view.searched) if column(name) in r.trial.metrics]
        took = [t.metrics[cost_column(name)] for t in known if cost_column(name) in t.metrics]
        agrees = "–"
        if len(known) >= LEAST:
            values = [t.values[0] for t in known if t.values is not None]
            agrees = f"{spearman([t.metrics[column(name)] for t in known], values):.2f}"
        cells = [f"{len(known):,}", duration(fmean(took)) if took else "–", agrees]
        rows.append(f"<tr><td class='words'>{escape(name)}</td>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    heads = ("trials", "seconds a network", f"rank correlation with {label(objective)}")
    head = "<th scope='col' class='words'>proxy</th>" + "".join(f"<th scope='col'>{escape(h)}</th>" for h in heads)
    note = (
        "Trials that a screen chose are more alike than the proposals it chose from, so it may rank those better than "
        "the correlation says."
    )
    return (
        f"<div class='scroll'><table class='trials'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        f"</table></div><p class='muted small'>{note}</p>"
    )
