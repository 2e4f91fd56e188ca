"""The scores of a batch by the cheapest program that the engine knows."""

from __future__ import annotations

import torch
import torch.fx
from torch import Tensor

from nas.evaluation.engine.graph import Whole, graph_of
from nas.evaluation.engine.lowering import hops
from nas.evaluation.engine.reach import Reach, reach_of
from nas.evaluation.engine.restrict import Scores, restricted, traced
from nas.evaluation.train import Predict
from nas.searchspace.task import Batch, Task


class Scoring:
    """Scores like ``predict``, for a lowered model; the programs are made when a batch first comes."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self._programs: dict[tuple[int, bool], tuple[Batch, Reach, Scores] | None] = {}
        self._steps: dict[bool, torch.fx.Graph | None] = {}  # in training and not, whatever the batch

    def __call__(self, model: torch.nn.Module, task: Task, batch: Batch) -> Tensor:
        """``[items, outputs]`` for the scored items of a batch."""
        if task.level != "node" or batch.index is None:
            return self._predict(model, task, batch)
        key = id(batch), model.training
        if key not in self._programs:
            self._programs[key] = self._program(model, batch, batch.index)
        found = self._programs[key]
        return self._predict(model, task, batch) if found is None else found[2](found[1])

    def _program(self, model: torch.nn.Module, batch: Batch, index: Tensor) -> tuple[Batch, Reach, Scores] | None:
        graph = graph_of(batch.edge_index)
        reach = reach_of(graph, index) if isinstance(graph, Whole) else None
        if reach is None:
            return None
        if model.training not in self._steps:
            self._steps[model.training] = traced(model)
        steps = self._steps[model.training]
        scores = None if steps is None else restricted(model, steps, reach, hops)
        return None if scores is None else (batch, reach, scores)
