"""What layers are given in one pass over the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from nas.evaluation.train import predict
from nas.searchspace.task import Task


def hear(model: torch.nn.Module, task: Task, listeners: Mapping[torch.nn.Module, Callable[[Any], None]]) -> None:
    """Pass the training split through the network, in the mode that it is in; each listener hears of each batch the
    first thing its layer is given, before the layer computes with it.
    """
    hooks = [
        layer.register_forward_pre_hook(lambda _, given, listen=listen: listen(given[0]))
        for layer, listen in listeners.items()
    ]
    try:
        with torch.no_grad():
            for batch in task.train:
                predict(model, task, batch)
    finally:
        for hook in hooks:
            hook.remove()
