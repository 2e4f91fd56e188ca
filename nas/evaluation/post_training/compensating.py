"""Trained weights in few bits whose errors make up for each other, so that a layer says what it said.

Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", ICLR 2023: what a linear map reads is known, so its inputs are rounded one after the other, and the
weights of those that are left take over as much of each error as they can.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from functools import cached_property, partial

import torch
import torch_geometric
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from nas.evaluation.post_training.hearing import hear
from nas.searchspace.layers.quantised import SMALLEST, described
from nas.searchspace.task import Task

DAMPING = 0.01
"""Of the mean square of the inputs, added to each."""
WIDEST = 12_000
"""Maps that read more numbers are rounded without compensation: what is kept of them grows with the square."""
BLOCK = 128
"""Inputs whose errors are handed on at once."""
POWER = 6
"""Of errors, where the level of one or two bits is chosen: few of the largest weights matter more than most others."""
LEVELS = 50


class Compensating:
    """Rounds the weights of a trained network.

    Args:
        model: the network, on the device of the task.
        task: what its linear maps read is taken from the training split.
    """

    def __init__(self, model: torch.nn.Module, task: Task) -> None:
        self._read = read(model, task)
        self._known: dict[tuple[str, str], Tensor] = {}

    def rounded(self, name: str, weight: Tensor, format: str) -> Tensor:
        """The weight with the values that the format can have, so that rounding it again changes nothing.

        Where nothing is known of what it reads only its levels are chosen; a format with affine codes is left alone.

        Args:
            name: of the parameter in the network.
            weight: with two dimensions or more, the first that of what comes out.
        """
        if (name, format) not in self._known:
            self._known[name, format] = self._rounded(name, weight, format)
        return self._known[name, format]

    @property
    def bytes(self) -> int:
        """Held for this network alone: rounded weights and what its maps read, but for the features of the graph."""
        shared = {id(inputs) for inputs in _features.values()}
        own = [inputs.squares for inputs in self._read.values() if id(inputs) not in shared]
        return sum(tensor.numel() * tensor.element_size() for tensor in (*self._known.values(), *own, *own))

    def _rounded(self, name: str, weight: Tensor, format: str) -> Tensor:
        kind, bits, by_row, learned = described(format)
        if kind not in ("int", "ternary", "binary") or learned:
            return weight
        rows = weight.detach().cpu().reshape(weight.size(0), -1)
        codes = Codes(kind, bits, level(rows, kind, bits, by_row))
        inputs = self._read.get(name.removesuffix(".weight")) if name.endswith(".weight") else None
        if inputs is None and kind == "int":
            return weight
        found = codes.nearest(rows) if inputs is None else inputs.compensated(rows, codes)
        if kind == "int":  # the scale follows from the largest
            found = torch.where(rows.abs() >= codes.level, rows.clamp(-codes.level, codes.level), found)
        return found.reshape(weight.shape).to(weight)


class Codes:
    """The values of a format: of whole numbers, of ternary or of binary ones.

    Args:
        level: the largest value, ``[1, 1]`` or ``[rows, 1]``.
    """

    def __init__(self, kind: str, bits: int, level: Tensor) -> None:
        self.level = level.clamp(min=SMALLEST)
        self.top: int = {"ternary": 1, "binary": 0}.get(kind, 2 ** (bits - 1) - 1)

    def nearest(self, weight: Tensor) -> Tensor:
        """Each weight rounded by itself, ``[rows, any]``."""
        if self.top == 0:
            return torch.where(weight >= 0, self.level, -self.level)
        step = self.level / self.top
        return torch.round(weight / step).clamp(-self.top, self.top) * step


def level(rows: Tensor, kind: str, bits: int, by_row: bool) -> Tensor:
    """The largest value of the codes: that of the weights, or, of one or two bits, with the least error."""
    rows = rows if by_row else rows.reshape(1, -1)
    most = rows.abs().amax(1, keepdim=True)
    if bits > 2:
        return most
    best, least = most, torch.full_like(most, float("inf"))
    for number in range(1, LEVELS + 1):
        tried = most * number / LEVELS
        error = ((Codes(kind, bits, tried).nearest(rows) - rows).abs() / most.clamp(min=SMALLEST)) ** POWER
        error = error.sum(1, keepdim=True)
        best, least = torch.where(error < least, tried, best), torch.minimum(error, least)
    return best


class Inputs:
    """What a linear map reads.

    Args:
        squares: sums of the products of any two of its inputs, ``[inputs, inputs]``.
    """

    def __init__(self, squares: Tensor) -> None:
        self.squares = squares

    @cached_property
    def _factor(self) -> tuple[Tensor, Tensor]:
        """The order in which inputs are rounded, the largest first, and the factor of the inverse in that order."""
        squares = self.squares.double()
        damping = (DAMPING * squares.diagonal().mean()).clamp(min=SMALLEST)
        order = squares.diagonal().argsort(descending=True, stable=True)
        squares = squares[order][:, order] + damping * torch.eye(len(squares), dtype=torch.float64)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(squares))
        return order, torch.linalg.cholesky(inverse, upper=True).float()

    def compensated(self, weight: Tensor, codes: Codes) -> Tensor:
        """The weight, ``[outputs, inputs]``, in these codes."""
        order, factor = self._factor
        left, found = weight[:, order].clone(), torch.empty_like(weight)
        for begin in range(0, left.size(1), BLOCK):
            end = min(begin + BLOCK, left.size(1))
            block, inside = left[:, begin:end], factor[begin:end, begin:end]
            errors = torch.empty_like(block)
            for i in range(end - begin):
                column = block[:, i : i + 1]
                rounded = codes.nearest(column)
                found[:, order[begin + i]] = rounded[:, 0]
                errors[:, i : i + 1] = error = (column - rounded) / inside[i, i]
                block[:, i:] -= error * inside[i, i:]
            left[:, end:] -= errors @ factor[begin:end, end:]
        return found


_features: MutableMapping[Tensor, Inputs] = WeakTensorKeyDictionary()
"""Of the features of a graph, which the first layers of all networks read."""


def read(model: torch.nn.Module, task: Task) -> Mapping[str, Inputs]:
    """What each linear map of the network reads in the training split, by its name."""
    found: dict[str, Tensor] = {}
    known: dict[str, Inputs] = {}
    features = task.train[0].x if isinstance(task.train, tuple) and len(task.train) == 1 else None
    linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | torch_geometric.nn.Linear)}

    def heard(name: str, given: Tensor) -> None:
        x = given.detach()
        if features is None or x.data_ptr() != features.data_ptr() or x.shape != features.shape:
            found[name] = found.get(name, torch.zeros(())) + products(x)
            return
        if features not in _features:
            _features[features] = Inputs(products(x))
        known[name] = _features[features]

    training = model.training
    model.eval()
    try:
        hear(model, task, {m: partial(heard, n) for n, m in linear.items() if m.weight.size(1) <= WIDEST})
    finally:
        model.train(training)
    return known | {name: Inputs(squares) for name, squares in found.items() if squares.isfinite().all()}


def products(x: Tensor) -> Tensor:
    """Sums over rows of the products of any two columns, on the CPU."""
    rows = x.reshape(-1, x.size(-1)).float()
    return (rows.T @ rows).cpu()
