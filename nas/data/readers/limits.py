"""How much memory a file may claim. Sizes are looked at before anything of that size is made."""

from __future__ import annotations

from pathlib import Path

import psutil

from nas.searchspace.errors import BadInput

SHARE = 0.5
"""Of the memory that is free: the rest is for training."""


def memory_limit() -> int:
    """The most bytes that one reading may take."""
    return int(SHARE * psutil.virtual_memory().available)


def affordable(size: int, what: str) -> None:
    """Refuse what does not fit into memory.

    Args:
        size: bytes that would be taken.
        what: begins the message: what would take them.

    Raises:
        BadInput: if it is more than half of the free memory.
    """
    if size > (limit := memory_limit()):
        raise BadInput(
            f"{what} would take {size / 2**20:,.0f} MiB and half of the free memory is {limit / 2**20:,.0f} MiB; if "
            "the file is what it should be, use a machine with more memory or a smaller part of the data"
        )


def openable(path: Path) -> None:
    """Refuse what is no file that can be read, is empty, or is too large.

    Raises:
        BadInput: naming the path.
    """
    try:
        if not path.is_file():
            kind = "is no ordinary file" if path.exists() else "does not exist"
            raise BadInput(f"{path} {kind}; name a .pt or .npz file, or a folder with nodes.csv and edges.csv")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if size == 0:
        raise BadInput(f"{path} is empty; write it again")
    affordable(size, f"{path}: its content")
