"""The arrays of an ``.npz`` file: their claimed sizes are checked before anything is read, and nothing is unpickled."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.readers.limits import affordable, openable
from nas.searchspace.errors import BadInput

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LONGEST = 65_536
"""Bytes in which the header of an array ends."""


class Arrays:
    """The arrays of one file by name, each read when asked for.

    Raises:
        BadInput: if the file is no archive, is damaged, or claims more than fits into memory.
    """

    def __init__(self, path: Path) -> None:
        openable(path)
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._members = {
                    info.filename.removesuffix(".npy"): info
                    for info in archive.infolist()
                    if info.filename.endswith(".npy")
                }
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise BadInput(
                f"{path} is damaged or no .npz file ({error}); write it with numpy.savez or numpy.savez_compressed"
            ) from error
        if not self._members:
            raise BadInput(f"{path} holds no arrays; write it with numpy.savez or numpy.savez_compressed")
        self.asked: set[str] = set()

    def names(self) -> list[str]:
        return list(self._members)

    def first(self, names: Iterable[str]) -> str | None:
        """The first of these names that the file has."""
        return next((name for name in names if name in self._members), None)

    def read(self, name: str) -> NDArray[Any]:
        """One array.

        Raises:
            BadInput: if it is not there, holds Python objects, is cut short, or is too large.
        """
        if name not in self._members:
            raise BadInput(f"{self.path} has no array {name}; it has {', '.join(self._members)}")
        self.asked.add(name)
        info, where = self._members[name], f"{self.path}: the array {name}"
        affordable(info.file_size, where)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as file:
                shape, order, dtype, begin = _header(file.read(_LONGEST))
        except BadInput as error:
            raise BadInput(f"{where} {error}") from error
        except Exception as error:  # numpy parses the header as Python, and raises what its parser raises
            raise self._damaged(where, error) from error
        if dtype.hasobject:
            raise BadInput(
                f"{where} holds Python objects, which could run code, so it was not read; write it as numbers or as "
                "text (numpy.array(names, dtype=str))"
            )
        items = math.prod(map(int, shape))
        claimed = items * dtype.itemsize
        if claimed != info.file_size - begin or (not dtype.itemsize and items):
            raise BadInput(
                f"{where} claims {list(shape)} items of {dtype.itemsize} bytes and has {info.file_size - begin:,} "
                "bytes; the file is damaged, get it again"
            )
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(info) as file:
                content = file.read()
            flat = np.frombuffer(content, dtype, offset=begin) if claimed else np.empty(0, dtype)
            return flat.reshape(shape, order=order).copy()
        except _DAMAGED as error:
            raise self._damaged(where, error) from error

    def _damaged(self, where: str, error: BaseException) -> BadInput:
        return BadInput(f"{where} is damaged ({type(error).__name__}: {error}); get the file again")


_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, MemoryError, OverflowError)


def _header(begin: bytes) -> tuple[tuple[int, ...], Any, np.dtype[Any], int]:
    """Shape, order, type, and where the numbers begin."""
    file = io.BytesIO(begin)
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise BadInput(f"is of the format version {version}, which is not read; write it with numpy.savez")
    shape, fortran, dtype = _HEADERS[version](file)
    if any(size < 0 for size in shape):
        raise BadInput(f"claims the shape {list(shape)}; the file is damaged, get it again")
    return shape, "F" if fortran else "C", dtype, file.tell()
