"""Pickles of published data sets, which could run anything: what every reader of them refuses, and numpy's numbers."""

from __future__ import annotations

import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.readers.limits import affordable

NUMBERS = ("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_HASHED = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET")
_FRAME = 9
"""Bytes of the operation that begins a frame."""


def content(path: Path) -> bytes:
    """The bytes of a pickle that takes no more memory than its size justifies, without its frames.

    A pickle numbers what it wants to name again, and the reader makes room up to the largest number: four bytes could
    claim 32 GiB. Frames only say how much to read at once; where one does not end with an operation Python's reader
    skips bytes, and would find other operations than those that were looked through here. Nor may it take longer: a
    tuple of twice the same tuple of twice the same tuple is as large as the world when it becomes a key.

    Raises:
        BadInput: if the file is larger than half of the free memory.
        OSError: if it cannot be read.
        ValueError: if it is cut short, or claims more than its size.
    """
    affordable(path.stat().st_size, f"{path}: its content")
    found = path.read_bytes()
    parts, begin, stack = [], 0, _Stack(len(found))
    for opcode, argument, at in pickletools.genops(found):
        place = at or 0
        if opcode.name in _PUTS and isinstance(argument, int) and argument > len(found):
            raise ValueError(f"byte {place} numbers an object {argument:,}, and there are {len(found):,} bytes")
        if opcode.name == "FRAME":
            parts.append(found[begin:place])
            begin = place + _FRAME
        stack.follow(opcode, argument)
    return b"".join([*parts, found[begin:]])


class _Stack:
    """Of how many objects what a pickle makes consists, each counted as often as it is named."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sizes: list[int] = []  # of what is on the reader's stack, a mark as 0
        self._named: dict[int, int] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Do to the sizes what an operation does to objects.

        Raises:
            ValueError: if something is larger than the file.
            LookupError: if the operation is not possible.
        """
        if opcode.name in _PUTS:
            self._named[argument] = self._sizes[-1]
        elif opcode.name == "MEMOIZE":
            self._named[len(self._named)] = self._sizes[-1]
        elif opcode.name in _GETS:
            self._sizes.append(self._named[argument])
        elif opcode.name == "DUP":
            self._sizes.append(self._sizes[-1])
        elif opcode.name == "MARK":
            self._sizes.append(0)
        else:
            taken = self._taken(opcode.stack_before)
            size = 1 + sum(taken) if opcode.name in _HASHED else 1
            if size > self._most:
                raise ValueError(f"an object in it repeats others {size:,} times, and there are {self._most:,} bytes")
            self._sizes += [size] * len(opcode.stack_after)

    def _taken(self, before: list[pickletools.StackObject]) -> list[int]:
        """What an operation takes from the stack: so many, or all down to the last mark and so many below it."""
        count = len(before)
        if pickletools.markobject in before:
            at = len(self._sizes) - 1
            while self._sizes[at]:
                at -= 1
                if at < 0:
                    raise LookupError("there is no mark")
            count = len(self._sizes) - at + before.index(pickletools.markobject)
        if count > len(self._sizes):
            raise LookupError("there is nothing to take")
        taken = self._sizes[len(self._sizes) - count :]
        del self._sizes[len(self._sizes) - count :]
        return taken


class Called:
    """A function that a pickle may call, and to which it can do nothing else."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it sets attributes of a function")


class Kind:
    """Stands for a numpy type of numbers."""

    def __init__(self, kind: str, *_: object) -> None:
        if kind not in NUMBERS:
            raise pickle.UnpicklingError(f"it holds values of the type {kind!r}, which is no number")
        self.kind = "<" + kind

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ("<", "|"):
            raise pickle.UnpicklingError("its numbers are in another byte order")


class Array:
    """Stands for a numpy array.

    It keeps the bytes as they stand in the pickle, which may name them again and again: numbers are made of those
    arrays alone that are asked for.
    """

    _state: tuple[tuple[int, ...], str, bool, bytes | str] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, raw = state
        if type(kind) is not Kind or type(raw) not in (bytes, str) or type(shape) is not tuple:
            raise pickle.UnpicklingError("an array in it has no numbers")
        size = np.dtype(kind.kind).itemsize
        if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) * size != len(raw):
            raise pickle.UnpicklingError(f"an array in it claims the shape {list(shape)} and has {len(raw):,} bytes")
        self._state = shape, kind.kind, bool(fortran), raw

    def numbers(self) -> NDArray[Any] | None:
        """A copy of them; None of an array that the pickle never filled."""
        if self._state is None:
            return None
        shape, kind, fortran, raw = self._state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw  # as Python 2 wrote it
        return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C").copy()


@Called
def array(kind: Any, *_: object) -> Array:
    """What takes the place of the function by which numpy makes an array of a pickle."""
    if kind is not Array:
        raise pickle.UnpicklingError("it makes an array of something else than an array")
    return Array()


@Called
def scalar(kind: Any, raw: Any) -> float:
    """Likewise of a single number."""
    if type(kind) is not Kind or type(raw) is not bytes:
        raise pickle.UnpicklingError("a number in it is none")
    return float(np.frombuffer(raw, kind.kind, 1)[0])
