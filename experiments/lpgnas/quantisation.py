"""A trained float network with other formats, and what a network weighs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from nas.evaluation.packing import file_size, stored
from nas.export.fewest import fewest
from nas.export.rounding import rounded
from nas.searchspace.buffers import largest
from nas.searchspace.source import module
from nas.searchspace.space import Space
from nas.searchspace.task import Task


def after_training(architecture: Any, formats: Mapping[str, str], weights: Path, task: Task) -> dict[str, float]:
    """The metrics of a trained float network, rounded as ``nas export --bits`` does.

    Args:
        weights: file with the float network's state.
        task: prepared or not, on any device.
    """
    return rounded(architecture, Space(type(architecture)), task, load_file(weights), formats).metrics


def in_fewest_bits(architecture: Any, weights: Path, task: Task, loss: float) -> dict[str, float]:
    """The metrics of a trained float network, rounded as ``nas export --bits auto`` does.

    Args:
        weights: file with the float network's state.
        task: prepared or not, on any device.
        loss: of the validation metric.
    """
    return fewest(architecture, Space(type(architecture)), task, load_file(weights), loss).metrics


def costs(architecture: Any, task: Task) -> dict[str, int]:
    """Trainable parameters, bytes of the packed file, and those of the largest buffer of a forward pass."""
    model = module(architecture, task)
    return {
        "params": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "bytes": file_size(stored(model)),
        "buffer": largest(architecture, task),
    }
