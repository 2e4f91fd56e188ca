"""Whether a training fits into memory at once, and how it is cut into portions where it does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

import torch

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.memory import keep_freed_memory, return_freed_memory
from nas.evaluation.job import Failed, Job
from nas.evaluation.limits import MIB, default_memory
from nas.evaluation.portions.footprint import Footprint, crude, footprint
from nas.evaluation.portions.sampling import Cutter, Portioned, Way, can_sample, check_batches
from nas.searchspace.source import load
from nas.searchspace.task import SPLITS, Batch, Task

LOOSE = 3
"""Where the estimate fits this many times, the allocator can keep what is freed; it holds at most so much."""
MARGIN, RESERVE = 1.25, 32 * MIB
"""What a process takes beyond the estimated tensors where it returns what is freed."""
VISITS = 10
"""The most times that an epoch of neighbours may come by a node, on average; random parts come by once."""
FARTHEST = 8
"""Hops from which on neighbours are no smaller than the graph."""

Bytes = Callable[[float, float], float]
"""Of nodes and edges."""


@dataclass(frozen=True)
class Fitted:
    """A task that can be trained on within the memory.

    Attributes:
        task: the task; batches that are too large come in portions.
        batches: ``full``, or the way in which portions are made.
        metrics: of a training in portions: ``parts`` (steps of an epoch), ``approximate_evaluation`` (1 if the scores
            are of portions too, 0 if of whole graphs), ``full_batch_mib`` (the estimate for one full-batch step).
        tight: whether freed memory has to go back to the system at once.
    """

    task: Task
    batches: str = "full"
    metrics: Mapping[str, float] = field(default_factory=dict)
    tight: bool = False

    @contextmanager
    def allocating(self) -> Iterator[None]:
        """Allocate sparingly in the block if memory is tight."""
        if self.tight:
            return_freed_memory()
        try:
            yield
        finally:
            if self.tight:
                keep_freed_memory()


def fitted(job: Job, task: Task, model: torch.nn.Module) -> Fitted:
    """Full-batch steps if they fit, else neighbours if they can be sampled and are few, else random parts.

    Where the job does not say ``auto``, what it says is done. A job without a limit may take four fifths of what is
    free. The graph itself stays on the device as a whole.

    Args:
        model: the network; it is left in evaluation mode and else as it is.

    Raises:
        BadInput: if the task cannot be trained in the way that the job says.
        Failed: if no portion fits.
    """
    check_batches(job.batches, task)
    if task.level != "node" or job.batches == "full":
        return Fitted(task)
    limit, auto = (job.memory or default_memory(job.device, 1)) * MIB, job.batches == "auto"
    largest = max(
        (b for split in SPLITS for b in task.batches(split)), key=lambda b: b.x.numel() + b.edge_index.size(1)
    )
    if auto and crude(model, largest) <= limit:
        return Fitted(task)
    with torch.random.fork_rng(devices=[largest.x.device] if largest.x.is_cuda else []):
        copy = load(job.source)().to(largest.x.device)
        with lowered(copy, job.seed):
            measured = footprint(copy, task, largest)
    full = measured.step(*_size(largest))
    if auto and (_fits(full, limit) or LOOSE * full <= limit):
        return Fitted(task, tight=LOOSE * full > limit)
    hops = _hops(model, task, largest) if can_sample() else FARTHEST
    ways: tuple[Way, ...] = ("neighbours", "random") if hops < FARTHEST else ("random",)
    if not auto:
        ways = (job.batches,)  # type: ignore[assignment]
    try:
        return _in_portions(task, ways[0], hops, measured, limit, auto)
    except Failed:
        return _in_portions(task, ways[-1], hops, measured, limit, auto)


def _in_portions(task: Task, way: Way, hops: int, of: Footprint, limit: int, auto: bool) -> Fitted:
    cutters: dict[int, Cutter] = {}
    visits = VISITS if auto else math.inf

    def cut(batch: Batch) -> Batch:
        size = _size(batch)
        if auto and _fits(of.step(*size), limit):
            return batch
        cutter = cutters.setdefault(id(batch.edge_index), Cutter(batch, way, hops))
        parts = _fewest(of.step, batch, cutter, limit, visits)
        views = 1 if _fits(of.inference(*size), limit) else _fewest(of.inference, batch, cutter, limit, visits)
        values = {k.name: getattr(batch, k.name) for k in fields(Batch)}
        return Portioned(**values, task=task, cutter=cutter, parts=parts, views=views)

    full = max(of.step(*_size(batch)) for split in SPLITS for batch in task.batches(split))
    train, valid, test = (tuple(map(cut, task.batches(split))) for split in SPLITS)
    metrics = {
        "parts": float(sum(getattr(batch, "parts", 1) for batch in train)),
        "approximate_evaluation": float(any(getattr(batch, "views", 1) > 1 for batch in valid + test)),
        "full_batch_mib": full / MIB,
    }
    return Fitted(replace(task, train=train, valid=valid, test=test), way, metrics, tight=LOOSE * full > limit)


def _fits(estimate: float, limit: float) -> bool:
    return MARGIN * estimate + RESERVE <= limit


def _fewest(bytes_of: Bytes, batch: Batch, cutter: Cutter, limit: int, visits: float) -> int:
    """The fewest portions that fit, to a quarter."""
    parts, most = cutter.bounds(batch)
    while parts <= most:
        nodes, edges = cutter.size(batch, parts)
        if parts * nodes > visits * batch.x.size(0):
            break
        needed = bytes_of(nodes, edges) + 8 * nodes * batch.x.size(1) + 16 * edges + cutter.working_bytes
        if _fits(needed, limit):
            return parts
        parts += max(1, parts // 4)
    raise Failed(
        f"out of memory (limit {limit // MIB} MiB): the whole graph needs about {bytes_of(*_size(batch)) / MIB:.0f} "
        f"MiB at once, and no smaller portion of it fits either"
    )


def _size(batch: Batch) -> tuple[int, int]:
    return batch.x.size(0), batch.edge_index.size(1)


def _hops(model: torch.nn.Module, task: Task, batch: Batch) -> int:
    """How far a node sees: how far a missing value spreads along a path, at most ``FARTHEST``."""
    x = torch.ones(FARTHEST + 1, batch.x.size(1), device=batch.x.device)
    x[-1] = torch.nan
    ahead = torch.arange(FARTHEST, device=x.device)
    weight, attr = torch.ones(FARTHEST, device=x.device), torch.ones(FARTHEST, task.edge_features, device=x.device)
    path = Batch(x, torch.stack([ahead + 1, ahead]), batch.y[:0], edge_weight=weight, edge_attr=attr)
    model.eval()
    with torch.no_grad():
        out = model(*path.arguments(task.inputs))
    return int(out.isnan().any(dim=1).sum()) - 1
