"""Which architectures are ranked: random ones that are different networks, or those of a file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput
from nas.searchspace.parsing import json_of
from nas.searchspace.space import Space

IN_A_ROW = 1000
"""Known networks drawn one after the other before those that are left are looked for in a list."""
LISTED = 300_000
"""Spaces up to this size are listed for that."""
LISTS = ("top", "architectures")
"""Where an object holds a list of architectures, as ``nas show --json`` and ``nas rank --json`` print it."""


def distinct(space: Space[Any], n: int, seed: int) -> list[Any]:
    """The first ``n`` different networks of a random sequence; fewer where the space has no more.

    A larger ``n`` goes on with the same sequence.
    """
    rng, found, known = random.Random(seed), dict[Any, Any](), 0
    while len(found) < n and known < IN_A_ROW:
        architecture = space.sample(rng)
        key = space.canonical(architecture)
        known = known + 1 if key in found else 0
        found.setdefault(key, architecture)
    if len(found) < n and space.finite() and space.size() <= LISTED:
        for architecture in space.enumerate():
            found.setdefault(space.canonical(architecture), architecture)
            if len(found) == n:
                break
    return list(found.values())


def listed(file: Path) -> list[Any]:
    """The architectures of a JSON file, not read yet: see :func:`read`.

    The file holds a list, or an object with a list under ``top`` or ``architectures``; an item is an architecture or an
    object that has it under ``architecture``.

    Raises:
        BadInput: if the file cannot be read, or holds no such list.
    """
    try:
        data = json_of(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"the file {file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadInput(f"{file} is not JSON: {error}") from error
    if isinstance(data, dict):
        data = next((data[name] for name in LISTS if name in data), None)
    if not isinstance(data, list) or not data:
        raise BadInput(
            f"{file} must hold a list of architectures, as nas show RUN --json prints them under top; got "
            f"{'an empty one' if data == [] else 'none'}"
        )
    return [item["architecture"] if isinstance(item, dict) and "architecture" in item else item for item in data]


def read(space: Space[Any], items: list[Any]) -> list[Any]:
    """Items of a file, or architectures themselves, as architectures of the space.

    Raises:
        BadInput: naming the item, counted from 0, and the field.
    """
    made = []
    for number, item in enumerate(items):
        try:
            made.append(item if isinstance(item, space.of) else space.from_json(item))
        except BadInput as error:
            raise BadInput(f"architecture {number} does not belong to the space {space.name!r}: {error}") from error
    return made
