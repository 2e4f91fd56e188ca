"""Trained networks that are rounded more than once: formats alone need no other training."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from nas.evaluation.job import Job
from nas.evaluation.post_training.compensating import Compensating
from nas.evaluation.train import Trained
from nas.metrics import resolve_metric
from nas.searchspace.task import Task

MOST = 256 * 2**20
"""Bytes that are kept, of the last networks: their weights, also rounded, and what rounds them."""


@dataclass(frozen=True)
class Whole:
    """A network that was trained with all bits.

    Attributes:
        trained: its numbers and its weights.
        compensating: rounds these.
    """

    trained: Trained
    compensating: Compensating


class Remembered:
    """The last trained networks, by what made them what they are."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[weakref.ref[Any], Whole]] = OrderedDict()

    def get(self, job: Job, task: Task) -> Whole | None:
        """What a training of this job would give; None if that is not known.

        One that the job's rungs would have stopped is not known: only its best weights of all epochs are.
        """
        found = self._kept.get(_key(job))
        if found is None or found[0]() is not task:
            return None
        self._kept.move_to_end(_key(job))
        return None if _would_stop(job, task, found[1].trained) else found[1]

    def keep(self, job: Job, task: Task, whole: Whole) -> None:
        """Remember a training that went on to its own end."""
        if whole.trained.stopped:
            return
        self._kept[_key(job)] = (weakref.ref(task), whole)
        while sum(_size(kept) for _, kept in self._kept.values()) > self._most:
            self._kept.popitem(last=False)


def _key(job: Job) -> Hashable:
    """All that a training depends on besides the data, and the epochs at which it was looked at."""
    how = (job.source, job.recipe, job.seed, job.metrics, job.device, job.class_weights, job.seconds)
    return (*how, job.validate_every, job.batches, job.precision, tuple(rung.epoch for rung in job.rungs))


def _would_stop(job: Job, task: Task, trained: Trained) -> bool:
    metric = resolve_metric(job.metrics[0], task.target)
    for rung in job.rungs:
        best = None
        for epoch, value in trained.curve:
            if epoch <= rung.epoch and (best is None or metric.better(value, best)):
                best = value
        if trained.curve[-1][0] >= rung.epoch and best is not None and metric.better(rung.least, best):
            return True
    return False


def _size(whole: Whole) -> int:
    weights = sum(tensor.numel() * tensor.element_size() for tensor in whole.trained.state.values())
    return weights + whole.compensating.bytes
