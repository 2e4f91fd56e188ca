"""Starting with weights of other trials instead of fresh ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from nas.evaluation.job import Inherited
from nas.searchspace.errors import RunError


def lent(inherits: Sequence[Inherited]) -> dict[str, Tensor]:
    """The tensors on the CPU, by the names that they have in the network.

    Raises:
        RunError: if a file is not there, is damaged, or lacks one of them.
    """
    found: dict[str, Tensor] = {}
    for each in inherits:
        try:
            with safe_open(each.file, framework="pt") as file:
                found |= {own: file.get_tensor(name) for own, name in each.names}
        except (OSError, SafetensorError) as error:
            raise RunError(
                f"the shared weights {each.file} cannot be read ({error}); the finished trials are safe. Delete the "
                "file and continue with nas resume: what it lent starts with fresh weights then"
            ) from error
    return found


def inherit(model: torch.nn.Module, weights: Mapping[str, Tensor]) -> float:
    """Copy the weights into the model; the share of its trainable weights that this was, from 0 to 1.

    Raises:
        ValueError: if the model has no tensor of a name, or one of another shape.
    """
    state = model.state_dict()
    for name, tensor in weights.items():
        if name not in state or state[name].shape != tensor.shape:
            has = list(state[name].shape) if name in state else "none"
            raise ValueError(f"the weight {name} of shape {list(tensor.shape)} does not fit: the network has {has}")
        state[name].copy_(tensor)
    trainable = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    return sum(n for name, n in trainable.items() if name in weights) / max(1, sum(trainable.values()))
