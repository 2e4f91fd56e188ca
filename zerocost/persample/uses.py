"""How the gradient of every sample by a parameter follows from the rows of a call that used it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from nas.zerocost.persample.samples import Samples

BLOCK = 64
"""Columns whose per-sample gradients exist at a time."""


class CannotSplitError(Exception):
    """The samples' gradients cannot be told apart in one pass; the message says why."""


@dataclass(eq=False)
class Use:
    """A call that used a parameter.

    Attributes:
        parameter: number of the parameter, and which part of it.
        edge: where the gradient of what the call returned, ``delta``, passes by, whatever is done to it in place later.
        owner: ``[rows]``, the sample of each row of it; ``samples.apart`` marks rows of none.
        samples: all of them.
    """

    parameter: tuple[int, Any]
    edge: GradientEdge
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
        delta = self._rows(delta)
        if hasattr(self.x, "grouped"):
            summed, feature, _ = self.samples.grouped
            total = delta.new_zeros(self.x.size(1), delta.size(1))
            for first in range(0, delta.size(1), BLOCK):
                part = summed(delta[:, first : first + BLOCK])
                sums = _sums(feature, self.x.size(1), part.sign_())
                total[:, first : first + BLOCK] = sums
            return total
        total = delta.new_zeros(self.x.size(1), delta.size(1))
        for x, d in self._by_sample(delta):
            total += (x.t() @ d).sign_()
        return total

    def jacobian(self, delta: Tensor, most: int | None = None) -> Tensor:
        delta = self._rows(delta)
        if most is not None and self.x.size(1) * delta.size(1) > most:
            delta = delta @ _directions(delta, max(1, most // self.x.size(1)))
        if hasattr(self.x, "grouped"):
            summed, feature, sample = self.samples.grouped
            made = delta.new_zeros(self.samples.apart, self.x.size(1), delta.size(1))
            made[sample, feature] = summed(delta)
            return made.flatten(1)
        made = delta.new_zeros(self.samples.apart, self.x.size(1), delta.size(1))
        for place, (x, d) in enumerate(self._by_sample(delta)):
            torch.mm(x.t(), d, out=made[place])
        return made.flatten(1)

    def _rows(self, delta: Tensor) -> Tensor:
        return delta.reshape(len(self.owner), -1)

    def _by_sample(self, delta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and gradients of each sample's rows; most rows have no effect and are left out."""
        rows = delta.ne(0).any(1).nonzero()[:, 0]
        if bool((self.owner.diff() < 0).any()):  # self-loops behind all other edges
            rows = rows[self.owner.index_select(0, rows).argsort(stable=True)]
        x, delta = self.x.index_select(0, rows), delta.index_select(0, rows)
        numbers = torch.arange(self.samples.apart + 1, device=delta.device)
        ends = torch.searchsorted(self.owner.index_select(0, rows), numbers).tolist()
        for begin, end in pairwise(ends):
            yield x[begin:end], delta[begin:end]


class Convolution(Linear):
    """A linear map of patches, whose output is ``[items, outputs, *places]``."""

    def _rows(self, delta: Tensor) -> Tensor:
        return super()._rows(delta.flatten(2).transpose(1, 2))


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
        return _sums(self.owner, self.samples.apart + 1, rows.reshape(len(rows), -1))[: self.samples.apart]


def _directions(delta: Tensor, number: int) -> Tensor:
    """``[outputs, number]`` random signs, the same for all samples and passes, of length one."""
    signs = torch.randint(2, (delta.size(1), number), generator=torch.Generator().manual_seed(number)) * 2 - 1
    scaled: Tensor = signs.to(delta) / number**0.5
    return scaled


def _sums(group: Tensor, groups: int, rows: Tensor) -> Tensor:
    return rows.new_zeros(groups, rows.size(1)).index_add_(0, group, rows)
