"""The gradients of every sample apart, from one forward and one backward pass.

The samples lie side by side without links between them (``nas.zerocost.egonets``), so each row of an activation belongs
to one sample, and the gradient of sample i by a linear map is X_i^T delta_i: its input rows times the gradients of its
output rows. A mode listens for the calls that use a parameter; whatever such a call is, it is known how its gradient
follows from the rows, or the network is refused and ``by_item`` takes the slow way: a backward pass per sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from nas.searchspace.task import Batch, Task
from nas.zerocost.egonets import Samples, samples
from nas.zerocost.items import Items
from nas.zerocost.receptive import hops, hops_of

BLOCK = 64
"""Columns whose per-sample gradients exist at a time."""
SMALL = 4_000_000
"""Numbers up to which the gradients of all samples are made at once."""

PerSample = Callable[[Tensor, Samples], Tensor]
"""From the outputs of the samples, ``[samples, outputs]``, to ``[samples]``: what is differentiated."""


class CannotSplitError(Exception):
    """The samples' gradients cannot be told apart in one pass; the message says why."""


@dataclass(eq=False)
class Use:
    """A call that used a parameter.

    Attributes:
        parameter: number of the parameter, and which part of it.
        out: what the call returned; its gradient is ``delta``.
        owner: ``[rows]``, the sample of each row of ``out``, ascending; ``len(samples)`` marks rows of none.
        samples: all of them.
    """

    parameter: tuple[int, Any]
    out: Tensor
    owner: Tensor
    samples: Samples

    def signs(self, delta: Tensor) -> Tensor:
        """The sum over the samples of the signs of their gradients, in any order of the parameter's numbers."""
        raise NotImplementedError

    def jacobian(self, delta: Tensor, most: int | None = None) -> Tensor:
        """``[samples, numbers]``: the gradient of every sample.

        Args:
            most: so many numbers at most for a matrix, whose gradient is then seen through random directions of its
                outputs: inner products keep their expectation (Johnson and Lindenstrauss, 1984).
        """
        raise NotImplementedError


@dataclass(eq=False)
class Linear(Use):
    """``x @ W``: X_i^T delta_i. ``x`` is ``[rows, inputs]``, maybe sparse features, which are summed by sample."""

    x: Any

    def signs(self, delta: Tensor) -> Tensor:
        delta = delta.reshape(len(self.owner), -1)
        if hasattr(self.x, "grouped"):
            matrix, feature, _ = self.samples.grouped
            total = delta.new_zeros(self.x.size(1), delta.size(1))
            for first in range(0, delta.size(1), BLOCK):
                part = torch.sparse.mm(matrix, delta[:, first : first + BLOCK].contiguous())
                sums = _sums(feature, self.x.size(1), part.sign_())
                total[:, first : first + BLOCK] = sums
            return total
        total = delta.new_zeros(self.x.size(1), delta.size(1))
        for x, d in self._by_sample(delta):
            total += (x.t() @ d).sign_()
        return total

    def jacobian(self, delta: Tensor, most: int | None = None) -> Tensor:
        delta = delta.reshape(len(self.owner), -1)
        if most is not None and self.x.size(1) * delta.size(1) > most:
            delta = delta @ _directions(delta, max(1, most // self.x.size(1)))
        if hasattr(self.x, "grouped"):
            matrix, feature, sample = self.samples.grouped
            made = delta.new_zeros(len(self.samples), self.x.size(1), delta.size(1))
            made[sample, feature] = torch.sparse.mm(matrix, delta)
            return made.flatten(1)
        made = delta.new_zeros(len(self.samples), self.x.size(1), delta.size(1))
        for place, (x, d) in enumerate(self._by_sample(delta)):
            torch.mm(x.t(), d, out=made[place])
        return made.flatten(1)

    def _by_sample(self, delta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and gradients of each sample's rows; most rows have no effect and are left out."""
        rows = delta.ne(0).any(1).nonzero()[:, 0]
        x, delta = self.x.index_select(0, rows), delta.index_select(0, rows)
        numbers = torch.arange(len(self.samples) + 1, device=delta.device)
        ends = torch.searchsorted(self.owner.index_select(0, rows), numbers).tolist()
        for begin, end in pairwise(ends):
            yield x[begin:end], delta[begin:end]


@dataclass(eq=False)
class Elementwise(Use):
    """``x * w`` or, without ``x``, ``... + w``: the sum over the rows of delta * x, to the shape of ``w``."""

    x: Tensor | None
    shape: torch.Size

    def signs(self, delta: Tensor) -> Tensor:
        return self.jacobian(delta).sign_().sum(0)

    def jacobian(self, delta: Tensor, most: int | None = None) -> Tensor:
        rows = delta if self.x is None else delta * self.x
        if len(rows) == 1 != len(self.owner):  # a stack of one
            rows = rows[0]
        aligned = [*[1] * (rows.dim() - len(self.shape)), *self.shape][-rows.dim() :]
        if aligned[0] != 1:
            raise CannotSplitError("a parameter has numbers of its own for every row")
        shared = [d for d in range(1, rows.dim()) if aligned[d] == 1 and rows.size(d) > 1]
        rows = rows.sum(shared) if shared else rows
        return _sums(self.owner, len(self.samples) + 1, rows.reshape(len(rows), -1))[: len(self.samples)]


def _directions(delta: Tensor, number: int) -> Tensor:
    """``[outputs, number]`` random signs, the same for all samples and passes, of length one."""
    signs = torch.randint(2, (delta.size(1), number), generator=torch.Generator().manual_seed(number)) * 2 - 1
    return signs.to(delta) / number**0.5


def _sums(group: Tensor, groups: int, rows: Tensor) -> Tensor:
    return rows.new_zeros(groups, rows.size(1)).index_add_(0, group, rows)


def uses(model: torch.nn.Module, samples: Samples, scalar: PerSample) -> list[tuple[Use, Tensor]]:
    """Every use of a parameter and the gradient of what it returned, of the sum of ``scalar`` over the samples.

    Uses whose output has no effect are left out. The model is in inference mode.

    Raises:
        CannotSplitError: if a parameter is used in a way that is not covered, or more than once.
    """
    listener = _Listener(model, samples)
    with _plain_torch_layers(model), torch.enable_grad():
        with listener:
            out = model(*samples.arguments)
        out = out if samples.scored is None else out[samples.scored]
        total = scalar(out, samples).sum()
        parameters = [p for p in model.parameters() if p.requires_grad]
        outs = [use.out for use in listener.uses]
        if not total.requires_grad:
            return []
        grads = torch.autograd.grad(total, [*outs, *parameters], allow_unused=True)
    if missed := [p for p, g in zip(parameters, grads[len(outs) :], strict=True) if g is not None]:
        raise CannotSplitError(f"{listener.name(missed[0])} is used in a way that is not covered")
    return [(use, grad) for use, grad in zip(listener.uses, grads, strict=False) if grad is not None]


@contextmanager
def _plain_torch_layers(model: torch.nn.Module) -> Iterator[None]:
    """Torch's own layers compute as torch wrote them, so that their use of parameters is heard."""
    replaced = [m for m in model.modules() if "forward" in vars(m) and type(m).__module__.startswith("torch.")]
    forwards = [vars(m).pop("forward") for m in replaced]
    try:
        yield
    finally:
        for m, forward in zip(replaced, forwards, strict=True):
            vars(m)["forward"] = forward


class _Listener(TorchFunctionMode):
    """Takes down every call that gets a parameter, which it replaces by one without a gradient."""

    def __init__(self, model: torch.nn.Module, samples: Samples) -> None:
        super().__init__()
        self.uses: list[Use] = []
        self._samples = samples
        self._names = {id(p): name for name, p in model.named_parameters()}
        self._known: dict[int, tuple[Tensor, tuple[int, Any]]] = {
            id(p): (p, (number, None)) for number, p in enumerate(model.parameters())
        }
        self._used: set[tuple[int, Any]] = set()

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
        return self._mapped(x, weight, lambda w: x @ w, edges=_heads(weight))

    def add(self, a: Any, b: Any, *, alpha: float = 1) -> Tensor:
        x, weight = (b, a) if id(a) in self._known else (a, b)
        if alpha != 1 or not isinstance(x, Tensor) or id(x) in self._known:
            raise CannotSplitError("a parameter is added to something else than rows")
        out = self._out(x + weight.detach())
        self._note(Elementwise(self._key(weight), out, self._owner(out), self._samples, None, weight.shape))
        return out

    def mul(self, a: Any, b: Any) -> Tensor:
        x, weight = (b, a) if id(a) in self._known else (a, b)
        if not isinstance(x, Tensor) or id(x) in self._known:
            raise CannotSplitError("a parameter is multiplied with something else than rows")
        out = self._out(x * weight.detach())
        self._note(Elementwise(self._key(weight), out, self._owner(out), self._samples, x.detach(), weight.shape))
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
        return self._affine(out, weight, bias)

    def layer_norm(
        self, input: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
    ) -> Tensor:
        return self._affine(F.layer_norm(input, shape, None, None, eps), weight, bias)

    def prelu(self, input: Tensor, weight: Tensor) -> Tensor:
        if weight.numel() != 1:
            raise CannotSplitError("prelu has a slope for every column")
        out = self._out(F.prelu(input, weight.detach()))
        below = input.detach().clamp(max=0)
        self._note(Elementwise(self._key(weight), out, self._owner(out), self._samples, below, torch.Size([1])))
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
        if groups != 1 or isinstance(padding, str):
            raise CannotSplitError("a convolution in groups, or with padding by name")
        size = weight.shape[2:]
        patches = F.unfold(input.detach(), size, dilation, padding, stride)
        out = self._out(F.conv2d(input, weight.detach(), None, stride, padding, dilation))
        rows = out.flatten(2).transpose(1, 2)  # of the same numbers, so that their gradients are the rows' too
        out = rows.transpose(1, 2).reshape(out.shape)
        owner = self._owner(rows).repeat_interleave(rows.size(1))
        x = patches.transpose(1, 2).reshape(len(owner), -1)
        self._note(Linear(self._key(weight), rows, owner, self._samples, x))
        return out if bias is None else self.add(out, bias.view(-1, 1, 1))

    # how they are taken down

    def _view(self, func: Any, args: Any, kwargs: Any) -> Tensor:
        """A part of a parameter, or the same numbers in another shape."""
        parameter, (number, part) = self._known[id(args[0])]
        view: Tensor = func(parameter.detach(), *args[1:], **kwargs)
        view = view if view is not parameter else view.view_as(view)
        chosen = (view.storage_offset(), view.numel()) if view.numel() != parameter.numel() else part
        self._known[id(view)] = view, (number, chosen)
        return view

    def _affine(self, out: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        out = out if weight is None else self.mul(out, weight)
        return out if bias is None else self.add(out, bias)

    def _mapped(self, x: Any, weight: Tensor, product: Callable[[Tensor], Tensor], edges: int | None = None) -> Tensor:
        if id(x) in self._known:
            raise CannotSplitError("a parameter is multiplied with a parameter")
        out = self._out(product(weight.detach()))
        x = x if hasattr(x, "grouped") else x.detach()
        inputs = x.size(-1)
        owner = self._owner(out, edges)
        if not hasattr(x, "grouped"):
            x = x.reshape(-1, inputs)
            owner = owner.repeat_interleave(len(x) // len(owner))
        self._note(Linear(self._key(weight), out, owner, self._samples, x))
        return out

    def _key(self, weight: Tensor) -> tuple[int, Any]:
        return self._known[id(weight)][1]

    def _out(self, out: Tensor) -> Tensor:
        return out if out.requires_grad else out.requires_grad_()

    def _note(self, use: Use) -> None:
        if use.parameter in self._used:
            raise CannotSplitError("a parameter is used twice")
        self._used.add(use.parameter)
        self.uses.append(use)

    def _owner(self, out: Tensor, heads: int | None = None) -> Tensor:
        """The sample of each row of ``out``, which are nodes, nodes and a spare one, graphs, or edges."""
        count, samples = out.size(0), self._samples
        if out.dim() == 3 and count == 1:  # a stack of one
            count = out.size(1)
        found = [make(samples) for rows, make in _ROWS if rows(samples) == count]
        if samples.graph is not None and heads is not None and not found:
            found = [e.repeat_interleave(heads) for e in _prepared_edges(samples) if len(e) * heads == count]
        if not found and count % len(samples.node) == 0 and out.dim() == 2:  # heads below each other
            found = [samples.node.repeat_interleave(count // len(samples.node))]
        if any(len(f) != len(found[0]) or not torch.equal(f, found[0]) for f in found[1:]) or not found:
            raise CannotSplitError(f"it is not known which samples {count} rows belong to")
        return found[0]


def _heads(weight: Tensor) -> int:
    return 1 if weight.dim() == 1 else weight.size(-1)


def _prepared_edges(samples: Samples) -> list[Tensor]:
    """The samples of the edges of prepared graphs, which are sorted by target, with self-loops and without."""
    return [samples.node.index_select(0, samples.graph.structure(loops).target) for loops in ("plain", "looped")]


def _spare(samples: Samples) -> Tensor:
    return torch.cat([samples.node, samples.node.new_tensor([len(samples)])])


def _edges(samples: Samples) -> Tensor:
    return samples.node[samples.edge_index[1]]


def _links(samples: Samples) -> Tensor:
    """Edges that are no self-loops."""
    return samples.edge_index[:, samples.edge_index[0] != samples.edge_index[1]]


_ROWS: list[tuple[Callable[[Samples], int], Callable[[Samples], Tensor]]] = [
    (lambda s: len(s.node), lambda s: s.node),
    (lambda s: len(s.node) + 1, _spare),
    (lambda s: len(s) if s.scored is None else -1, lambda s: torch.arange(len(s), device=s.node.device)),
    (lambda s: s.edge_index.size(1), _edges),
    (lambda s: _links(s).size(1) + len(s.node), lambda s: torch.cat([s.node[_links(s)[1]], s.node])),
    (lambda s: s.edge_index.size(1) + len(s.node) + 1, lambda s: torch.cat([_edges(s), _spare(s)])),
]
"""What rows there may be: how many, and the sample of each."""

_VIEWS = {
    *(Tensor.t, Tensor.view, Tensor.reshape, Tensor.unsqueeze, Tensor.squeeze, Tensor.transpose, Tensor.flatten),
    *(Tensor.__getitem__, Tensor.contiguous, torch.t, torch.transpose, torch.unsqueeze, torch.squeeze, torch.flatten),
    *(Tensor.T.__get__, Tensor.mT.__get__),  # type: ignore[attr-defined]
}

_CALLS: dict[Any, Callable[..., Tensor]] = {
    F.linear: _Listener.linear,
    **dict.fromkeys((torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__), _Listener.matmul),
    **dict.fromkeys((torch.add, Tensor.add, Tensor.add_, Tensor.__add__), _Listener.add),
    **dict.fromkeys((Tensor.__radd__, Tensor.__iadd__), _Listener.add),
    **dict.fromkeys((torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__), _Listener.mul),
    F.batch_norm: _Listener.batch_norm,
    F.layer_norm: _Listener.layer_norm,
    **dict.fromkeys((F.prelu, torch.prelu), _Listener.prelu),
    **dict.fromkeys((F.conv2d, torch.conv2d), _Listener.conv2d),
}
"""Calls whose gradients by a parameter follow from rows."""


def unions(model: torch.nn.Module, task: Task, items: Items) -> Iterator[Samples]:
    """The items, each with what this network hears of.

    Raises:
        CannotSplitError: if it is not known how far it hears.
    """
    far = hops(model)
    if far is None:
        raise CannotSplitError("a layer of the network is not known")
    prepared = all(hasattr(batch.edge_index, "copies") for batch in task.batches(items.split))
    prepared = prepared and all("forward" in vars(layer) for layer in model.modules() if hops_of(layer))
    return samples(task, items, 0 if task.level == "graph" else far, prepared)


def by_item(
    model: torch.nn.Module, task: Task, batch: Batch, where: Tensor, scalar: Callable[[Tensor, Tensor], Tensor]
) -> Iterator[list[Tensor | None]]:
    """The slow way: one forward pass, then the gradients of each item's scalar by all trainable parameters.

    Args:
        where: ``[items]``, positions in the batch's ``y``.
        scalar: from outputs and targets of the items to ``[items]``.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    with torch.enable_grad():
        out = model(*batch.arguments(task.inputs))
        out = out if batch.index is None else out[batch.index]
        each = scalar(out[where], batch.y[where])
        for one in each:
            yield list(torch.autograd.grad(one, parameters, retain_graph=True, allow_unused=True))
