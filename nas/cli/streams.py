"""Standard streams that nobody reads any more, or that are not there: no command ends for that."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

from nas.searchspace.errors import RunError

OVER = {"stdout": BrokenPipeError, "stderr": OSError}
"""What a stream may fail with and be given up quietly. Results that a full disk has no room for are an error."""


class _Raw(io.FileIO):
    """Writes to a descriptor for as long as that can be written to, and then to nowhere."""

    def __init__(self, descriptor: int, over: type[OSError]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._over, self.gone = over, False

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.gone = isinstance(error, self._over)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not isinstance(error, self._over):
                raise RunError(f"what is printed cannot be written: {error.strerror or error}") from error
            return memoryview(data).nbytes


def keep_going() -> Callable[[], bool]:
    """Let this process go on when its stdout or stderr is closed at the other end, or was closed from the start.

    A search prints its table when all is done, so that ``nas search | head -1`` leaves a whole run.

    Returns:
        what writes out all that was printed and says whether stdout was given up.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets this number, which else the next file would get
    raws = [_replace("stdout", 1), _replace("stderr", 2)]

    def given_up() -> bool:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return raws[0] is not None and raws[0].gone

    return given_up


def _replace(name: str, descriptor: int) -> _Raw | None:
    """Put a tolerant stream into the place of one of Python's own; None where it is none of these."""
    stream = getattr(sys, name)
    how: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}
    if stream is not None:
        buffer = getattr(stream, "buffer", None)
        if not isinstance(getattr(buffer, "raw", buffer), io.FileIO):  # the console of Windows, or whoever embeds us
            return None
        stream.flush()
        how = {key: getattr(stream, key) for key in ("encoding", "errors")}
        how["line_buffering"] = stream.line_buffering or stream.write_through  # the latter is ``python -u``
    raw = _Raw(descriptor, OVER[name])
    setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), **how))
    return raw
