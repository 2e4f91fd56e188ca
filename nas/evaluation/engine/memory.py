"""How the C library hands out memory."""

from __future__ import annotations

import ctypes
import sys

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # malloc.h
LARGEST, SMALL = 2**31 - 1, 2**17


def keep_freed_memory() -> None:
    """Let this process reuse large blocks that it freed.

    By default glibc gives blocks above 32 MiB back at once, and the kernel clears every page anew when the next
    operation asks for as much: a tenth and more of the training of a wide network. Elsewhere nothing is done.
    """
    if sys.platform == "linux" and (libc := _glibc()) is not None:
        libc.mallopt(MMAP_THRESHOLD, LARGEST)
        libc.mallopt(TRIM_THRESHOLD, LARGEST)


def return_freed_memory() -> None:
    """Let this process return blocks above 128 KiB as soon as they are freed.

    Slower than keeping them, but then a training takes hardly more than its tensors, and not up to three times that in
    a heap with holes. Elsewhere nothing is done.
    """
    if sys.platform == "linux" and (libc := _glibc()) is not None:
        libc.mallopt(MMAP_THRESHOLD, SMALL)
        libc.mallopt(TRIM_THRESHOLD, SMALL)
        libc.malloc_trim(0)


def give_back_freed_memory() -> None:
    """Return what is free to the system, and on a GPU to its other processes, as between two trainings.

    A GPU's cache goes back in the blocks that it came in, so the workspace of cuBLAS, a small piece of one that may be
    large, goes first; the next product takes a new one.
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
    if sys.platform == "linux" and (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
