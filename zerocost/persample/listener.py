"""Listens for the calls of a network that use a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from nas.zerocost.persample.rows import owner_of
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.uses import CannotSplitError, Convolution, Elementwise, Linear, Use


class _Start(torch.autograd.Function):
    """The same numbers as something to differentiate by, which layers may change in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, anchor: Tensor) -> Tensor:
        return x.detach()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None]:
        return None, None


class Listener(TorchFunctionMode):
    """Takes down every call that gets a parameter, which it replaces by one without a gradient."""

    def __init__(self, model: torch.nn.Module, samples: Samples) -> None:
        super().__init__()
        self.uses: list[Use] = []
        self._samples = samples
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._known: dict[int, tuple[Tensor, tuple[int, Any]]] = {
            id(p): (p, (number, None)) for number, p in enumerate(model.parameters())
        }
        self._claimed: dict[int, list[tuple[int, int]]] = {}
        self._anchor = torch.empty((), requires_grad=True)

    def enter(self, samples: Samples) -> None:
        """What follows is computed on these."""
        self._samples = samples

    def name(self, parameter: Tensor) -> str:
        return self._names[id(parameter)]

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not any(id(value) in self._known for value in (*args, *kwargs.values())):
            return func(*args, **kwargs)
        if func in _VIEWS and id(args[0]) in self._known:
            return self._view(func, args, kwargs)
        if func in _CALLS:
            return _CALLS[func](self, *args, **kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            raise CannotSplitError(f"a parameter is used by {getattr(func, '__name__', func)}")
        return result

    # the calls that are covered

    def linear(self, x: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        out = self._mapped(x, weight, lambda w: F.linear(x, w))
        return out if bias is None else self.add(out, bias)

    def matmul(self, x: Any, weight: Tensor) -> Tensor:
        if id(weight) not in self._known:
            raise CannotSplitError("a parameter is the left side of a product")
        if weight.dim() > 2 and weight.numel() != weight.size(-1) * weight.size(-2):
            raise CannotSplitError("a parameter is a stack of matrices")
        return self._mapped(x, weight, lambda w: x @ w, edges=_heads(weight))

    def add(self, a: Any, b: Any, *, alpha: float = 1) -> Tensor:
        x, weight = (b, a) if id(a) in self._known else (a, b)
        if alpha != 1 or not isinstance(x, Tensor) or id(x) in self._known:
            raise CannotSplitError("a parameter is added to something else than rows")
        out, edge = self._out(x + weight.detach())
        self.uses.append(
            Elementwise(self._claim(weight), edge, owner_of(out, self._samples), self._samples, None, weight.shape)
        )
        return out

    def mul(self, a: Any, b: Any) -> Tensor:
        x, weight = (b, a) if id(a) in self._known else (a, b)
        if not isinstance(x, Tensor) or id(x) in self._known:
            raise CannotSplitError("a parameter is multiplied with something else than rows")
        out, edge = self._out(x * weight.detach())
        self.uses.append(
            Elementwise(
                self._claim(weight), edge, owner_of(out, self._samples), self._samples, x.detach(), weight.shape
            )
        )
        return out

    def batch_norm(
        self,
        input: Tensor,
        mean: Tensor | None,
        var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if training:
            raise CannotSplitError("batch normalisation in training mode ties the samples together")
        out = F.batch_norm(input, mean, var, None, None, False, momentum, eps)
        return self._affine(out, weight, bias, out.dim() - 2)

    def layer_norm(
        self, input: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
    ) -> Tensor:
        return self._affine(F.layer_norm(input, shape, None, None, eps), weight, bias)

    def prelu(self, input: Tensor, weight: Tensor) -> Tensor:
        if weight.numel() != 1:
            raise CannotSplitError("prelu has a slope for every column")
        out, edge = self._out(F.prelu(input, weight.detach()))
        below, owner = input.detach().clamp(max=0), owner_of(out, self._samples)
        self.uses.append(Elementwise(self._claim(weight), edge, owner, self._samples, below, torch.Size([1])))
        return out

    def conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        """As a linear map of patches: ``[items, inputs * kernel, places]``."""
        if groups != 1 or isinstance(padding, str) or input.dim() != 4:
            raise CannotSplitError("a convolution in groups, with padding by name, or of a single image")
        patches = F.unfold(input.detach(), weight.shape[2:], dilation, padding, stride)
        out, edge = self._out(F.conv2d(input, weight.detach(), None, stride, padding, dilation))
        owner = owner_of(out, self._samples).repeat_interleave(patches.size(2))
        x = patches.transpose(1, 2).reshape(len(owner), -1)
        self.uses.append(Convolution(self._claim(weight), edge, owner, self._samples, x))
        return out if bias is None else self.add(out, self._along(bias, 2))

    # how they are taken down

    def _view(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        """A part of a parameter, or the same numbers in another shape."""
        parameter, (number, part) = self._known[id(args[0])]
        view: Tensor = func(parameter, *args[1:], **kwargs)
        if view.untyped_storage().data_ptr() != parameter.untyped_storage().data_ptr():
            raise CannotSplitError("a part of a parameter is copied")
        chosen = (view.storage_offset(), view.numel()) if view.numel() != parameter.numel() else part
        self._known[id(view)] = view, (number, chosen)
        return view

    def _affine(self, out: Tensor, weight: Tensor | None, bias: Tensor | None, places: int = 0) -> Tensor:
        """Scaled and shifted; so many dimensions follow that of the numbers."""
        out = out if weight is None else self.mul(out, self._along(weight, places))
        return out if bias is None else self.add(out, self._along(bias, places))

    def _along(self, parameter: Tensor, places: int) -> Tensor:
        return self._view(Tensor.view, (parameter, -1, *[1] * places), {}) if places > 0 else parameter

    def _mapped(self, x: Any, weight: Tensor, product: Callable[[Tensor], Tensor], edges: int | None = None) -> Tensor:
        if id(x) in self._known:
            raise CannotSplitError("a parameter is multiplied with a parameter")
        out, edge = self._out(product(weight.detach()))
        x = x if hasattr(x, "grouped") else x.detach()
        inputs = x.size(-1)
        owner = owner_of(out, self._samples, edges)
        if hasattr(x, "grouped") and bool((owner.diff() < 0).any()):
            raise CannotSplitError("the rows of a linear map are not in the order of the samples")
        if not hasattr(x, "grouped"):
            x = x.reshape(-1, inputs)
            owner = owner.repeat_interleave(len(x) // len(owner))
        self.uses.append(Linear(self._claim(weight), edge, owner, self._samples, x))
        return out

    def _claim(self, weight: Tensor) -> tuple[int, Any]:
        """Which numbers of which parameter these are; no other call may have used them."""
        if id(weight) not in self._known:
            raise CannotSplitError("a call takes a parameter together with what is none")
        key = self._known[id(weight)][1]
        first = int(weight.storage_offset())
        last = first + sum(int((size - 1) * step) for size, step in zip(weight.shape, weight.stride(), strict=True))
        claimed = self._claimed.setdefault(key[0], [])
        if any(first <= end and begin <= last for begin, end in claimed):
            raise CannotSplitError("a parameter is used twice")
        claimed.append((first, last))
        return key

    def _out(self, out: Tensor) -> tuple[Tensor, GradientEdge]:
        if not out.requires_grad:
            out = _Start.apply(out, self._anchor)  # type: ignore[no-untyped-call]
        return out, get_gradient_edge(out)


def _heads(weight: Tensor) -> int:
    return 1 if weight.dim() == 1 else weight.size(-1)


_VIEWS = {
    *(Tensor.t, Tensor.view, Tensor.reshape, Tensor.unsqueeze, Tensor.squeeze, Tensor.transpose, Tensor.flatten),
    *(Tensor.__getitem__, Tensor.contiguous, torch.t, torch.transpose, torch.unsqueeze, torch.squeeze, torch.flatten),
    *(Tensor.T.__get__, Tensor.mT.__get__),  # type: ignore[attr-defined]
}

_CALLS: dict[Any, Callable[..., Tensor]] = {
    F.linear: Listener.linear,
    **dict.fromkeys((torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__), Listener.matmul),
    **dict.fromkeys((torch.add, Tensor.add, Tensor.__add__), Listener.add),
    Tensor.__radd__: Listener.add,
    **dict.fromkeys((torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__), Listener.mul),
    F.batch_norm: Listener.batch_norm,
    F.layer_norm: Listener.layer_norm,
    **dict.fromkeys((F.prelu, torch.prelu), Listener.prelu),
    **dict.fromkeys((F.conv2d, torch.conv2d), Listener.conv2d),
}
"""Calls whose gradients by a parameter follow from rows."""
