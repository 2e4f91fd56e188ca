"""From a path to graphs: what the path is decides who reads it."""

from __future__ import annotations

import os
from pathlib import Path

from nas.data.readers.base import Read
from nas.searchspace.errors import BadInput

KINDS = "a .pt file of PyG graphs, an .npz file of arrays, or a folder with nodes.csv and edges.csv"


def read(path: str | os.PathLike[str]) -> Read:
    """The graphs of a file or folder. Nothing is written, and no code of a file is run.

    Raises:
        BadInput: if there is nothing, or it is damaged, hostile, or not understood; the message says where and what
            to do.
    """
    try:
        place = Path(path).expanduser()
        there, folder = place.exists(), place.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, no home folder
        raise BadInput(f"{os.fspath(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not there:
        near = "" if place.parent.is_dir() else f", and no folder {place.parent}"
        raise BadInput(f"{place} does not exist{near}; name {KINDS}, or a data set of nas datasets")
    if folder:
        from nas.data.readers.folder import read_folder

        return read_folder(place)
    suffix = place.suffix.lower()
    if suffix in (".pt", ".pth"):
        from nas.data.readers.saved import read_saved

        return read_saved(place)
    if suffix == ".npz":
        from nas.data.readers.attributed import read_npz

        return read_npz(place)
    if suffix == ".csv":
        raise BadInput(
            f"{place} is one table; name its folder, which holds nodes.csv, edges.csv and, for many graphs, graphs.csv"
        )
    raise BadInput(f"{place}: files that end in {suffix or 'nothing'} are not known; name {KINDS}")
