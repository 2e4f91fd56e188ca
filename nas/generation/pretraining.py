"""Predictors that are told of a data set, learned from finished runs on other data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.generation.known import of_run, plan_of
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.errors import BadInput
from nas.study.folder import RunFolder

if TYPE_CHECKING:
    from nas.diffusion.conditioned_files import Family
    from nas.diffusion.rows import Rows


def learned_from_runs(rows: Rows, runs: Sequence[RunFolder], seed: int = 0, data: Any = None) -> Family:
    """One predictor of all runs and, where there are three or more, one without each of their data sets.

    Args:
        rows: of the space, whose knobs must be those of every run.
        runs: on different data sets; what is learned of each is its first objective, as normal scores.
        seed: of the training.
        data: of the run that was started with an object as its data, if one was.

    Raises:
        BadInput: for fewer than two runs, two on one data set, or one of other knobs.
    """
    from nas.diffusion.conditioned_files import EVERY, Family, Known
    from nas.predictors.dataset import described
    from nas.predictors.meta_training import meta_train

    if len(runs) < 2:
        raise BadInput(f"what data sets have in common is learned from two runs or more; got {len(runs)}")
    plans = {(plan := plan_of(folder, data, rows.space.of)).task.name.lower(): (plan, folder) for folder in runs}
    if len(plans) < len(runs):
        raise BadInput(f"each run must be on another data set; these are on {', '.join(plans)}")
    columns, described_as = dict[str, dict[object, float]](), {}
    for name, (plan, folder) in plans.items():
        objective = plan.objectives[0]
        architectures, values = of_run(folder, rows.space, plan).values(objective.key)
        scored = normal_scores(np.array([objective.value(value) for value in values]))
        columns[name] = dict(zip(architectures, map(float, scored), strict=True))
        described_as[name] = described(plan.task)
    every = list(dict.fromkeys(a for column in columns.values() for a in column))
    table = np.array([[column.get(a, np.nan) for column in columns.values()] for a in every])
    categories, names = rows.encode(every), list(columns)
    predictors = {}
    for out in [EVERY, *(names if len(names) > 2 else [])]:
        used = [i for i, name in enumerate(names) if name != out]
        tried = np.isfinite(table[:, used]).any(1)
        predictors[out] = meta_train(
            [names[i] for i in used],
            [described_as[names[i]] for i in used],
            categories[tried],
            rows.width,
            table[np.ix_(tried, used)],
            seed=seed,
        )
    known = {
        name: Known(plan.task.features, plan.task.outputs, described_as[name]) for name, (plan, _) in plans.items()
    }
    return Family(known, predictors)
