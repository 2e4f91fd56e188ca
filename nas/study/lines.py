"""Files of JSON lines that grow by one line for each piece of finished work."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.searchspace.errors import RunError
from nas.study.storages import repair


def append(file: Path, header: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """Write a row behind what the file holds, and the header before the first one. A half-written line is dropped.

    Raises:
        RunError: if the file cannot be written; the lines before are safe.
    """
    try:
        repair(file)
        new = not file.exists() or not file.stat().st_size
        with file.open("a", encoding="utf-8") as lines:
            lines.write("".join(json.dumps(dict(each)) + "\n" for each in ([header] if new else []) + [row]))
            lines.flush()
            os.fsync(lines.fileno())
    except OSError as error:
        raise RunError(
            f"{file} cannot be written ({error.strerror or error}); what it holds is safe. Make room, then give the "
            "same command again"
        ) from error
