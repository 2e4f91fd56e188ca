"""Arithmetic of lower precision, for GPUs: TF32 products, or bfloat16 wherever torch's autocast deems it safe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from nas.evaluation.train import Predict
from nas.searchspace.errors import BadInput
from nas.searchspace.task import Batch, Task


def check(precision: str, device: str) -> None:
    """Refuse less than float32 without a GPU, where it gains nothing.

    Raises:
        BadInput: for that.
    """
    if precision != "float32" and not device.startswith("cuda"):
        raise BadInput(f"precision {precision} is for GPUs and the device is {device}; use precision float32")


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Let the products of float32 matrices round their factors to TF32 while the block runs."""
    if precision != "tf32":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def scores_in(precision: str, device: str, scores: Predict) -> Predict:
    """The same scores, float32 at the end, computed in bfloat16 where that is asked for. Weights stay float32."""
    if precision != "bf16":
        return scores
    kind = torch.device(device).type

    def cast(model: torch.nn.Module, task: Task, batch: Batch) -> Tensor:
        with torch.autocast(kind, dtype=torch.bfloat16):
            return scores(model, task, batch).float()

    return cast
