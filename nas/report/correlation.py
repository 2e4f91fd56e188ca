"""The page of a comparison of proxies with training: a table, all intervals side by side, a scatter for each proxy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from nas.metrics import METRICS
from nas.report.charts import clamped, robust
from nas.report.marks import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Point, across, cross, dots, frame, svg, triangle
from nas.report.page import document, foot
from nas.report.scales import Scale, around
from nas.report.view import duration, number, plural, table

BEST = 0.1
"""The share of the architectures that counts as the best."""
SPREAD = 0.3
"""The part of an axis that the middle four fifths of the scores must span, or their ranks are shown."""
LARGEST, SMALLEST = 1e12, 1e-3
"""Scores beyond these have no readable ticks."""
WIDE, NAMES, NUMBERS, ROW = 1072, 150, 190, 26

Interval = tuple[float, float, float]
"""A statistic, and the ends of its interval; NaN where it is not defined."""


@dataclass(frozen=True)
class Compared:
    """One proxy.

    Attributes:
        name, summary, paper: of the proxy.
        spearman, kendall, hit_rate: with the validation metric.
        test: Spearman's correlation with the test metric.
        seconds: mean of a score.
        share: of the seconds of a training.
        scores: of each architecture, larger is better; NaN where there is none.
    """

    name: str
    summary: str
    paper: str
    spearman: Interval
    kendall: Interval
    hit_rate: Interval
    test: Interval
    seconds: float
    share: float
    scores: Sequence[float]

    @property
    def missing(self) -> int:
        """How many architectures have no score."""
        return sum(math.isnan(score) for score in self.scores)


@dataclass(frozen=True)
class Comparison:
    """What the page shows.

    Attributes:
        name: of the run.
        data, space, metric: names.
        valid: the validation metric of each trained architecture, in its natural sign.
        labels: what each is, for whoever points at it.
        proxies: the best first.
        ceiling: Spearman's correlation of validation with test.
        failures: how often trainings failed for which reason.
        seconds: mean of a training.
        facts: what the numbers depend on, name and value.
        versions: of what computed them.
        notes: sentences that the reader should not miss.
    """

    name: str
    data: str
    space: str
    metric: str
    valid: Sequence[float]
    labels: Sequence[str]
    proxies: Sequence[Compared]
    ceiling: Interval
    failures: Mapping[str, int]
    seconds: float
    facts: Sequence[tuple[str, str]]
    versions: Mapping[str, str]
    notes: Sequence[str] = ()

    @property
    def larger(self) -> bool:
        """Whether more of the metric is better."""
        return METRICS[self.metric].larger_is_better


def render(view: Comparison) -> str:
    """The page as text: the same comparison gives the same bytes."""
    sections = [
        ("All proxies", _overview(view) + _table(view)),
        ("Scores against training", _scatters(view)),
        ("Data and settings", _settings(view)),
    ]
    if view.failures:
        sections.insert(2, ("Failed trainings", _failures(view)))
    body = "".join(f"<section><h2>{escape(title)}</h2>{html}</section>" for title, html in sections)
    return document(f"{view.name} – proxies compared", f"{_head(view)}{body}{foot(view.versions)}")


def shown(interval: Interval, *, bare: bool = False) -> str:
    """A statistic with its interval, ready for HTML: ``.84 [.70, .92]``; ``bare`` leaves the interval out."""
    value, low, high = interval
    if math.isnan(value):
        return "–"
    ends = "" if bare or math.isnan(low) else f" <span class='muted'>[{_short(low)}, {_short(high)}]</span>"
    return f"{_short(value)}{ends}"


def _short(value: float) -> str:
    """``.84``, ``−.08``, ``1.00``."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("0.", ".", 1).replace("-", "−")


def _head(view: Comparison) -> str:
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in view.notes)
    failed = sum(view.failures.values())
    best = next((p for p in view.proxies if not math.isnan(p.spearman[0])), None)
    lead = "No proxy tells these architectures apart."
    if best is not None:
        lead = (
            f"<b>{escape(best.name)}</b> ranks best: Spearman's correlation of its score with the validation "
            f"{escape(view.metric)} after training in full is <b>{shown(best.spearman)}</b>, at {_share(best.share)} "
            "of the time that a training takes."
        )
    tiles = [
        (f"{len(view.valid):,}", "architectures trained" + (f", {failed:,} failed" if failed else "")),
        (shown(best.spearman, bare=True) if best else "–", f"Spearman of {best.name if best else 'a proxy'}"),
        (shown(view.ceiling, bare=True), "Spearman of validation with test"),
        (duration(view.seconds), "a training, mean"),
    ]
    cells = "".join(f"<div class='tile'><b>{value}</b><span>{escape(what)}</span></div>" for value, what in tiles)
    return (
        f"<header><p class='kicker'>Proxies compared with training on {escape(view.data)}, "
        f"space {escape(view.space)}</p><h1>{escape(view.name)}</h1><p class='lead'>{lead}</p>{notes}"
        f"<div class='tiles'>{cells}</div></header>"
    )


def _overview(view: Comparison) -> str:
    """Every proxy's correlation with validation and with test, as points on lines."""
    x = Scale(-1.0, 1.0, NAMES, WIDE - NUMBERS)
    rows: list[tuple[str, Interval, Interval]] = [(p.name, p.spearman, p.test) for p in view.proxies]
    rows.append(("validation itself", (math.nan,) * 3, view.ceiling))
    base, parts = ROW * len(rows) + 8, list[str]()
    parts += [f"<path class='grid' d='M{x(t):.1f} 0V{base}'/>" for t in x.ticks(8)]
    parts.append(f"<path class='axis' d='M{x(0):.1f} 0V{base}'/>")
    for i, (name, valid, test) in enumerate(rows):
        middle = ROW * (i + 0.5) + 2
        parts.append(
            f"<text class='name' x='{NAMES - 14}' y='{middle + 5:.1f}' text-anchor='end'>{escape(name)}</text>"
        )
        for of, what, faint, down in ((test, "test", True, 4), (valid, "validation", False, -4)):
            height = middle + (down if not math.isnan(valid[0]) else 0)
            parts.append(_whisker(of, x, height, f"{name}, {what}: {_plain(of)}", faint=faint))
        said = shown(valid if not math.isnan(valid[0]) else test)
        said = said.replace("<span class='muted'>", "<tspan class='count'>").replace("</span>", "</tspan>")
        parts.append(f"<text class='name' x='{WIDE - NUMBERS + 18}' y='{middle + 5:.1f}'>{said}</text>")
    body = "".join(parts) + across(x, base, "", "Spearman's rank correlation")
    legend = [("curve", f"with validation {escape(view.metric)}"), ("curve faint", f"with test {escape(view.metric)}")]
    return svg("Rank correlation of every proxy with its interval", body, legend, (WIDE, base + BOTTOM)) + "<br>"


def _whisker(of: Interval, x: Scale, at: float, title: str, *, faint: bool) -> str:
    value, low, high = of
    if math.isnan(value):
        return ""
    kind = "curve faint" if faint else "trace c0"
    line = "" if math.isnan(low) else f"<path class='{kind}' d='M{x(low):.1f} {at:.1f}H{x(high):.1f}'/>"
    return line + dots([(x(value), at, title)], "dot faint" if faint else "dot")


def _plain(of: Interval) -> str:
    return f"{of[0]:.2f}" + ("" if math.isnan(of[1]) else f" [{of[1]:.2f}, {of[2]:.2f}]")


def _table(view: Comparison) -> str:
    heads = ["proxy", "Spearman", "Kendall", "best tenth found", "Spearman, test", "scored", "a score", "of a training"]
    cells = "".join(f"<th scope='col'{_words(i)}>{name}</th>" for i, name in enumerate(heads))
    rows = []
    for p in view.proxies:
        title = escape(f"{p.summary} ({p.paper})")
        values = [f"<span title='{title}'>{escape(p.name)}</span>", *map(shown, (p.spearman, p.kendall))]
        values += [shown(p.hit_rate), shown(p.test), f"{len(p.scores) - p.missing:,}"]
        rows.append([*values, _seconds(p.seconds), _share(p.share)])
    none = "<span class='muted'>–</span>"
    of = "validation <span class='muted'>(ceiling for test)</span>"
    rows.append([of, none, none, none, shown(view.ceiling), f"{len(view.valid):,}", duration(view.seconds), "100 %"])
    body = "".join(f"<tr>{''.join(f'<td{_words(i)}>{c}</td>' for i, c in enumerate(row))}</tr>" for row in rows)
    return (
        f"<div class='scroll'><table class='trials'><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
        "<p class='muted small'>Spearman, Kendall (tau-b) and the share of a proxy's best tenth that is in the true "
        f"best tenth are those with the validation {escape(view.metric)} after training in full"
        f"{'' if view.larger else ', of which less is better'}; positive is right. In brackets the 95 % bootstrap "
        "interval over architectures (1,000 resamples). A network without a score counts as the worst. Times are "
        "wall-clock means; proxies that read the same kernel share it, and the first of them pays.</p>"
    )


def _words(column: int) -> str:
    return " class='words'" if column == 0 else ""


def _seconds(seconds: float) -> str:
    return "–" if math.isnan(seconds) else number("latency", seconds) if seconds < 1 else duration(seconds)


def _share(share: float) -> str:
    return "–" if math.isnan(share) else f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _scatters(view: Comparison) -> str:
    panels = "".join(
        f"<div><h3>{escape(p.name)}</h3><p class='muted small'>Spearman {shown(p.spearman)}: {escape(p.summary)}.</p>"
        f"{_scatter(view, p)}</div>"
        for p in view.proxies
    )
    return (
        "<p>Each dot is an architecture, trained in full. To the right of the upright line stands the tenth that the "
        f"proxy likes best, {'above' if view.larger else 'below'} the level one the tenth that is best by validation. "
        "Where the scores themselves would crowd, their ranks are shown.</p>"
        f"<div class='two'>{panels}</div>"
    )


def _scatter(view: Comparison, proxy: Compared) -> str:
    known = [score for score in proxy.scores if not math.isnan(score)]
    if not known:
        return "<p class='muted small'>It has no score for any of these architectures.</p>"
    x, ranked = _axis(known)
    places = _ranks(proxy.scores) if ranked else list(proxy.scores)
    y = around(view.valid, HEIGHT - BOTTOM, TOP, decades=False) if view.larger else robust(view.valid, False)
    best = _border(view.valid, view.larger)
    groups: dict[str, list[Point]] = {"dot": [], "dot won": [], "cross": [], "far": []}
    for place, value, label in zip(places, view.valid, view.labels, strict=True):
        said = f"{label}: validation {view.metric} {number(view.metric, value)}"
        point = (x.start if math.isnan(place) else x(place), y(clamped(value, y)), said)
        won = value >= best if view.larger else value <= best
        inside = y.low <= value <= y.high
        groups["cross" if math.isnan(place) else "far" if not inside else "dot won" if won else "dot"].append(point)
    title = f"{'rank by ' if ranked else ''}{proxy.name}{'' if not ranked else f', {len(known):,} is best'}"
    body = frame(x, y, _printed(x, ranked), view.metric, title, f"validation {view.metric}")
    edge = _border([place for place in places if not math.isnan(place)], True)
    body += f"<path class='front' d='M{x(edge):.1f} {y.end}V{y.start}M{x.start} {y(clamped(best, y)):.1f}H{x.end}'/>"
    body += dots(groups["dot"], "dot") + dots(groups["dot won"], "dot won")
    body += "".join(cross(a, b, f"{said}, no score") for a, b, said in groups["cross"])
    body += "".join(triangle(point, down=view.larger) for point in groups["far"])
    names = {
        "dot": "an architecture",
        "dot won": "of the true best tenth",
        "cross": "no score",
        "far": "off the scale",
    }
    legend = [(kind, escape(name)) for kind, name in names.items() if groups[kind]]
    return svg(f"Validation {view.metric} against {proxy.name}", body, [*legend, ("front", "best tenths")])


def _axis(scores: Sequence[float]) -> tuple[Scale, bool]:
    """The axis on which the scores are spread best, and whether it is that of their ranks."""
    low, high = min(scores), max(scores)
    largest = max(abs(low), abs(high))
    if low < high and SMALLEST <= largest < LARGEST:
        if _spread(scores) >= SPREAD:
            return around(scores, LEFT, WIDTH - RIGHT, decades=False), False
        if low >= SMALLEST and _spread([math.log(score) for score in scores]) >= SPREAD:
            room = (high / low) ** 0.06
            return Scale(low / room, high * room, LEFT, WIDTH - RIGHT, log=True), False
    return Scale(0.0, len(scores) * 1.04 + 0.5, LEFT, WIDTH - RIGHT), True


def _spread(values: Sequence[float]) -> float:
    """The part of their range that the middle four fifths span."""
    ordered = sorted(values)
    cut = len(ordered) // 10
    middle = ordered[-1 - cut] - ordered[cut]
    return middle / (ordered[-1] - ordered[0])


def _printed(x: Scale, ranked: bool) -> str:
    """What the ticks are printed as: whole ranks, thousands and millions in short, or plain numbers."""
    return "trials" if ranked else "params" if x.low >= 0 and x.high >= 10_000 else ""


def _ranks(scores: Sequence[float]) -> list[float]:
    """Of each score, the best being the largest and ties sharing their mean; NaN stays."""
    known = sorted(score for score in scores if not math.isnan(score))
    ranks: dict[float, list[int]] = {}
    for rank, score in enumerate(known, 1):
        ranks.setdefault(score, []).append(rank)
    return [math.nan if math.isnan(score) else sum(ranks[score]) / len(ranks[score]) for score in scores]


def _border(values: Sequence[float], larger: bool) -> float:
    """The worst value of the best tenth."""
    return sorted(values, reverse=larger)[max(1, round(BEST * len(values))) - 1]


def _failures(view: Comparison) -> str:
    rows = "".join(
        f"<tr><td>{count:,}</td><td>{escape(reason)}</td></tr>"
        for reason, count in sorted(view.failures.items(), key=lambda item: -item[1])
    )
    said = plural(sum(view.failures.values()), "training")
    head = "<thead><tr><th>trainings</th><th>reason</th></tr></thead>"
    return (
        f"<p>{said} failed and {'is' if said.startswith('1 ') else 'are'} left out of all numbers.</p>"
        f"<table class='failures'>{head}<tbody>{rows}</tbody></table>"
    )


def _settings(view: Comparison) -> str:
    return (
        f"<div class='two'><div><h3>Data and training</h3>{table(view.facts)}</div>"
        f"<div><h3>Versions</h3>{table(list(view.versions.items()))}</div></div>"
    )
