"""Weights as an export's file holds them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor

from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised


def stored(model: torch.nn.Module) -> dict[str, Tensor]:
    """The state of a network on the CPU, with the weights of quantised layers as whole numbers of few bits.

    It can be loaded into a network of the same source, which then predicts what this one does. It cannot be trained
    further from there as from the weights before rounding.
    """
    state = dict(model.state_dict())
    for place, layer in model.named_modules():
        if is_ours(type(layer)) is not Quantised:
            continue
        prefix = f"{place}." if place else ""
        for name in layer.weights:
            state.pop(f"{prefix}weights.{name}.scale", None)  # that of a learned range is packed too
        state |= {f"{prefix}{name}": tensor for name, tensor in layer.pack().items()}
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}


def file_size(state: Mapping[str, Tensor]) -> int:
    """Bytes of the safetensors file of a state, with its table of contents."""
    return len(save(dict(state)))
