"""How a storage is named: a path, or a URL that several processes may be given."""

from __future__ import annotations

import re
from pathlib import Path

JOURNAL = "journal:///"
"""A journal file that several processes share, by its path as in a URL of SQLite: a fourth stroke makes it absolute."""
FILES = (JOURNAL, "sqlite:///")


def shown(where: Path | str) -> str:
    """A place as it may be printed: without the password of a URL."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str(where))


def file_of(where: Path | str) -> Path | None:
    """The file that holds the trials; None if a server does."""
    if isinstance(where, Path):
        return where
    scheme = next((s for s in FILES if where.startswith(s) and len(where) > len(s)), None)
    return None if scheme is None else Path(where[len(scheme) :].split("?")[0])


def absolute(where: str) -> str:
    """The same storage, from whatever directory."""
    file, scheme = file_of(where), next((s for s in FILES if where.startswith(s)), "")
    if file is None or file.is_absolute() or file.name.startswith((":memory:", "file:")):
        return where
    return f"{scheme}{Path.cwd() / where[len(scheme) :]}"


def shareable(where: Path | str) -> bool:
    """Whether several processes may work on a study there: whether they can tell which of them are alive."""
    return isinstance(where, str) and not where.startswith("redis") and ":memory:" not in where
