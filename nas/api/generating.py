"""Generating architectures, and building what generates them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.api.searching import data_label, label
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study.folder import runs_root
from nas.study.objectives import parse
from nas.study.plan import make_plan

if TYPE_CHECKING:
    from nas.diffusion.generator import Generator
    from nas.generation.generation import Generation, Told

PRETRAINED = "pretrained"
"""The guide that learned from other data sets and comes with this package."""


def generate(
    space: Any = "nasbench-graph",
    *,
    n: int = 64,
    data: Any = "digits",
    guide: str | None = None,
    objectives: Sequence[str] = (),
    method: str = "em",
    steps: int = 20,
    scale: float | None = None,
    preset: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    told: Told | None = None,
    **settings: Any,
) -> Generation:
    """Generate architectures of a space with a diffusion model, without training any.

    Args:
        space, data: as in :func:`nas.search`.
        n: so many different networks.
        guide: where what is good is learned: the name of a run, a JSON file of measured architectures (as
            ``nas show RUN --json`` prints them), a folder made by :func:`pretrain`, or ``pretrained``, which knows the
            space ``nasbench-graph`` from other data sets.
        objectives: metrics and costs; with a guide the task's metric by default. Of several each architecture has its
            own weighting.
        method, steps, scale: see :class:`nas.diffusion.generator.Sampling` and ``Strength``.
        preset: ``published`` draws with DiffusionNAG's own network, which is trained first and takes long.
        runs: folder of all runs.
        told: hears of the progress.
        settings: the other fields of :class:`nas.settings.Settings` that concern data, seeds and limits, such as
            ``max_params``.

    Raises:
        BadInput: for anything that does not exist or does not fit.
    """
    from nas.diffusion.generator import Sampling
    from nas.diffusion.guidance import Strength
    from nas.generation import known as knowledge
    from nas.generation.generation import Wanted, generation
    from nas.study.generating import generator_of
    from nas.study.pretraining import pretrained

    if type(n) is not int or n < 1:
        raise BadInput(f"n must be a whole number, 1 or more; got {n!r}")
    if type(steps) is not int or steps < 1:
        raise BadInput(f"steps must be a whole number, 1 or more; got {steps!r}")
    if scale is not None and not (isinstance(scale, int | float) and 0 < scale < math.inf):
        raise BadInput(f"scale must be a number above 0; got {scale!r}")
    made = Settings.of({"data": data_label(data), "space": label(space), "controller": "random", **settings})
    plan = make_plan(made, data=data, space=space)
    told = told or (lambda what, done, total: None)
    wanted = Wanted(
        n,
        parse(objectives, plan.task.metric) if objectives or guide is not None else (),
        Sampling(method, steps, Strength(scale=scale)),
        made.seed,
    )
    generator, learned, ready = None, None, None
    if guide == PRETRAINED:
        generator, ready = pretrained(plan.space, plan.task)
    elif guide is not None:
        folder = knowledge.run_of(guide, runs_root(runs))
        if folder is not None:
            learned = knowledge.of_run(folder, plan.space, knowledge.plan_of(folder, data, space))
        elif Path(guide).is_dir():
            generator, ready = pretrained(plan.space, plan.task, Path(guide))
        elif Path(guide).is_file():
            learned = knowledge.of_file(Path(guide), plan.space)
        else:
            raise BadInput(
                f"a guide is a run, a JSON file, a folder made by nas pretrain, or {PRETRAINED}; there is no run "
                f"{guide!r} in {runs_root(runs)}, and no such file or folder"
            )
    if generator is None or preset is not None:
        generator = generator_of(plan.space, preset, lambda done, total, loss: told("training", done, total))
    return generation(plan, generator, wanted, learned, ready, told)


def pretrain(
    space: Any = "nasbench-graph",
    *,
    data: Any = "digits",
    table: str | None = None,
    learn_from: Sequence[str] = (),
    to: str | os.PathLike[str] | None = None,
    preset: str | None = None,
    runs: str | os.PathLike[str] | None = None,
    told: Told | None = None,
    **settings: Any,
) -> Generator:
    """Make the generator of a space, which is kept for whoever needs it, and predictors that know other data sets.

    Args:
        space, data: as in :func:`nas.search`.
        table: predictors are learned from the data sets of this table, and written into ``to``.
        learn_from: likewise from these runs, on different data sets.
        to: a folder, which is a guide of :func:`generate`.
        preset, runs, told, settings: as in :func:`generate`.

    Raises:
        BadInput: for anything that does not exist or does not fit.
    """
    from nas.diffusion.conditioned_files import save_family
    from nas.diffusion.files import save
    from nas.diffusion.rows import Rows
    from nas.evaluation.tables.registry import find
    from nas.generation import known as knowledge
    from nas.generation.pretraining import learned_from_runs
    from nas.study import pretraining
    from nas.study.generating import generator_of

    if (table is not None or bool(learn_from)) != (to is not None) or (table is not None and learn_from):
        raise BadInput(
            "predictors are learned from a table or from runs, and written into a folder: give to, and one of the two"
        )
    made = Settings.of({"data": data_label(data), "space": label(space), "controller": "random", **settings})
    plan = make_plan(made, data=data, space=space)
    told = told or (lambda what, done, total: None)
    folder = None if to is None else Path(to)
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there and not empty; name another folder")
    family = None
    if table is not None:
        found = find(table, made.data_root)
        spaces = {column.space.knobs_fingerprint(): column.space.name for column in map(found.column, found.datasets)}
        if plan.space.knobs_fingerprint() not in spaces:
            raise BadInput(
                f"the table {table} holds networks of {', '.join(spaces.values())}, not of {plan.space.name}"
            )
        family = pretraining.pretrain(table, made.data_root, seed=made.seed, told=lambda text: told(text, 0, 1))
    elif learn_from:
        theirs = [knowledge.run_of(name, runs_root(runs)) for name in learn_from]
        for name, each in zip(learn_from, theirs, strict=True):
            if each is None:
                raise BadInput(f"there is no run {name!r} in {runs_root(runs)}")
        known = [each for each in theirs if each is not None]
        family = learned_from_runs(Rows(plan.space), known, made.seed, None if isinstance(data, str) else data)
    generator = generator_of(plan.space, preset, lambda done, total, loss: told("training a generator", done, total))
    if family is None or folder is None:
        return generator
    save_family(family, generator.rows, folder)
    save(generator, folder / pretraining.GENERATOR)
    return generator
