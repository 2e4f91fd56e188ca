"""What a report is made of, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.settings import Settings, proxy_of
from nas.study.confirming import Confirmed
from nas.study.objectives import COSTS, Objective
from nas.study.records import Record, front, ranked, searched


@dataclass(frozen=True)
class View:
    """Everything that a report shows.

    Attributes:
        name: the run, as ``nas resume`` knows it.
        settings: what the search was told.
        objectives: what it optimised; the first one ranks.
        records: its trials, in the order in which they finished.
        space: the space, bound to the task.
        task: the data set with its question; the tensors are needed for nothing but the sizes of the splits.
        versions: name to version of what the search ran on.
        state: ``finished``, ``interrupted`` or ``running``.
        notes: sentences that the reader should not miss.
        why: what was chosen automatically, in sentences.
        sections: title and HTML (trusted, it is not escaped) of what a method adds.
        order: the trials that did not fail, the one to take first; None orders them by the first objective.
        confirmed: the architectures that were trained again with other seeds, the one to take first.
    """

    name: str
    settings: Settings
    objectives: tuple[Objective, ...]
    records: Sequence[Record]
    space: Space[Any]
    task: Task
    versions: Mapping[str, str]
    state: str
    notes: Sequence[str] = ()
    why: Sequence[str] = ()
    sections: Sequence[tuple[str, str]] = ()
    order: Sequence[Record] | None = None
    confirmed: Sequence[Confirmed] = ()

    @cached_property
    def best(self) -> list[Record]:
        """The finished trials, the one to take first: in the given order, or the best by the first objective."""
        return ranked(self.records) if self.order is None else list(self.order)

    @cached_property
    def front(self) -> list[Record]:
        """The Pareto front, best first by the first objective."""
        return front(self.records)

    @cached_property
    def searched(self) -> list[Record]:
        """The trials that the search proposed."""
        return searched(self.records)

    @cached_property
    def provisional(self) -> bool:
        """Whether the numbers of the search are not those of trainings from scratch."""
        return any(not r.from_scratch for r in self.records)

    @property
    def evaluator(self) -> str:
        """What the numbers of the search come from."""
        return self.records[0].evaluator if self.records else self.settings.evaluator

    @property
    def proxy(self) -> str | None:
        """The proxy whose scores they are; None where networks were trained."""
        return proxy_of(self.evaluator)

    @cached_property
    def retrained(self) -> list[Record]:
        """The best of a search with provisional numbers that were trained from scratch after it, best first."""
        return [r for r in self.best if r.from_scratch] if self.provisional else []

    @property
    def compared(self) -> tuple[Objective, ...]:
        """The objectives as the search compared its trials: scores in place of metrics where a proxy evaluates."""
        return tuple(o.by(self.evaluator) for o in self.objectives)

    @property
    def decisive(self) -> tuple[Objective, ...]:
        """The objectives as the best trials were compared: those of trainings from scratch, if there was any."""
        return self.objectives if self.retrained else self.compared

    @property
    def tested(self) -> tuple[str, ...]:
        """The metrics whose test scores are shown: those optimised, or the task's where only costs are."""
        return tuple(o.name for o in self.objectives if o.name not in COSTS) or (self.task.metric,)

    @property
    def columns(self) -> list[Column]:
        """What is told of a trial: the objectives, each metric with its test score, and the parameters.

        Where a proxy evaluates, its score, and the metrics if any network was trained.
        """
        made = [Column(label(o), o.key, o.name, o.maximise) for o in self.compared if o.scored]
        for objective in self.decisive:
            if objective.scored:
                continue
            made.append(Column(label(objective), objective.key, objective.name, objective.maximise))
            if objective.name in self.tested:
                made.append(
                    Column(f"test {objective.name}", f"test_{objective.name}", objective.name, objective.maximise)
                )
        if (self.retrained or not self.proxy) and not any(c.key.startswith("test_") for c in made):
            made += [Column(f"test {name}", f"test_{name}", name, True) for name in self.tested]
        if all(c.key != "params" for c in made):
            made.append(Column(LABELS["params"], "params", "params", False))
        return made

    def measured(self, record: Record, key: str) -> float | None:
        """A number of a trial in its natural sign; objectives are taken from what the search itself compared."""
        if record.trial.values is not None:
            for named, value in zip(self.objectives, record.trial.values, strict=True):
                objective = named.by(record.evaluator)
                if objective.key == key:
                    return objective.value(value)
        return record.trial.metrics.get(key)


@dataclass(frozen=True)
class Column:
    """One number that is told of every trial.

    Attributes:
        title: how it is called.
        key: where it stands in ``Trial.metrics``.
        name: the metric or cost, see :func:`number`.
        larger: whether more is better.
    """

    title: str
    key: str
    name: str
    larger: bool


LABELS = {
    "params": "parameters",
    "bytes": "size",
    "buffer": "largest buffer",
    "seconds": "training time",
    "latency": "latency",
}


def label(objective: Objective) -> str:
    """An objective in words: ``validation accuracy``, ``parameters``."""
    return objective.label if objective.scored else LABELS.get(objective.name, objective.label)


def better(objective: Objective) -> str:
    """``more validation accuracy``, ``fewer parameters``, ``less latency``."""
    less = "fewer" if objective.name == "params" else "less" if objective.name in COSTS else "lower"
    return f"{'higher' if objective.maximise else less} {label(objective)}"


def number(name: str, value: float | None) -> str:
    """A metric or cost with its unit, ready for HTML: ``83.2 %``, ``92,231``, ``1.5 MB``, ``3 min 10 s``."""
    if value is None or not math.isfinite(value):
        return "–"
    match name:
        case "accuracy":
            return f"{100 * value:.1f} %"
        case "params" | "epochs" | "best_epoch":
            return f"{value:,.0f}"
        case "bytes" | "buffer":
            return size(value)
        case "seconds":
            return duration(value)
        case "latency":
            return f"{1000 * value:.3g} ms"
        case _:
            return f"{value:.4g}"


def duration(seconds: float) -> str:
    """``0.52 s``, ``12.3 s``, ``3 min 10 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(count: float) -> str:
    """Bytes in the unit that leaves the fewest digits."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def plural(count: int, noun: str) -> str:
    """``1 trial``, ``2,000 trials``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, what and its value; both are escaped."""
    body = "".join(f"<tr><th scope='row'>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows)
    return f"<table class='pairs'><tbody>{body}</tbody></table>"
