"""Columns of a table as features: numbers as they are, true and false as 1 and 0, categories one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.data.readers.limits import affordable
from nas.data.readers.table import Table
from nas.searchspace.errors import BadInput

TRUTH = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
MOST = 1000
"""Categories of a column; with more of them it is left out."""
_LARGEST = float(np.finfo(np.float32).max)
_NOT_NUMBERS = ("nan", "inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")
Column = NDArray[np.float32]
Real = NDArray[np.floating[Any]]


def features(table: Table, columns: Sequence[str], notes: list[str], names: list[str] | None = None) -> Tensor | None:
    """``[rows, features]`` float32 of the columns, in their order; None if there are none.

    What each feature is called is added to ``names``: its column, with ``=`` and the category where it stands for one.

    A column of text in which most values are numbers is taken for numbers with a mistake. Text that is different in
    nearly every row is a name and no category, and is left out; a note says so, and what became of categories.

    Raises:
        BadInput: if a number is missing, infinite or not a number, naming the row.
    """
    parts: list[Column] = []
    width = 0
    for name in columns:
        called = list[str]()
        part = _column(table, name, notes, called)
        if part is None:
            continue
        if names is not None:
            names += called or [name]
        width += 1 if part.ndim == 1 else part.shape[1]
        affordable(4 * len(table) * width, f"{table.where}: {len(table):,} rows with {width:,} features or more")
        parts.append(part)
    return torch.from_numpy(np.column_stack(parts)) if parts else None


def _column(table: Table, name: str, notes: list[str], called: list[str]) -> Column | None:
    values = table.frame[name]
    if pd.api.types.is_bool_dtype(values.dtype) and not values.isna().any():
        return values.to_numpy(dtype=np.float32)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return numbers(table, name, table.frame[name].to_numpy(dtype=np.float64))
    texts = values.fillna("").astype(str).str.strip()
    empty = (texts == "").to_numpy()
    lowered = texts.str.lower()
    if not empty.all() and lowered[~empty].isin(list(TRUTH)).all():
        return numbers(table, name, lowered.map(TRUTH).to_numpy(dtype=np.float64))
    parsed = parse(texts)
    are_numbers = ~np.isnan(parsed) | lowered.isin(_NOT_NUMBERS).to_numpy()
    if are_numbers.sum() > 0.5 * (~empty).sum():
        text = ~are_numbers & ~empty
        if text.any():
            row = int(np.flatnonzero(text)[0])
            raise BadInput(
                f"{table.first(text)}: column {name!r} holds numbers, and {texts.iloc[row]!r:.60} here; correct it, or "
                "make all of the column text if they are categories"
            )
        return numbers(table, name, parsed)
    return _categories(texts.to_numpy(dtype=str), name, notes, called)


def parse(texts: pd.Series[str]) -> Real:
    """Numbers that are written so; NaN for anything else."""
    return np.asarray(pd.to_numeric(texts, errors="coerce"), dtype=np.float64)


def numbers(table: Table, name: str, values: Real) -> Column:
    """A column of finite numbers as float32.

    Raises:
        BadInput: if one is missing, infinite or too large, naming the row.
    """
    for bad, what in ((np.isnan(values), "is empty or not a number"), (np.abs(values) > _LARGEST, "is infinite")):
        if bad.any():
            raise BadInput(
                f"{table.first(bad)}: column {name!r} {what}; fill it in, for example with the mean of the column, or "
                "remove the column"
            )
    return values.astype(np.float32)


def _categories(texts: NDArray[np.str_], name: str, notes: list[str], called: list[str]) -> Column | None:
    known = np.unique(texts[texts != ""])
    if len(known) > MOST or (len(known) > 20 and len(known) > 0.5 * len(texts)):
        notes.append(f"column {name!r} was left out: {len(known):,} texts in {len(texts):,} rows are no categories")
        return None
    if not len(known):
        notes.append(f"column {name!r} was left out: it is empty")
        return None
    called += [f"{name}={category}" for category in known]
    shown = ", ".join(known[:4]) + (", ..." if len(known) > 4 else "")
    empty = int((texts == "").sum())
    lacking = f"; it is empty in {empty:,} rows, which have none of them" if empty else ""
    notes.append(f"column {name!r} holds {len(known)} categories, one-hot in the order {shown}{lacking}")
    return np.asarray(texts[:, None] == known, dtype=np.float32)
