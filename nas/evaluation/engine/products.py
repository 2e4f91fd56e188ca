"""Sparse products with hand-written gradients: what message passing is made of.

Edges are those of a ``Structure``, sorted by target; a quantity of edges is ``[edges]`` or ``[edges, width]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nas.evaluation.engine.structure import Matrix, Structure

LANES = 8
"""Inner products along edges are slow where the width is no multiple of this."""
BLOCK = 64
"""Columns that a pass over edges takes at once."""
NARROW = 8
"""Up to this width torch's own sparse product is faster than a bag of embeddings."""


def product(matrix: Tensor, x: Tensor) -> Tensor:
    """A sparse CSR matrix times ``[columns, width]``, without a gradient.

    Each row of the matrix is a bag: weighted rows of ``x``, summed by torch's kernel for embeddings, which takes wide
    rows several times faster than the one for sparse matrices.
    """
    x = x.detach().contiguous()  # what asks for a gradient takes the kernel's longer way
    if x.size(1) <= NARROW or x.dtype != torch.float32:
        return matrix @ x
    out: Tensor = torch.embedding_bag(
        x,
        matrix.col_indices(),
        matrix.crow_indices(),
        per_sample_weights=matrix.values(),
        include_last_offset=True,
    )[0]
    return out


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Matrix) -> Tensor:
        ctx.matrix = matrix
        return product(matrix.forward, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return product(ctx.matrix.backward, grads[0]), None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, x: Tensor, structure: Structure) -> Tensor:
        ctx.structure = structure
        ctx.save_for_backward(values, x)
        return product(structure.matrix(values), x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (values, x), structure, grad = ctx.saved_tensors, ctx.structure, grads[0].contiguous()
        wanted_values, wanted_x, _ = ctx.needs_input_grad
        return (
            _dots(structure, grad, x) if wanted_values else None,
            product(structure.transposed(values), grad) if wanted_x else None,
            None,
        )


class _EdgeDot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, structure: Structure) -> Tensor:
        ctx.structure = structure
        ctx.save_for_backward(a, b)
        return _dots(structure, a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (a, b), structure, grad = ctx.saved_tensors, ctx.structure, grads[0].contiguous()
        return product(structure.matrix(grad), b), product(structure.transposed(grad), a), None


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, score: Tensor, structure: Structure) -> Tensor:
        highest = torch.segment_reduce(score, "max", lengths=structure.degree, unsafe=True)
        out = (score - highest.index_select(0, structure.target)).exp_()
        total = structure.into @ out
        out = out.mul_(total.reciprocal_().index_select(0, structure.target))
        ctx.structure = structure
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (out,), structure = ctx.saved_tensors, ctx.structure
        weighted = out * grads[0]
        total = structure.into @ weighted
        return weighted - out * total.index_select(0, structure.target), None


class _AtEdges(torch.autograd.Function):
    """The rows of every edge's target, or of its source."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, structure: Structure, targets: bool) -> Tensor:
        ctx.structure, ctx.targets = structure, targets
        return x.index_select(0, structure.target if targets else structure.source)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return _gathered(ctx.structure.into if ctx.targets else ctx.structure.out_of, grads[0]), None, None


class _Highest(torch.autograd.Function):
    """Where several edges hold the maximum they share its gradient, as ``torch.scatter_reduce`` has it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor | None, x: Tensor, structure: Structure) -> Tensor:
        weights = structure._ones if values is None else values
        out: Tensor = torch.sparse.mm(structure.matrix(weights), x.contiguous(), "amax")
        ctx.structure = structure
        ctx.save_for_backward(values, x, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (values, x, out), structure = ctx.saved_tensors, ctx.structure
        wanted_values, wanted_x, _ = ctx.needs_input_grad
        grad_values = torch.zeros_like(values) if wanted_values else None
        columns = []
        for first in range(0, x.size(1), BLOCK):  # a few columns at a time stay in the cache
            place = slice(first, first + BLOCK)
            at_source = x[:, place].contiguous().index_select(0, structure.source)
            message = at_source if values is None else at_source * values.unsqueeze(1)
            top = out[:, place].contiguous().index_select(0, structure.target)
            held = message.eq(top).view(torch.int8).to(x.dtype)
            share = grads[0][:, place] / product(structure.into, held).clamp_(min=1.0)
            grad = held.mul_(share.index_select(0, structure.target))
            if grad_values is not None:
                grad_values += torch.linalg.vecdot(grad, at_source)
            if wanted_x:
                grad = grad if values is None else grad.mul_(values.unsqueeze(1))
                columns.append(product(structure.out_of, grad))
        return grad_values, torch.cat(columns, dim=1) if wanted_x else None, None


class _Taken(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor) -> Tensor:
        ctx.places, ctx.shape = places, x.shape
        return x.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0].new_zeros(ctx.shape).index_copy_(0, ctx.places, grads[0]), None


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, structure: Structure) -> Tensor:
        ctx.structure = structure
        return product(structure.into, rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0].index_select(0, ctx.structure.target), None


class _Top(torch.autograd.Function):
    """Where several hold the maximum they share its gradient, as ``torch.scatter_reduce`` has it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, x: Tensor, structure: Structure) -> Tensor:
        arrived: Tensor = torch.sparse.mm(structure.into, rows.contiguous(), "amax")
        out = torch.maximum(arrived, x).where((structure.degree > 0).unsqueeze(1), x)
        ctx.structure = structure
        ctx.save_for_backward(rows, x, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (rows, x, out), structure = ctx.saved_tensors, ctx.structure
        held = rows.eq(out.index_select(0, structure.target)).view(torch.int8).to(x.dtype)
        itself = x.eq(out).view(torch.int8).to(x.dtype)
        share = grads[0] / (product(structure.into, held) + itself)
        return held.mul_(share.index_select(0, structure.target)), itself.mul_(share), None


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.from_numpy(np.tanh(x.detach().numpy()))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (out,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grads[0], out)


def propagate(matrix: Matrix, x: Tensor) -> Tensor:
    """A constant matrix times ``[nodes, width]``."""
    out: Tensor = _Propagate.apply(x, matrix)  # type: ignore[no-untyped-call]
    return out


def weighted_sum(structure: Structure, values: Tensor, x: Tensor) -> Tensor:
    """Row i is the sum of ``values[e] * x[source(e)]`` over the edges into i, ``[nodes, width]``."""
    out: Tensor = _WeightedSum.apply(values.contiguous(), x, structure)  # type: ignore[no-untyped-call]
    return out


def edge_dot(structure: Structure, a: Tensor, b: Tensor) -> Tensor:
    """``a[target(e)] . b[source(e)]`` of every edge, ``[edges]``."""
    out: Tensor = _EdgeDot.apply(a, b, structure)  # type: ignore[no-untyped-call]
    return out


def softmax(structure: Structure, score: Tensor) -> Tensor:
    """Softmax over the edges into each node, ``[edges]``."""
    out: Tensor = _Softmax.apply(score, structure)  # type: ignore[no-untyped-call]
    return out


def at_targets(structure: Structure, x: Tensor) -> Tensor:
    """``x[target(e)]`` of every edge."""
    out: Tensor = _AtEdges.apply(x, structure, True)  # type: ignore[no-untyped-call]
    return out


def at_sources(structure: Structure, x: Tensor) -> Tensor:
    """``x[source(e)]`` of every edge."""
    out: Tensor = _AtEdges.apply(x, structure, False)  # type: ignore[no-untyped-call]
    return out


def highest(structure: Structure, x: Tensor, values: Tensor | None = None) -> Tensor:
    """Row i is the largest ``values[e] * x[source(e)]`` over the edges into i, column by column; zero without edges."""
    out: Tensor = _Highest.apply(values, x, structure)  # type: ignore[no-untyped-call]
    return out


def summed(structure: Structure, rows: Tensor) -> Tensor:
    """Row i is the sum of the rows ``[edges, width]`` of the edges into i."""
    out: Tensor = _Summed.apply(rows, structure)  # type: ignore[no-untyped-call]
    return out


def top(structure: Structure, rows: Tensor, x: Tensor) -> Tensor:
    """Row i is the largest of ``x[i]`` and the rows ``[edges, width]`` of the edges into i, column by column."""
    out: Tensor = _Top.apply(rows, x, structure)  # type: ignore[no-untyped-call]
    return out


def taken(x: Tensor, places: Tensor) -> Tensor:
    """The rows at these places, which are all different."""
    out: Tensor = _Taken.apply(x, places)  # type: ignore[no-untyped-call]
    return out


def tanh(x: Tensor) -> Tensor:
    """``torch.tanh``, several times faster on a CPU."""
    out: Tensor = _Tanh.apply(x)  # type: ignore[no-untyped-call]
    return out


def _dots(structure: Structure, a: Tensor, b: Tensor) -> Tensor:
    if len(structure.source) > structure.nodes**2:  # repeated edges: no pattern of a matrix has as many entries
        return (a.index_select(0, structure.target) * b.index_select(0, structure.source)).sum(1)
    pattern = structure.matrix(structure._ones)
    if spare := -a.size(1) % LANES:
        a, b = F.pad(a, (0, spare)), F.pad(b, (0, spare))
    dots: Tensor = torch.sparse.sampled_addmm(pattern, a.contiguous(), b.contiguous().t(), beta=0.0).values()
    return dots


def _gathered(sums: Tensor, grad: Tensor) -> Tensor:
    return product(sums, grad) if grad.dim() == 2 else sums @ grad.contiguous()
