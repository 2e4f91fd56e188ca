"""What enters and leaves the activation functions and the layers of a network while it computes."""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nas.zerocost.persample.receptive import hops_of


class Listening(TorchFunctionMode):
    """While a block runs, takes down the activation functions and the layers of a network, in the order of the calls.

    What layers that pass messages or pool compute inside is left out: it is their own, and a layer that computes on
    prepared edges does it in another order.

    Attributes:
        activations: what entered and what left each activation function.
        layers: the linear maps and message-passing layers, what entered and what left them.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.activations: list[tuple[Tensor, Tensor]] = []
        self.layers: list[tuple[torch.nn.Module, Any, Tensor]] = []
        self._model, self._depth, self._handles = model, 0, list[Any]()

    @property
    def inside(self) -> bool:
        """Whether it is a layer that computes, and not the network itself."""
        return self._depth > 0

    def __enter__(self) -> Self:
        for m in self._model.modules():
            if _closed(m):
                self._handles.append(m.register_forward_pre_hook(self._entered))
                self._handles.append(m.register_forward_hook(self.left))
            elif isinstance(m, torch.nn.Linear):
                self._handles.append(m.register_forward_hook(self._mapped))
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        return self.activated(args[0], out) if func in ACTIVATIONS and not self.inside else out

    def activated(self, x: Tensor, out: Tensor) -> Tensor:
        """What an activation function is to return for ``x`` in the place of ``out``."""
        self.activations.append((x, out))
        return out

    def _entered(self, module: torch.nn.Module, inputs: Any) -> None:
        self._depth += 1

    def left(self, module: torch.nn.Module, inputs: Any, out: Tensor) -> Tensor:
        """What a layer or an activation function is to return in the place of ``out``."""
        self._depth -= 1
        if self.inside:
            return out
        if _activation(module):
            return self.activated(inputs[0], out)
        if hops_of(module):
            self.layers.append((module, inputs[0], out))
        return out

    def _mapped(self, module: torch.nn.Module, inputs: Any, out: Tensor) -> None:
        if not self.inside:
            self.layers.append((module, inputs[0], out))


ACTIVATIONS = {
    *(F.relu, F.elu, F.leaky_relu, F.relu6, F.softplus, F.sigmoid, F.tanh, F.gelu, F.silu, F.prelu, F.selu, F.mish),
    *(torch.relu, torch.sigmoid, torch.tanh, torch.prelu, torch.selu),
    *(Tensor.relu, Tensor.sigmoid, Tensor.tanh),
}
"""Elementwise functions with which networks are written."""


def _closed(module: torch.nn.Module) -> bool:
    """Whether what the module calls is its own business."""
    return _activation(module) or bool(hops_of(module)) or type(module).__module__.startswith("torch_geometric.")


def _activation(module: torch.nn.Module) -> bool:
    return type(module).__module__ == torch.nn.PReLU.__module__
