"""The report: one HTML file that opens without a network, in light and dark, on paper and on a telephone."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path

from nas.report import charts, confirming, sharing
from nas.report.drawing import draw
from nas.report.ending import going_on, settings
from nas.report.importance import NoImportanceError, importance
from nas.report.trials import SORT, failures, trials
from nas.report.view import View, better, duration, label, listed, number, plural, table
from nas.searchspace.errors import NasError
from nas.searchspace.source import source
from nas.study.choosing import by_posterior
from nas.study.confirming import Confirmed
from nas.study.records import Record, finished, stopped

__all__ = ["View", "render", "write"]

KNOBS = 12
"""So many knobs at most are listed by importance."""


def write(view: View, path: Path) -> Path:
    """Write the report; whoever opens the path sees the old file or the whole new one.

    Raises:
        OSError: if the file cannot be written; what stood there before is left as it was.
    """
    return save(render(view), Path(path))


def save(text: str, path: Path) -> Path:
    """Write a page, whole or not at all, as :func:`write`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def render(view: View) -> str:
    """The page as text: the same view gives the same bytes."""
    best = view.best
    sections = [("The search", _curves(view))] if best else []
    if any(record.trial.curve for record in best):
        sections.append(("Learning curves", _learning(view)))
    if best and len(view.objectives) > 1:
        sections.append(("Pareto front", _front(view)))
    if _taken(view):
        sections.append(("Trained again with other seeds", confirming.section(view)))
    if best:
        sections.append((f"The winner: trial {best[0].trial.number}", _winner(view, best[0])))
        sections.append(("What mattered", _importances(view)))
    if view.settings.screen is not None and view.searched:
        from nas.report import screening  # loads torch

        sections.append(("Screening", screening.section(view)))
    sections += view.sections
    if view.records:
        tables = [("Trials", trials(view)), ("Failures", failures(view))]
        sections += tables if best else reversed(tables)
    sections += [("Data and settings", settings(view)), ("Going on from here", going_on(view, best))]
    body = "".join(f"<section><h2>{escape(title)}</h2>{html}</section>" for title, html in sections)
    return document(f"{view.name} – architecture search", f"{_head(view, best)}{body}{foot(view.versions)}", SORT)


def document(title: str, body: str, script: str = "") -> str:
    """A page around its body (trusted), which may load nothing and run this script alone."""
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{hashed}'"
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_style()}</style></head>\n"
        f"<body><main>{body}</main>{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def _style() -> str:
    return files("nas.report").joinpath("style.css").read_text(encoding="utf-8")


def _head(view: View, best: list[Record]) -> str:
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in view.notes)
    return (
        f"<header><p class='kicker'>Architecture search on {escape(view.task.name)}{_looked_up(view)}"
        f"<span class='state {escape(view.state)}'>{escape(view.state)}</span></p>"
        f"<h1>{escape(view.name)}</h1><p class='lead'>{_answer(view, best)}</p>{notes}"
        f"{_tiles(view, best[0]) if best else ''}{_selection(view) if best else ''}</header>"
    )


def _looked_up(view: View) -> str:
    return f", looked up in {escape(view.settings.table)}" if view.settings.table else ""


def _answer(view: View, best: list[Record]) -> str:
    """The whole search in one or two sentences."""
    failed = len(view.records) - len(best)
    if not view.records:
        more = "it has just begun" if view.state == "running" else "nothing can be said about the space"
        return f"No trial has finished yet; {more}."
    if not best:
        return (
            f"No trial has finished: {'the only one' if failed == 1 else f'all {failed:,}'} failed. "
            "The reasons are listed below; fix the first and resume the search."
        )
    winner = best[0]
    known = [(c, value) for c in view.columns if (value := view.measured(winner, c.key)) is not None]
    scores = [f"<b>{number(c.name, value)}</b> {escape(c.title)}" for c, value in known]
    of = f"the best of {len(best):,} finished trials" if len(best) > 1 else "the only one that finished"
    if view.provisional:
        of = sharing.standing(view)
    if again := _taken(view):
        of, seeds = confirming.standing(view), len(again.succeeded)
        scores = [f"<b>{confirming.mean(view, c, again)}</b> {escape(c.title)}" for c, _ in known]
        scores[0] = (f"over {seeds} seeds " if seeds > 1 else "with another seed ") + scores[0]
    text = f"Trial {winner.trial.number} is {of}: {listed(scores)}."
    if (size := len(view.front) if len(view.objectives) > 1 else 0) > 1:
        text += f" It is one of {size:,} on the Pareto front of {escape(listed([label(o) for o in view.decisive]))}."
    total = max(r.elapsed for r in view.records)
    text += (
        f" It was found after {duration(sharing.proposal(view, winner).elapsed)} of {duration(total)} of {_spent(view)}"
    )
    if early := len(stopped(best)):
        text += f"; {plural(early, 'training')} {'was' if early == 1 else 'were'} stopped early"
    return text + (f"; {plural(failed, 'trial')} failed." if failed else ".")


def _taken(view: View) -> Confirmed | None:
    """The winner's architecture with its trainings by other seeds, if it was trained again."""
    first = view.confirmed[0] if view.confirmed else None
    return first if first is not None and first.succeeded else None


def _tiles(view: View, winner: Record) -> str:
    found = [(c, view.measured(winner, c.key)) for c in view.columns]
    tiles = [(number(c.name, value), c.title) for c, value in found if value is not None or not view.proxy]
    if again := _taken(view):
        of = plural(len(again.succeeded), "seed")
        tiles = [
            (confirming.mean(view, c, again), c.title if c.name == "params" else f"{c.title}, {of}") for c, _ in found
        ]
    failed = len(view.records) - len(view.best)
    early = len(stopped(view.best))
    tiles.append(
        (
            f"{len(finished(view.searched)):,}",
            (sharing.counted(view) if view.provisional else "trials finished")
            + (f", {len(view.records) - len(view.searched):,} more with other seeds" if view.confirmed else "")
            + (f", {early:,} of them stopped early" if early else "")
            + (f", {failed:,} failed" if failed else ""),
        )
    )
    tiles.append((duration(max(r.elapsed for r in view.records)), f"of {_spent(view)}"))
    shown = (f"<div class='tile'><b>{value}</b><span>{escape(what)}</span></div>" for value, what in tiles)
    return f"<div class='tiles'>{''.join(shown)}</div>"


def _spent(view: View) -> str:
    return "simulated training" if view.settings.simulated else "searching"


def _selection(view: View) -> str:
    first = view.decisive[0]
    by = f"the {label(first)}" if first.key != first.name else label(first)
    chosen = sharing.selection(view, by) if view.provisional else f"Trials were ranked by {by}."
    if _taken(view):
        chosen = confirming.selection(view, by)
    if by_posterior(view.settings, view.records):
        chosen += (
            " The first of those with final numbers was then chosen by what a predictor, which learned from all of "
            f"them, expects of their {label(first)}: the best of many measurements was lucky, too."
        )
    if view.settings.table:
        chosen += (
            f" Nothing was trained: all numbers are those of the table {view.settings.table}. Test metrics were not "
            "used to select anything."
        )
    if view.settings.table or (view.proxy and not view.retrained):
        return f"<p class='muted small'>{escape(chosen)}</p>"
    return (
        f"<p class='muted small'>{escape(chosen)} The weights of a trial are those of its best "
        "epoch on the validation split. The test split was scored once per trial with these weights and was not used "
        "to select anything.</p>"
    )


def _curves(view: View) -> str:
    return (
        f"<div class='two'>{charts.best_so_far(view, against='trials')}{charts.best_so_far(view, against='time')}</div>"
    )


def _learning(view: View) -> str:
    """Every training from epoch to epoch, and what was made of those that were behind."""
    curved, early = [r for r in view.best if r.trial.curve], stopped(view.best)
    epochs = sum(r.trial.metrics.get("epochs", 0.0) for r in view.records)
    text = f"The trials were trained for {number('epochs', epochs)} epochs in all. A training ends when its epochs or "
    text += "its patience do."
    if view.provisional:
        text = sharing.trained(view)
    if early:
        places = sorted({r.trial.stopped for r in early if r.trial.stopped is not None})
        were = "was" if len(early) == 1 else "were"
        text += f" But {plural(len(early), 'training')} of {len(view.best):,} {were} "
        if view.settings.fidelity == "full":
            text += "stopped at the time limit"
        else:
            text += (
                f"behind others of the same epoch and stopped, at epoch {listed([f'{place:,}' for place in places])} "
                f"(fidelity {escape(view.settings.fidelity)})"
            )
            text += "" if view.settings.trial_seconds is None else ", or at the time limit"
        if view.settings.trial_seconds is not None:
            text += f" of {duration(view.settings.trial_seconds)}"
        text += ". Such a trial counts with its best epoch until then"
        text += "." if view.settings.fidelity == "full" else ", and keeps no weights."
    if len(curved) > charts.CURVES:
        text += f" Of {len(curved):,} curves some of each rank are drawn."
    if view.settings.quantisation == "post":
        text += " Networks were trained with all bits, which the curves show, and rounded then, which all else shows."
    return f"<div class='two'>{charts.learning(view)}<p>{text}</p></div>"


def _front(view: View) -> str:
    words = [better(o) for o in view.decisive]
    intro = (
        "<p>No other trial is at least as good as one of these in every objective and better in one. "
        f"Better means {escape(listed(words))}.</p>"
    )
    drawn = "".join(charts.pareto(view, i) for i in range(1, len(view.objectives)))
    return f"{intro}<div class='two'>{drawn}{_front_table(view)}</div>"


def _front_table(view: View) -> str:
    """The front itself, best first by the first objective."""
    best = view.front
    heads = "".join(f"<th scope='col'>{escape(name)}</th>" for name in ("trial", *(c.title for c in view.columns)))
    rows = []
    for record in best[:15]:
        cells = [str(record.trial.number), *(number(c.name, view.measured(record, c.key)) for c in view.columns)]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    left_out = len(best) - len(rows)
    more = f"<p class='muted small'>{left_out:,} more are marked in the table of trials.</p>" if left_out else ""
    body = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<div class='scroll'><table class='trials'>{body}</table>{more}</div>"


def _winner(view: View, winner: Record) -> str:
    architecture = winner.trial.architecture
    try:
        drawing = f"<figure class='scroll'>{draw(architecture, view.task)}</figure>"
        code = source(architecture, view.task)
    except NasError as why:
        drawing = f"<p class='note'>The network cannot be drawn: {escape(str(why))}</p>"
        code = ""
    knobs = [(path, str(value)) for path, value in view.space.knobs(architecture).items()]
    found = winner.trial.metrics
    trained = f"<p class='muted small'>Proposed by {escape(sharing.proposal(view, winner).origin)}, "
    where = f"the table {view.settings.table}" if winner.looked_up else duration(winner.trial.seconds)
    trained += f"{escape(sharing.how(view, winner))} in {escape(where)}"
    if "epochs" in found:
        trained += f": {number('epochs', found['epochs'])} epochs"
        trained += f", of which {number('epochs', found['best_epoch'])} was the best" if "best_epoch" in found else ""
    trained += ".</p>"
    table_of_knobs = table(knobs).replace("class='pairs'", "class='pairs code'", 1)
    as_trained = ", as it was trained and" if winner.proxy is None and not winner.looked_up else ","
    listing = (
        f"<details><summary>Its source{as_trained} as <code>nas export</code> writes it</summary>"
        f"<pre><code>{escape(code)}</code></pre></details>"
        if code
        else ""
    )
    return f"<div class='winner'>{drawing}<div class='knobs'>{table_of_knobs}{trained}</div></div>{listing}"


def _importances(view: View) -> str:
    several = len(view.objectives) > 1
    parts = []
    for i, objective in enumerate(view.compared):
        title = f"<h3>{escape(label(objective))}</h3>" if several else ""
        try:
            parts.append(f"<div>{title}{_bars(importance(view.space, view.searched, i))}</div>")
        except NoImportanceError as why:
            return f"<p>{escape(str(why))}</p>"
    few = len(finished(view.searched)) < 50
    return (
        "<p>The share of each knob in what sets the best trials apart from all of them (PED-ANOVA)."
        f"{' With so few trials this is a hint, no more.' if few else ''}</p>"
        f"<div class='two'>{''.join(parts)}</div>"
    )


def _bars(shares: dict[str, float]) -> str:
    if not shares:
        return "<p>No knob has more than one value.</p>"
    shown = list(shares.items())[:KNOBS]
    longest = shown[0][1]
    rows = "".join(
        f"<code>{escape(path)}</code><div class='bar'><i style='width:{100 * share / longest:.1f}%'></i></div>"
        f"<span class='share'>{100 * share:.1f} %</span>"
        for path, share in shown
    )
    rest = list(shares.values())[KNOBS:]
    more = f"{plural(len(rest), 'more knob')}: {100 * sum(rest):.1f} % together."
    return f"<div class='bars'>{rows}</div>" + (f"<p class='muted small'>{more}</p>" if rest else "")


def foot(versions: Mapping[str, str]) -> str:
    """The last line of a page."""
    version = escape(str(versions.get("gnn-nas", "")))
    return f"<footer>Written by nas {version}. This file loads nothing from elsewhere.</footer>"
