"""A network with few bits from one that was trained with all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.post_training.compensating import Compensating
from nas.evaluation.post_training.ranges import find_ranges
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised
from nas.searchspace.task import Task


def round_to(model: torch.nn.Module, state: Mapping[str, Tensor], task: Task, compensating: Compensating) -> None:
    """Give a network with few bits the weights of the same one that has none, which was trained.

    The ranges of what passes between layers are found with the training split, in inference mode.

    Args:
        model: on the device of the task; it is left in inference mode.
        state: the trained weights.
        task: prepared.
        compensating: of the trained network.
    """
    model.load_state_dict(_deeper(model, state, compensating))
    with lowered(model, 0):
        find_ranges(model, task)


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
