"""A network with few bits from one that was trained with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.post_training.compensating import Compensating
from nas.evaluation.train import predict
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised, Quantiser
from nas.searchspace.task import Task


def round_to(model: torch.nn.Module, state: Mapping[str, Tensor], task: Task, compensating: Compensating) -> None:
    """Give a network with few bits the weights of the same one that has none, which was trained.

    The ranges of what passes between layers are found in one pass over the training split, in inference mode.

    Args:
        model: on the device of the task; it is left in inference mode.
        state: the trained weights.
        task: prepared.
        compensating: of the trained network.
    """
    model.load_state_dict(_deeper(model, state, compensating))
    model.eval()
    quantisers: list[Any] = [layer for layer in model.modules() if is_ours(type(layer)) is Quantiser]
    protected = [quantiser.protect for quantiser in quantisers]
    for quantiser in quantisers:
        quantiser.train()
        quantiser.protect = 0.0
    with lowered(model, 0), torch.no_grad():
        for batch in task.train:
            predict(model, task, batch)
    for quantiser, protect in zip(quantisers, protected, strict=True):
        quantiser.protect = protect
    model.eval()


def _deeper(model: torch.nn.Module, state: Mapping[str, Tensor], compensating: Compensating) -> dict[str, Tensor]:
    """The state of the network with the weights of the other one, whose layers stand a step deeper in it."""
    own = model.state_dict()
    low = {place: layer for place, layer in model.named_modules() if is_ours(type(layer)) is Quantised}
    for name, tensor in state.items():
        place = next((p for p in low if name.startswith(f"{p}.")), None)
        if place is None:
            own[name] = tensor
            continue
        inside = name[len(place) + 1 :]
        format = low[place].weights[key].format if (key := inside.replace(".", "/")) in low[place].weights else ""
        own[f"{place}.layer.{inside}"] = compensating.rounded(name, tensor, format) if format else tensor
    return own
