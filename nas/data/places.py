"""Where data lie: folders that are only read, and the cache folder that is ours to write."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``NAS_CACHE`` if set, else the user's cache folder for this package."""
    if given := os.environ.get("NAS_CACHE"):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("nas"))


def data_folders(root: str | os.PathLike[str] | None = None) -> list[Path]:
    """Folders that may hold raw files, in the order they are looked through.

    First ``root``, or ``NAS_DATA`` if no root is given; last our own downloads.
    """
    given = root if root is not None else os.environ.get("NAS_DATA")
    first = [Path(given).expanduser()] if given else []
    return [*first, cache_folder() / "data" / "downloads"]
