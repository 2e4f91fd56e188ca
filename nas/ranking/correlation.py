"""How well proxies rank: their scores of random architectures against the quality after training in full."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from nas.metrics import resolve_metric
from nas.ranking.ledger import Ledger, Scored
from nas.ranking.sample import distinct
from nas.ranking.statistics import Estimate, estimate, hit_rate, kendall, spearman
from nas.ranking.work import Work, header
from nas.searchspace.errors import BadInput, RunError
from nas.study.folder import RunFolder, free_name
from nas.study.plan import Plan

FILE, PAGE = "correlation.jsonl", "correlation.html"
TRAINED = 60
"""Architectures, where the user does not say: the 95 % band around no correlation is then +-.25."""
FEWEST = 3
"""Trained architectures that there must be to speak of a correlation."""


@dataclass(frozen=True)
class Agreement:
    """How well one proxy agrees with training.

    Attributes:
        proxy: its name.
        spearman, kendall: rank correlation with the validation metric after training.
        hit_rate: the share of its best tenth that is in the best tenth by the validation metric.
        test: Spearman's rank correlation with the test metric.
        scored: how many of the trained architectures have a score; those without count as worst.
        seconds: wall-clock seconds of a score, mean; NaN where there is none.
        share: of the mean wall-clock seconds of a training.
    """

    proxy: str
    spearman: Estimate
    kendall: Estimate
    hit_rate: Estimate
    test: Estimate
    scored: int
    seconds: float
    share: float


@dataclass(frozen=True)
class Correlation:
    """Proxies against training, on a random sample of a space.

    Attributes:
        name, path: of the folder that holds the sample and the page.
        metric: what validation and test are measured by.
        larger_is_better: whether more of it is better; correlations are positive where a proxy is right, either way.
        agreements: by Spearman's correlation, the best first; those for which it is not defined come last.
        ceiling: Spearman's correlation of validation with test: what no proxy of validation can be expected to beat.
        rows: the architectures that were trained, by number.
        failures: how often trainings failed for which reason; they are left out.
        seconds: of a training, mean wall-clock time.
        notes: what the user should know.
    """

    name: str
    path: Path
    metric: str
    larger_is_better: bool
    agreements: tuple[Agreement, ...]
    ceiling: Estimate
    rows: tuple[Scored, ...]
    failures: dict[str, int]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def page(self) -> Path:
        """The scatter of every proxy, one HTML file that opens offline."""
        return self.path / PAGE


def check(n: int) -> None:
    """What can be refused before the data is read.

    Raises:
        BadInput: for too few architectures.
    """
    if n < FEWEST:
        raise BadInput(f"n must be at least {FEWEST}; got {n}")


def folder_of(plan: Plan, name: str | None, root: Path) -> RunFolder:
    """The folder of that name; without one, that which was begun with the same settings, else a new one."""
    if name is not None:
        return RunFolder(root, name)
    free = RunFolder(root, free_name(root, "-".join([plan.task.name, plan.space.name, "correlation"])))
    stem, _, _ = free.name.rpartition("-")
    for file in sorted(root.glob(f"{stem}-*/{FILE}")):
        if _ledger(plan, file.parent).ours():
            return RunFolder(root, file.parent.name)
    return free


def begin(plan: Plan, proxies: tuple[str, ...], n: int, folder: RunFolder) -> Work:
    """The sample, and what the folder knows of it.

    Raises:
        BadInput: if the folder holds the sample of something else.
        RunError: if it cannot be read.
    """
    chosen = distinct(plan.space, n, plan.settings.seed)
    notes: tuple[str, ...] = ()
    if len(chosen) < n:
        notes = (f"the space has {len(chosen):,} different networks, fewer than {n:,}: all of them are trained",)
    return Work(plan, chosen, proxies, trains=True, ledger=_ledger(plan, folder.path), notes=notes)


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    """Make the folder, and hold it while the block runs.

    Raises:
        RunError: if it cannot be written, or another process holds it.
    """
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"the folder {folder.path} cannot be written: {error.strerror or error}") from error
    with folder.lock():
        yield


def _ledger(plan: Plan, path: Path) -> Ledger:
    return Ledger(path / FILE, header(plan, trains=True), "--name")


def correlation(work: Work, folder: RunFolder) -> Correlation:
    """What the finished part of the sample says.

    Raises:
        RunError: if too few trainings succeeded to say anything.
    """
    task, rows = work.plan.task, [row for row in work.finished() if row.trained and row.reason is None]
    failures = Counter(row.reason for row in work.finished() if row.reason is not None)
    if len(rows) < FEWEST:
        why = f"; the others failed: {'; '.join(list(failures)[:3])}" if failures else ""
        raise RunError(f"only {len(rows)} of {len(work.done)} trainings succeeded, too few to correlate anything{why}")
    larger = resolve_metric(task.metric, task.target).larger_is_better
    valid, test = ([_oriented(row, f"{split}_{task.metric}", larger) for row in rows] for split in ("valid", "test"))
    seconds = fmean(row.metrics["seconds"] for row in rows)
    found = [_agreement(name, rows, valid, test, seconds, work.plan.settings.seed) for name in work.proxies]
    found.sort(key=lambda a: -a.spearman.value if math.isfinite(a.spearman.value) else math.inf)
    return Correlation(
        name=folder.name,
        path=folder.path,
        metric=task.metric,
        larger_is_better=larger,
        agreements=tuple(found),
        ceiling=_with_test(valid, test, work.plan.settings.seed),
        rows=tuple(rows),
        failures=dict(failures),
        seconds=seconds,
        notes=(*work.notes, *work.slow_ways()),
    )


def _oriented(row: Scored, key: str, larger: bool) -> float:
    """The measured number with the sign that makes larger better; NaN where it is not known."""
    value = row.metrics.get(key, math.nan)
    return value if larger else -value


def _agreement(
    name: str, rows: Sequence[Scored], valid: Sequence[float], test: Sequence[float], training: float, seed: int
) -> Agreement:
    scores = [row.score(name) for row in rows]
    took = [row.seconds[name] for row in rows if name in row.seconds]
    seconds = fmean(took) if took else math.nan
    return Agreement(
        proxy=name,
        spearman=estimate(spearman, scores, valid, seed),
        kendall=estimate(kendall, scores, valid, seed),
        hit_rate=estimate(hit_rate, scores, valid, seed),
        test=_with_test(scores, test, seed),
        scored=len(took),
        seconds=seconds,
        share=seconds / training,
    )


def _with_test(scores: Sequence[float], test: Sequence[float], seed: int) -> Estimate:
    """Of those whose test metric is known."""
    known = [(s, t) for s, t in zip(scores, test, strict=True) if not math.isnan(t)]
    return estimate(spearman, [s for s, _ in known], [t for _, t in known], seed)
