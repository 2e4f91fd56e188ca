"""A trained float network with other formats: loaded and calibrated, or to be trained anew; and what it weighs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file

import nas
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.packing import file_size, stored
from nas.evaluation.train import measure, predict
from nas.metrics import resolve_metric
from nas.searchspace.buffers import largest
from nas.searchspace.source import module
from nas.searchspace.task import Task


def with_formats(architecture: Any, formats: Mapping[str, str]) -> Any:
    """The architecture with one format for each component, in all of its layers."""
    options: dict[str, Any] = {name: (value,) for name, value in formats.items()} | {"protect": (0.0,)}
    knobs = {name: getattr(architecture, name) for name in type(architecture).__dataclass_fields__}
    return nas.quantised(type(architecture), **options)(**knobs, formats=nas.formats(**options)(**formats, protect=0.0))


def after_training(architecture: Any, formats: Mapping[str, str], weights: Path, task: Task) -> dict[str, float]:
    """The metrics of a trained float network, rounded without further training.

    The ranges are those of one forward pass on the whole graph without dropout.

    Args:
        weights: file with the float network's state.
        task: prepared or not, on any device.
    """
    model = module(with_formats(architecture, formats), task).to(task.train[0].x.device)
    own = model.state_dict()
    for name, tensor in load_file(weights).items():
        own[name if name in own else name.replace(".", ".layer.", 1)].copy_(tensor)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
        elif hasattr(layer, "dropout"):
            cast(Any, layer).dropout = 0.0
    metrics, found = [resolve_metric(task.metric, task.target)], dict[str, float]()
    with lowered(model, seed=0), torch.no_grad():
        predict(model.train(), task, task.train[0])
        for split in ("valid", "test"):
            found |= measure(model, task, split, metrics)
    return found


def costs(architecture: Any, task: Task) -> dict[str, int]:
    """Trainable parameters, bytes of the packed file, and those of the largest buffer of a forward pass."""
    model = module(architecture, task)
    return {
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "bytes": file_size(stored(model)),
        "buffer": largest(architecture, task),
    }
