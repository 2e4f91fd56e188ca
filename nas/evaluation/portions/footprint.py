"""How much memory a training step takes, known before the first one.

A step is run on small random graphs with the task's own features, and the bytes that torch allocates are extrapolated
along nodes and edges. What an operator holds is linear in both; one that compares all pairs of nodes is not, and its
estimate is too small.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from nas.evaluation.engine.features import plain
from nas.evaluation.engine.graph import Edges
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.train import predict
from nas.metrics import loss
from nas.searchspace.task import Batch, Task

SAMPLE = 512
"""Nodes of the smallest graph that is measured; the largest has twice as many, or twice as many edges."""
WEIGHTS = 6
"""Copies of the weights: themselves, gradients, Adam's two averages, the best epoch's and a newer best."""
TENSORS = 16
"""Tensors of a layer's width that the crude bound allows at every node and edge, more than any operator keeps."""


@dataclass(frozen=True)
class Footprint:
    """Bytes as functions of the size of a graph.

    Attributes:
        weights: bytes of the weights and what goes with them, and on a GPU of what its libraries take at a first step
            and keep: on a graph of any size.
        lines: ``[4, 3]``: bytes at no node, per node and per edge of the peak of the forward pass, of what it leaves
            for the backward pass, of what the backward pass adds to that, and of the peak without gradients.
    """

    weights: int
    lines: Tensor

    def step(self, nodes: float, edges: float) -> float:
        """Peak of a training step."""
        forward, kept, backward, _ = self._at(nodes, edges)
        return self.weights + max(forward, kept + backward)

    def inference(self, nodes: float, edges: float) -> float:
        """Peak of a forward pass without gradients, during a training."""
        return self.weights + self._at(nodes, edges)[3]

    def _at(self, nodes: float, edges: float) -> list[float]:
        bytes_: list[float] = (self.lines @ torch.tensor([1.0, nodes, edges], dtype=torch.float64)).tolist()
        return bytes_


def footprint(model: torch.nn.Module, task: Task, batch: Batch) -> Footprint:
    """Measure ``model``, on the device of ``batch``; its gradients and buffers are not what they were afterwards.

    Args:
        model: lowered if the training will be.
        batch: a node-level batch of ``task``, prepared or not; the small graphs will be as it is.
    """
    nodes, edges = SAMPLE, max(1, round(SAMPLE * batch.edge_index.size(1) / batch.x.size(0)))
    sizes = [(nodes, edges), (2 * nodes, edges), (nodes, 2 * edges)]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    workspace = _workspace(model, task, batch, *sizes[0]) if batch.x.is_cuda else 0
    measured = torch.tensor([_measured(model, task, batch, *size) for size in sizes], dtype=torch.float64)
    places = torch.tensor([[1, *size] for size in sizes], dtype=torch.float64)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return Footprint(WEIGHTS * weights + workspace, torch.linalg.solve(places, measured).T.clamp(min=0))


def crude(model: torch.nn.Module, batch: Batch) -> int:
    """Bytes that a step of any usual network stays below, from the shapes alone."""
    width = sum(p.numel() // p.shape[-1] for p in model.parameters() if p.dim() > 1)
    weights = sum(p.numel() for p in model.parameters())
    items = batch.x.size(0) + batch.edge_index.size(1)
    return 4 * (WEIGHTS * weights + TENSORS * (items * width + batch.x.numel()))


def _workspace(model: torch.nn.Module, task: Task, batch: Batch, nodes: int, edges: int) -> int:
    """Bytes that a step takes and does not give back; a second one has them."""
    before = torch.cuda.memory_allocated(batch.x.device)
    _measured(model, task, batch, nodes, edges)
    return max(0, torch.cuda.memory_allocated(batch.x.device) - before)


def _measured(model: torch.nn.Module, task: Task, batch: Batch, nodes: int, edges: int) -> tuple[int, ...]:
    small = _random(task, batch, nodes, edges)
    made: list[Tensor] = []
    model.train()
    forward, kept = _allocated(lambda: made.append(loss(predict(model, task, small), small.y, task.target)), small)
    backward, _ = _allocated(made[0].backward, small)
    small = _random(task, batch, nodes, edges)
    model.eval()
    with torch.no_grad():
        inference, _ = _allocated(lambda: predict(model, task, small), small)
    return forward, kept, backward, inference


def _random(task: Task, batch: Batch, nodes: int, edges: int) -> Batch:
    """A random graph with rows of the batch's features, of nodes and edges, and its share of scored nodes."""
    generator = torch.Generator().manual_seed(0)
    device = batch.x.device
    rows = torch.randint(batch.x.size(0), (nodes,), generator=generator).to(device)
    edge_index = torch.randint(nodes, (2, edges), generator=generator).to(device)
    scored = torch.arange(max(1, nodes * len(batch.y) // batch.x.size(0)), device=device)
    y = batch.y[scored.remainder(len(batch.y))]
    like = torch.randint(batch.edge_index.size(1), (edges,), generator=generator).to(device)
    weight = None if batch.edge_weight is None else batch.edge_weight[like]
    attr = None if batch.edge_attr is None else batch.edge_attr[like]
    small = Batch(plain(batch.x)[rows], edge_index, y, index=scored, edge_weight=weight, edge_attr=attr)
    if not isinstance(batch.edge_index, Edges):
        return small
    return prepare(replace(task, train=(small,), valid=(), test=())).train[0]


def _allocated(run: Callable[[], object], batch: Batch) -> tuple[int, int]:
    """The most bytes that ``run`` has allocated at a time, and those that it leaves."""
    if batch.x.is_cuda:
        torch.cuda.reset_peak_memory_stats(batch.x.device)
        before = torch.cuda.memory_allocated(batch.x.device)
        run()
        left = torch.cuda.memory_allocated(batch.x.device)
        return torch.cuda.max_memory_allocated(batch.x.device) - before, left - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler greets on standard error
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    now = torch.tensor([0, *(change for _, change in changes)]).cumsum(0)
    return int(now.max()), int(now[-1])
