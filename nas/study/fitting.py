"""Does the space's network take this task at all? Asked once, before any work is spent."""

from __future__ import annotations

import random
from typing import Any

import torch

from nas.searchspace.errors import BadInput
from nas.searchspace.source import module
from nas.searchspace.space import Space
from nas.searchspace.task import Batch, Task

SAMPLES = 5
NODES = 64


def check_fits(space: Space[Any], task: Task) -> None:
    """Build a few random architectures and run each on a corner of the data; one that works is enough.

    Raises:
        BadInput: if none works, with the reason of the last one.
    """
    rng = random.Random(0)
    batch = _corner(task, task.train[0])
    items = int(batch.batch[-1]) + 1 if batch.batch is not None else len(batch.x)
    wanted = (items if batch.edge_label_index is None else batch.edge_label_index.size(1), task.outputs)
    for _ in range(SAMPLES):
        architecture = space.sample(rng)
        try:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(0)
                out = module(architecture, task).eval()(*batch.arguments(task.inputs))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if tuple(out.shape) == wanted:
            return
        problem = f"its network returned {list(out.shape)} where the task needs {list(wanted)}"
    raise BadInput(
        f"the space {space.name!r} does not fit the data {task.name!r} ({task.features} features, {task.outputs} "
        f"outputs, {task.level} level): {problem}"
    )


def _corner(task: Task, batch: Batch) -> Batch:
    """The first nodes of a batch with the edges among them."""
    keep = (batch.edge_index < NODES).all(dim=0)
    return Batch(
        x=batch.x[:NODES],
        edge_index=batch.edge_index[:, keep],
        y=batch.y[:0],
        batch=None if batch.batch is None else batch.batch[:NODES],
        edge_weight=None if batch.edge_weight is None else batch.edge_weight[keep],
        edge_attr=None if batch.edge_attr is None else batch.edge_attr[keep],
        edge_label_index=None if task.level != "link" else torch.arange(len(batch.x[:NODES])).expand(2, -1),
    )
