"""A generator and predictors that know other data sets: made from a table, shipped for NAS-Bench-Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nas.evaluation.tables.base import Column
from nas.evaluation.tables.registry import find
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.space import Space
from nas.searchspace.task import Task
from nas.study.experience import quality, whole

if TYPE_CHECKING:
    from nas.diffusion.conditioned_files import Family
    from nas.diffusion.generator import Generator
    from nas.diffusion.guidance import Guide
    from nas.predictors.dataset import Description

Told = Callable[[str], None]
GENERATOR = "generator"
"""The folder of the generator in that of the pair."""
SHIPPED = Path(__file__).parents[1] / "diffusion" / "pretrained"
"""Folders of the pairs that ship with this package, by their spaces' names."""


class Pretrained(NamedTuple):
    """What proposes architectures for a data set before any was tried on it."""

    generator: Generator
    guide: Guide


@dataclass(frozen=True, eq=False)
class Pair:
    """A generator of a space, and predictors of quality on data sets that they are told of."""

    generator: Generator
    family: Family

    def of(self, task: Task) -> Pretrained:
        """For the data set of a task; nothing that was learned on it is used.

        Raises:
            BadInput: for a task without a graph whose data set is not known.
        """
        from nas.diffusion.conditioned import guide

        return Pretrained(self.generator, guide(self.family.of(task), self.family.describe(task)))


def pretrained(space: Space[Any], task: Task, folder: Path | None = None) -> Pretrained:
    """The pair that ships with this package, for a data set.

    Args:
        space: ``nasbench-graph``.
        task: with its graph; without one only a data set of the table is known.
        folder: of another pair, see :func:`save_pair`.

    Raises:
        BadInput: for another space, or as :meth:`Pair.of`.
    """
    return load_pair(space, folder or shipped(space)).of(task)


def shipped(space: Space[Any]) -> Path:
    """The folder of the pair for a space.

    Raises:
        BadInput: if none is shipped for it.
    """
    names = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir()) if SHIPPED.is_dir() else []
    if space.name not in names:
        raise BadInput(f"nothing is pre-trained for the space {space.name!r}, only for {', '.join(names) or 'none'}; "
                       f"make it with nas pretrain")  # fmt: skip
    return SHIPPED / space.name


def pretrain(
    table: str,
    root: str | None = None,
    *,
    descriptions: Mapping[str, Description] | None = None,
    leave_out: Sequence[str] | None = None,
    seed: int = 0,
    steps: int | None = None,
    told: Told = lambda text: None,
) -> Family:
    """Predictors from a table: one for each of its data sets, which it left out, and one of all.

    Data sets on which the table lacks some of the networks are left out of all, as in
    :func:`nas.study.experience.experience`, but described.

    Args:
        root: folder of the data.
        descriptions: of data sets, by name; the others are made here, of their graphs where these can be read.
        leave_out: makes predictors without these alone.
        seed: of the training.
        steps: of the training, if not the usual.
        told: hears what is going on.

    Raises:
        BadInput: for a table with fewer than two data sets that are whole, or one that does not say how large they are.
    """
    from nas.diffusion.conditioned_files import EVERY, Family, Known
    from nas.diffusion.rows import Rows
    from nas.predictors.meta_training import STEPS, meta_train

    found = find(table, root)
    columns = {name: found.column(name) for name in found.datasets}
    said = {name: (descriptions or {}).get(name) or _described(c, root, told) for name, c in columns.items()}
    sources = {name: c for name, c in columns.items() if c.network is not None and c.links is not None and whole(c)}
    if not sources:
        raise BadInput(f"the table {table} has no data set on which it has all of its networks")
    first = next(iter(sources.values()))
    assert first.network is not None
    scored = {name: quality(column) for name, column in sources.items()}
    networks = [first.space.canonical(first.network(i)) for i in range(len(scored[first.task.name]))]
    rows = Rows(first.space)
    categories = rows.encode(networks)
    predictors = {}
    for out in [*sources, EVERY] if leave_out is None else leave_out:
        names = [name for name in sources if name != out]
        told(f"learning from {', '.join(names)}")
        columned = np.stack([scored[name] for name in names], axis=1) if names else np.zeros((len(categories), 0))
        predictors[out] = meta_train(
            names, [said[name] for name in names], categories, rows.width, columned, seed=seed, steps=steps or STEPS
        )
    known = {name: Known(c.task.features, c.task.outputs, said[name]) for name, c in columns.items()}
    return Family(known, predictors)


def save_pair(pair: Pair, folder: Path) -> None:
    """Write a folder with the generator in a folder of its own, and the predictors."""
    from nas.diffusion.conditioned_files import save_family
    from nas.diffusion.files import save

    save_family(pair.family, pair.generator.rows, folder)
    save(pair.generator, folder / GENERATOR)


def load_pair(space: Space[Any], folder: Path) -> Pair:
    """What was saved, for a space of the same knobs.

    Raises:
        BadInput: if the folder holds none, or that of other knobs, or is damaged.
    """
    from nas.diffusion.conditioned_files import load_family
    from nas.diffusion.files import load

    generator = load(space, folder / GENERATOR)
    return Pair(generator, load_family(generator.rows, folder))


def _described(column: Column, root: str | None, told: Told) -> Description:
    """With its graph, where that can be read."""
    from nas.data import load
    from nas.predictors.dataset import described

    task = column.task
    try:
        told(f"reading {task.name}")
        read = load(task.name, root=root, split=task.split)
        if (read.features, read.outputs) == (task.features, task.outputs):
            return described(read)
    except (BadInput, RunError) as error:
        told(f"{task.name} is described without its graph: {error}")
    return described(task, column.links)
