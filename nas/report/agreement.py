"""From a correlation of proxies with training to what its page shows."""

from __future__ import annotations

from nas.evaluation.proxies import known
from nas.ranking.correlation import Correlation
from nas.ranking.statistics import Estimate
from nas.report.correlation import Compared, Comparison, Interval
from nas.searchspace.encodings import text
from nas.study.plan import Plan, versions


def view(found: Correlation, plan: Plan) -> Comparison:
    """What the page shows of a correlation that was computed by ``plan``."""
    settings, rows = plan.settings, found.rows
    compared = [
        Compared(
            name=a.proxy,
            summary=known(a.proxy).summary,
            paper=known(a.proxy).paper,
            spearman=_interval(a.spearman),
            kendall=_interval(a.kendall),
            hit_rate=_interval(a.hit_rate),
            test=_interval(a.test),
            seconds=a.seconds,
            share=a.share,
            scores=[row.score(a.proxy) for row in rows],
        )
        for a in found.agreements
    ]
    asked = {"epochs": settings.epochs, "patience": settings.patience, "precision": settings.precision}
    return Comparison(
        name=found.name,
        data=plan.task.name,
        space=plan.space.name,
        metric=found.metric,
        valid=[row.metrics[f"valid_{found.metric}"] for row in rows],
        labels=[f"{row.number}: {text(row.architecture)}" for row in rows],
        proxies=compared,
        ceiling=_interval(found.ceiling),
        failures=found.failures,
        seconds=found.seconds,
        facts=[
            ("data set", plan.task.name),
            ("split", f"{plan.task.split}, seed {settings.split_seed}"),
            ("metric", found.metric),
            ("space", plan.space.name),
            ("seed", str(settings.seed)),
            *((name, "by the space" if value is None else str(value)) for name, value in asked.items()),
            ("device", plan.device),
            ("data fingerprint", plan.task.identity),
        ],
        versions=versions(),
        notes=(*plan.task.notes, *found.notes),
    )


def _interval(of: Estimate) -> Interval:
    return of.value, of.low, of.high
