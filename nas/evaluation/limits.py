"""Memory limits of one training, so that a candidate that is too large fails alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

MIB = 2**20
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")


@contextmanager
def memory_limit(mib: int | None, device: str) -> Iterator[None]:
    """Let the block allocate ``mib`` MiB beyond what the process has; more raises torch's or Python's own error.

    On Linux the address space of the process is limited, on a GPU the share of its memory. Elsewhere there is no
    way to limit a block, and the operating system's own limit stands.
    """
    if mib is None:
        yield
    elif device.startswith("cuda"):
        yield from _gpu(mib, device)
    elif sys.platform == "linux":
        yield from _address_space(mib)
    else:
        yield


def _address_space(mib: int) -> Iterator[None]:
    import resource

    import psutil

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = psutil.Process().memory_info().vms + mib * MIB
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _gpu(mib: int, device: str) -> Iterator[None]:
    import torch

    index = torch.device(device).index or 0
    total = torch.cuda.get_device_properties(index).total_memory
    wanted = torch.cuda.memory_reserved(index) + mib * MIB
    torch.cuda.set_per_process_memory_fraction(min(1.0, wanted / total), index)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, index)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, in whichever way torch says it."""
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in OUT_OF_MEMORY)


def default_memory(device: str, workers: int) -> int:
    """MiB for one training: four fifths of what is free now, shared by the workers."""
    import psutil

    if device.startswith("cuda"):
        import torch

        free, _ = torch.cuda.mem_get_info(torch.device(device).index or 0)
        workers = -(-workers // torch.cuda.device_count())
    else:
        free = psutil.virtual_memory().available
    return max(64, int(free * 0.8 / workers / MIB))
