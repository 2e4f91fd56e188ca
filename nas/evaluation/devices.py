"""Which device to train on."""

from __future__ import annotations

import os

from nas.searchspace.errors import BadInput


def resolve(device: str) -> str:
    """``auto`` to the first GPU if there is one, else the CPU; any other name as it is, once it is known to work.

    Raises:
        BadInput: for a device that this machine or this build of torch does not have.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        parsed = torch.device(device)
    except RuntimeError:
        raise BadInput(f"there is no device {device!r}; use auto, cpu, cuda or cuda:N") from None
    if parsed.type == "cuda":
        if not torch.cuda.is_available():
            why = "this build of torch has no CUDA" if torch.version.cuda is None else "torch finds no GPU"
            raise BadInput(f"device {device!r} cannot be used: {why}. Use --device cpu or --device auto")
        if (parsed.index or 0) >= torch.cuda.device_count():
            raise BadInput(f"there is no device {device!r}; torch finds {torch.cuda.device_count()} GPU(s)")
    elif parsed.type != "cpu":
        raise BadInput(f"device {device!r} is not supported; use auto, cpu, cuda or cuda:N")
    return device


def units(device: str) -> int:
    """How many trainings can have something to themselves: all GPUs for ``cuda``, one that is named, or the cores."""
    import torch

    if device == "cuda":
        return torch.cuda.device_count()
    return 1 if device.startswith("cuda") else os.cpu_count() or 1


def spread(device: str, workers: int) -> list[str]:
    """A device for each worker: the GPUs in turn if the device is ``cuda``, else the same one for all."""
    import torch

    if device == "cuda":
        return [f"cuda:{i % torch.cuda.device_count()}" for i in range(workers)]
    return [device] * workers
