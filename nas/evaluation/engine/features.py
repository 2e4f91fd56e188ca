"""Features that are mostly zeros, kept sparse through unmodified modules.

A bag-of-words matrix holds one to ten per cent of its entries. The subclass answers dropout and linear maps from the
stored values, forward and backward, and turns dense for every other call, so no operator's author has to know of it.
Dropout draws random numbers for the stored values only: the same distribution, since a zero stays a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.evaluation.engine.products import product

DENSEST = 0.12
"""Share of stored values above which the dense matrix is as fast."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the stored values are: by row, and by column through ``order``. All int32."""

    shape: tuple[int, int]
    row_start: Tensor
    column: Tensor
    row: Tensor
    column_start: Tensor
    row_by_column: Tensor
    order: Tensor


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, layout: Layout) -> Tensor:
        ctx.layout = layout
        ctx.save_for_backward(values)
        matrix = torch.sparse_csr_tensor(layout.row_start, layout.column, values, layout.shape, check_invariants=False)
        return product(matrix, weight.t())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor, None]:
        (values,), layout = ctx.saved_tensors, ctx.layout
        transposed = torch.sparse_csr_tensor(
            layout.column_start,
            layout.row_by_column,
            values.index_select(0, layout.order),
            layout.shape[::-1],
            check_invariants=False,
        )
        return None, product(transposed, grads[0]).t(), None


class SparseFeatures(Tensor):
    """``[nodes, features]`` with only some values stored; no gradient flows into it."""

    values_stored: Tensor
    layout_of: Layout
    _dense: Tensor | None

    @staticmethod
    def of(x: Tensor) -> SparseFeatures:
        """The same features, of a dense matrix on the CPU."""
        by_row, by_column = x.to_sparse_csr(), x.t().contiguous().to_sparse_csr()
        row_start, column = by_row.crow_indices(), by_row.col_indices()
        row = torch.repeat_interleave(torch.arange(len(x)), row_start.diff())
        order = torch.argsort(column * len(x) + row)
        indices = (row_start, column, row, by_column.crow_indices(), by_column.col_indices(), order)
        layout = Layout((x.size(0), x.size(1)), *(index.int() for index in indices))
        return SparseFeatures._make(by_row.values(), layout, x)

    def with_values(self, values: Tensor) -> SparseFeatures:
        """Other numbers at the same places."""
        return SparseFeatures._make(values, self.layout_of)

    def rows(self, chosen: Tensor) -> SparseFeatures:
        """The rows ``chosen``, ``[rows]`` int64, in that order."""
        of = self.layout_of
        start, end = of.row_start[chosen], of.row_start[chosen + 1]
        row_start = torch.cat([start.new_zeros(1), (end - start).cumsum(0, dtype=torch.int32)])
        row = torch.repeat_interleave(torch.arange(len(chosen), dtype=torch.int32), end - start)
        entry = torch.arange(len(row), dtype=torch.int32) + (start - row_start[:-1]).index_select(0, row)
        column = of.column.index_select(0, entry)
        by_column, order = column.sort(stable=True)
        column_start = torch.searchsorted(by_column, torch.arange(of.shape[1] + 1)).int()
        row_by_column = row.index_select(0, order)
        layout = Layout((len(chosen), of.shape[1]), row_start, column, row, column_start, row_by_column, order.int())
        return SparseFeatures._make(self.values_stored.index_select(0, entry), layout)

    def grouped(self, group: Tensor, groups: int) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor]:
        """What sums rows by group: ``sums(y)`` is ``x[rows of g].T @ y[rows of g]`` for each group g, one over the
        other, without the rows that are zero.

        Args:
            group: ``[rows]`` int64, ascending.

        Returns: ``sums``, from ``[rows, width]`` to ``[pairs, width]``, and the feature and the group of each pair, the
            feature ascending.
        """
        of = self.layout_of
        feature = torch.repeat_interleave(torch.arange(of.shape[1]), of.column_start.diff().long())
        key = feature * groups + group.index_select(0, of.row_by_column)
        pair, number = torch.unique_consecutive(key, return_counts=True)
        start = torch.cat([number.new_zeros(1), number.cumsum(0)]).int()
        values = self.values_stored.index_select(0, of.order)
        size = (len(pair), of.shape[0])
        matrix = torch.sparse_csr_tensor(start, of.row_by_column, values, size, check_invariants=False)
        return partial(product, matrix), pair.div(groups, rounding_mode="floor"), pair.remainder(groups)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return SparseFeatures._make, (self.values_stored, self.layout_of, self._dense)

    @staticmethod
    def _make(values: Tensor, layout: Layout, dense: Tensor | None = None) -> SparseFeatures:
        made: SparseFeatures = Tensor._make_wrapper_subclass(
            SparseFeatures, layout.shape, dtype=values.dtype, device=values.device
        )
        made.values_stored, made.layout_of, made._dense = values, layout, dense
        return made

    def dense(self) -> Tensor:
        """The ordinary tensor, made once."""
        if self._dense is None:
            dense = torch.zeros(self.layout_of.shape, dtype=self.values_stored.dtype)
            dense[self.layout_of.row.long(), self.layout_of.column.long()] = self.values_stored
            self._dense = dense
        return self._dense

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            return _dropout(*args, **kwargs)
        if func is F.linear and isinstance(kwargs.get("input", *args[:1]), cls):
            return _linear(*args, **kwargs)
        if func in _QUESTIONS:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        return func(*map(_densified, args), **{name: _densified(value) for name, value in kwargs.items()})

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return func(*map(_densified, args), **{name: _densified(value) for name, value in (kwargs or {}).items()})


_QUESTIONS = {
    Tensor.size,
    Tensor.dim,
    Tensor.numel,
    Tensor.shape.__get__,  # type: ignore[attr-defined]
    Tensor.ndim.__get__,  # type: ignore[attr-defined]
    Tensor.device.__get__,
    Tensor.dtype.__get__,  # type: ignore[attr-defined]
    Tensor.layout.__get__,  # type: ignore[attr-defined]
    Tensor.is_sparse.__get__,  # type: ignore[attr-defined]
    Tensor.is_cuda.__get__,  # type: ignore[attr-defined]
    Tensor.requires_grad.__get__,  # type: ignore[attr-defined]
    Tensor.__len__,
}
"""Calls that ask about the tensor and not for its numbers."""


def _dropout(input: SparseFeatures, p: float = 0.5, training: bool = True, inplace: bool = False) -> SparseFeatures:
    if not training or p == 0:
        return input
    return input.with_values(F.dropout(input.values_stored, p, True))


def _linear(input: SparseFeatures, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    out: Tensor = _Linear.apply(input.values_stored, weight, input.layout_of)  # type: ignore[no-untyped-call]
    return out if bias is None else out + bias


def _densified(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(map(_densified, value))
    return plain(value)


def plain(x: Any) -> Any:
    """Sparse features as an ordinary tensor; anything else as it is."""
    return x.dense() if isinstance(x, SparseFeatures) else x
