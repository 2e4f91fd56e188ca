"""What a reader may not do: write, delete, start a process, connect, or change a file that it reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_REFUSED = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("shutil.rmtree", "shutil.move", "shutil.copyfile", "pty.spawn", "webbrowser.open"),
)
_armed = False


class ForbiddenAct(BaseException):
    """A reader did what no reader needs; none of its ``except Exception`` hides it."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    global _armed
    if not _armed:
        return
    wrote = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event in _REFUSED or wrote:
        _armed = False
        raise ForbiddenAct(f"{event} {arguments!r:.200}")


sys.addaudithook(_hook)


@contextmanager
def only_reads(folder: Path) -> Iterator[None]:
    """Raises ``ForbiddenAct`` if the block acts, or a file of the folder is not what it was."""
    global _armed
    before = _content(folder)
    _armed = True
    try:
        yield
    finally:
        _armed = False
    if _content(folder) != before:
        raise ForbiddenAct(f"a file of {folder} was changed")


def _content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
