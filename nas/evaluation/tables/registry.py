"""How a table is named: built in, in another package, or by its file."""

from __future__ import annotations

import os
from functools import lru_cache

from nas.evaluation.tables.base import Column, Table
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import Registry

TABLES = Registry("table", {"nasbench-graph": "nas.evaluation.tables.nasbench_graph:opened"})
"""Each row is a function from the root folder of the data, or None, to a table."""


def find(table: str, root: str | None = None) -> Table:
    """A table by its name, or by an npz file with the arrays of NAS-Bench-Graph's.

    Raises:
        BadInput: for a name that no table has, or a file that is none.
        MissingExtra: if its numbers are not installed.
    """
    given = root if root is not None else os.environ.get("NAS_DATA")
    return _opened(table, given)


def column(table: str, data: str, root: str | None = None) -> Column:
    """What a table holds of a data set.

    Raises:
        BadInput: if it has none of that name; the message lists those it has. And as ``find``.
    """
    found, name = find(table, root), data.lower()
    if name not in found.datasets:
        raise BadInput(f"the table {table} has no data set {data!r}; it has {', '.join(found.datasets)}")
    return found.column(name)


@lru_cache(maxsize=8)
def _opened(table: str, root: str | None) -> Table:
    opened: Table
    if table.endswith(".npz"):
        from nas.evaluation.tables.nasbench_graph import Arrays

        opened = Arrays(table)
    else:
        opened = TABLES.load(table)(root)
    return opened
