"""What ``--data`` may say: a name of the catalogue, the path of a file or folder, or a data set of OGB."""

from __future__ import annotations

import os
from pathlib import Path

from nas.data.catalogue import CATALOGUE
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

SUFFIXES = (".pt", ".pth", ".npz", ".csv")
OGB = "ogb:"


def is_written(data: str) -> bool:
    """Whether this text is written like a path, whatever exists."""
    path = "/" in data or os.sep in data or data.startswith("~") or data.lower().endswith(SUFFIXES)
    return path and not data.startswith(OGB)


def is_path(data: str | os.PathLike[str]) -> bool:
    """Whether this is a path: it is written like one, or it is no known name and such a file or folder exists."""
    if not isinstance(data, str) or is_written(data):
        return True
    return not is_named(data) and bool(data.strip()) and os.path.exists(data)


def is_named(data: str) -> bool:
    """Whether this text alone leads to the data, from any folder and in another session too."""
    return data.lower() in CATALOGUE or data.startswith(OGB) or is_written(data)


def absolute(data: str | os.PathLike[str]) -> str:
    """A path in full, so that it leads to the data from any folder; any other name as it is."""
    text = os.fspath(data)
    if not is_path(data):
        return text
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError:  # there is no home folder; the reader will say so
        return text


def unknown_name(name: str) -> BadInput:
    """The error for what is neither a name nor a file."""
    return BadInput(
        f"{unknown('data set', name, CATALOGUE)}; or name a file or folder of your own, such as ./graph.npz, "
        f"./graph.pt or ./folder with nodes.csv in it (there is no {str(Path(name).absolute())!r})"
    )
