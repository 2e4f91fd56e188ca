"""A GPU where there is none: tensors stay in memory but say that they are on one, and meet only their like.

What is put there by ``to``, ``cuda`` or ``device=`` says so, and so does what is computed of it; an operation on both
kinds of tensors fails, as on a real GPU. It finds what was left behind on the CPU and nothing else: arithmetic, memory
and processes are those of the CPU. Tensors that torch makes for itself, as in dropout under ``vmap``, are not
followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

GPU, CPU = torch.device("cuda:0"), torch.device("cpu")
GIB = 2**30
COPIES = ("copy_", "_to_copy", "set_", "_local_scalar_dense")
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index", "_unsafe_index_put")
"""These take places from the CPU too."""

_there: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


@contextmanager
def pretended() -> Iterator[None]:
    """Let ``cuda`` be such a GPU in the block."""
    fork = torch.random.fork_rng
    known = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_properties": lambda *_: SimpleNamespace(total_memory=64 * GIB, major=9, minor=0),
        "mem_get_info": lambda *_: (48 * GIB, 64 * GIB),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: 0,
        "max_memory_allocated": lambda *_: GIB // 16,
        "reset_peak_memory_stats": lambda *_: None,
        "set_per_process_memory_fraction": lambda *_: None,
        "is_bf16_supported": lambda *_: True,
        "current_device": lambda: 0,
    }
    with ExitStack() as stack:
        for name, answer in known.items():
            stack.enter_context(patch.object(torch.cuda, name, answer))
        stack.enter_context(patch.object(torch.random, "fork_rng", lambda devices=(): fork(devices=[])))
        stack.enter_context(_Computed())
        stack.enter_context(_Placed())
        yield


def there(x: Tensor) -> bool:
    """Whether it says that it is on the GPU."""
    storage = _storage(x)
    return storage is not None and storage in _there


def _storage(x: Tensor) -> Any:
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        while torch._C._functorch.is_functorch_wrapped_tensor(x):
            x = torch._C._functorch.get_unwrapped(x)
        try:
            return x.untyped_storage()
        except (NotImplementedError, RuntimeError):  # of sparse tensors
            return None


def _put(x: Any) -> Any:
    for tensor in tree_leaves(x):
        if isinstance(tensor, Tensor) and (storage := _storage(tensor)) is not None:
            _there[storage] = True
    return x


def _moved(x: Tensor, gpu: bool) -> Tensor:
    if there(x) == gpu:
        return x
    if x.requires_grad and torch.is_grad_enabled() and not torch._C._functorch.is_functorch_wrapped_tensor(x):
        out: Tensor = _Move.apply(x, gpu)
        return out
    made = x.clone()
    if gpu:
        return _put(made)
    _there.pop(_storage(made), None)
    return made


def _check(func: Any, tensors: list[Tensor]) -> None:
    if len({there(a) for a in tensors}) > 1:
        where = ", ".join(f"{list(a.shape)} on {'the GPU' if there(a) else 'the CPU'}" for a in tensors)
        raise RuntimeError(f"Expected all tensors to be on the same device: {func} of {where}")


class _Move(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gpu: bool) -> Tensor:
        ctx.gpu = gpu
        return _moved(x.detach(), gpu)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _moved(grads[0], not ctx.gpu), None


class _Computed(TorchDispatchMode):
    """Below autograd: what meets in an operation, and where its results are."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func._schema.name.split("::")[1]
        tensors = [a for a in tree_leaves((args, kwargs)) if isinstance(a, Tensor)]
        if name in INDEXED and there(args[0]):
            tensors = [a for a in tree_leaves((args[0], args[2:])) if isinstance(a, Tensor)]
        if name in COPIES:
            tensors = tensors[:1]
        large = [a for a in tensors if a.dim() > 0]
        _check(func, large)
        out = func(*args, **kwargs)
        return _put(out) if any(there(a) for a in large or tensors) and name != "_local_scalar_dense" else out


class _Placed(TorchFunctionMode):
    """Above autograd: where tensors are put, and what they answer when asked."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return GPU if there(args[0]) else CPU
        if func == Tensor.is_cuda.__get__:  # type: ignore[attr-defined]
            return there(args[0])
        if func is Tensor.numpy and there(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if func in (Tensor.cpu, Tensor.cuda):
            return _moved(args[0], func is Tensor.cuda)
        if func is Tensor.to:
            return _to(*args, **kwargs)
        if func in (torch.cat, torch.stack):  # these take no single number of the CPU either
            _check(func, list(args[0] if args else kwargs["tensors"]))
        if func is torch.nn.functional.one_hot and there(args[0]):  # torch makes the zeros for itself
            return _put(func(_moved(args[0], False), *args[1:], **kwargs))
        if (device := kwargs.get("device")) is not None and torch.device(device).type == "cuda":
            return _put(func(*args, **kwargs | {"device": CPU}))
        tensors = [a for a in args if isinstance(a, Tensor)]
        if any(a.dim() > 0 and there(a) for a in tensors):  # a number comes along, and its gradient goes back
            args = tuple(
                _moved(a, True) if isinstance(a, Tensor) and a.dim() == 0 and a.requires_grad else a for a in args
            )
        out = func(*args, **kwargs)
        like = getattr(func, "__name__", "").startswith("new_") or getattr(func, "__name__", "").endswith("_like")
        return _put(out) if like and device is None and there(args[0]) else out


def _to(x: Tensor, *where: Any, **named: Any) -> Tensor:
    device, dtype = named.get("device"), named.get("dtype")
    for each in where:
        if isinstance(each, Tensor):
            device, dtype = GPU if there(each) else CPU, each.dtype
        elif isinstance(each, torch.dtype):
            dtype = each
        elif isinstance(each, str | torch.device):
            device = each
    if device is not None:
        x = _moved(x, torch.device(device).type == "cuda")
    return x if dtype is None else x.to(dtype)
