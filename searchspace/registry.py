"""Names to objects: a literal table of import paths, joined by other packages' entry points."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from nas.searchspace.errors import BadInput


def unknown(kind: str, name: str, known: Iterable[str]) -> BadInput:
    """The error for a name nobody knows: it lists the known ones and offers the nearest."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, 1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return BadInput(f"unknown {kind} {name!r}; {hint}known: {', '.join(names)}")


class Registry:
    """A table of ``name -> "module:attribute"``, imported when asked for.

    Other packages add rows by an entry point of the group ``nas.<kind>``.
    """

    def __init__(self, kind: str, rows: Mapping[str, str]) -> None:
        self.kind = kind
        self._rows = dict(rows)

    def paths(self) -> dict[str, str]:
        """All rows, built-in ones first."""
        group = "nas." + self.kind.replace(" ", "_")
        return self._rows | {e.name: e.value for e in entry_points(group=group) if e.name not in self._rows}

    def names(self) -> list[str]:
        return list(self.paths())

    def __contains__(self, name: str) -> bool:
        return name in self._rows or name in self.paths()

    def load(self, name: str) -> Any:
        """Import what ``name`` stands for.

        Raises:
            BadInput: if nothing has that name; the message offers the nearest.
        """
        rows = self._rows if name in self._rows else self.paths()  # entry points take milliseconds to look up
        if name not in rows:
            raise unknown(self.kind, name, rows)
        module, _, attribute = rows[name].partition(":")
        return getattr(import_module(module), attribute)
