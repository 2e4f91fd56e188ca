"""JSON and TOML that a stranger may have written: whatever is wrong with it is one ``ValueError`` with a message."""

from __future__ import annotations

import json
import tomllib
from typing import Any

DEPTH = 100
"""Lists and objects within each other; ours have a tenth of it."""


def json_of(text: str | bytes) -> Any:
    """What a JSON text holds.

    Raises:
        ValueError: if it is no JSON, is nested deeper than ``DEPTH``, or has a number of thousands of digits.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH}") from None
    _check_depth(found)
    return found


def toml_of(text: str) -> dict[str, Any]:
    """What a TOML text holds.

    Raises:
        ValueError: likewise.
    """
    try:
        found = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH}") from None
    _check_depth(found)
    return found


def _check_depth(found: Any) -> None:
    """Refuse what Python could not print in a message about it."""
    level = [found]
    for _ in range(DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEPTH}")
