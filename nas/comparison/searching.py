"""One search of a comparison: in memory on a table, else an ordinary run in a folder of its own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from math import nan
from pathlib import Path

from nas.comparison.entries import Entry
from nas.comparison.ledger import Found
from nas.searchspace.errors import NasError
from nas.study.beginning import resume, start
from nas.study.folder import RunFolder
from nas.study.plan import Plan
from nas.study.search import Search
from nas.study.store import InMemory


def search(plan: Plan, entry: Entry, seed: int, trials: int, path: Path) -> Found:
    """See one search through; one with trainings goes on where it was left.

    Args:
        plan: of the data set; controller, seed and budget are replaced.
        path: the comparison's folder, for the runs of trainings.
    """
    settings = replace(
        plan.settings, controller=entry.controller, controller_options=entry.options, seed=seed, trials=trials
    )
    own = replace(plan, settings=settings, controller=entry.controller)
    done = _in_memory(own) if own.column is not None else _in_folder(own, _folder(own, entry, path))
    return _found(done, own, entry)


def _in_memory(plan: Plan) -> Search:
    search = Search(
        space=plan.space,
        task=plan.task,
        settings=plan.settings,
        objectives=plan.objectives,
        controller=plan.made_controller(),
        store=InMemory(),
        costs=plan.costs(),
    )
    search.run(plan.executor())
    return search


def _in_folder(plan: Plan, folder: RunFolder) -> Search:
    new = not folder.exists()
    if new:
        folder.create(plan.settings)
    with folder.lock():
        try:
            search = start(plan, folder) if new else resume(plan, folder)
        except NasError:
            if new:
                folder.undo()
            raise
        if not new:
            folder.rewrite(plan.settings)
        search.run(plan.executor())
    return search


def _folder(plan: Plan, entry: Entry, path: Path) -> RunFolder:
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", entry.label)
    if label != entry.label or len(label) > 40:  # two labels must not have one folder
        label = f"{label[:40]}-{hashlib.sha256(entry.label.encode()).hexdigest()[:6]}"
    return RunFolder(path, f"{plan.task.name}-{label}-{plan.settings.seed}")


def _found(search: Search, plan: Plan, entry: Entry) -> Found:
    metric, records = plan.task.metric, search.records
    best, highest = [], None
    for place, record in enumerate(records, 1):
        values, metrics = record.trial.values, record.trial.metrics
        if values is not None and (highest is None or values[0] > highest):
            highest = values[0]
            best.append((place, metrics[f"valid_{metric}"], metrics.get(f"test_{metric}", nan)))
    spent = (records[-1].elapsed if records else 0.0) - sum(record.trial.seconds for record in records)
    return Found(
        controller=entry.label,
        data=plan.settings.data,
        seed=plan.settings.seed,
        task=plan.identity,
        trials=len(records),
        exhausted=search.exhausted,
        best=tuple(best),
        seconds=max(spent, 0.0) / max(len(records), 1),
        failed=sum(record.trial.values is None for record in records),
    )
