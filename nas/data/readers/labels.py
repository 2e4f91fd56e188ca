"""Label columns: one that holds classes or numbers, or several with a question each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nas.data.readers.columns import TRUTH, numbers, parse
from nas.data.readers.table import Table
from nas.searchspace.errors import BadInput

LABEL = "label"
MANY = 20
"""Up to so many classes are believed even where hardly any has two members."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of the rows of a table.

    Attributes:
        y: ``[rows]`` int64 classes, -1 where there is none; or float32, ``[rows]`` numbers or ``[rows, questions]``,
            NaN where there is none.
        names: of the classes or of the questions; empty where there are none.
    """

    y: Tensor
    names: tuple[str, ...] = ()

    @property
    def labelled(self) -> Tensor:
        """``[rows]`` bool, rows that have a label, or the answer to a question at least."""
        if not self.y.is_floating_point():
            return self.y >= 0
        return ~(self.y.isnan() if self.y.dim() == 1 else self.y.isnan().all(1))


def is_label(column: str) -> bool:
    """Whether a column has the name of a label, in small letters."""
    return column == LABEL or column.startswith(f"{LABEL}:")


def labels(table: Table, notes: list[str]) -> Labels | None:
    """What the label columns of a table ask; None if there are none, or they are empty.

    ``label`` holds text or whole numbers, which are classes, or other numbers, which are to be predicted as such.
    ``label:NAME``, of which there may be several, hold numbers, or true and false. An empty cell is a missing label.

    Raises:
        BadInput: if a column is neither, naming the row.
    """
    found = [column for column in table.columns if is_label(column)]
    if not found:
        return None
    if LABEL in found and len(found) > 1:
        raise BadInput(f"{table.where} has a column 'label' and {found[1]!r}; keep 'label' or those with names")
    if found == [LABEL]:
        return _one(table, table.texts(LABEL), notes)
    names = [column.partition(":")[2].strip() for column in found]
    if not all(names):
        raise BadInput(f"{table.where}: a column is named 'label:' without a name behind it; write 'label:NAME'")
    y = np.column_stack([_question(table, column) for column in found])
    return None if np.isnan(y).all() else Labels(torch.from_numpy(y), tuple(names))


def _one(table: Table, texts: pd.Series[str], notes: list[str]) -> Labels | None:
    empty = (texts == "").to_numpy()
    if empty.all():
        return None
    values = parse(texts)
    if np.isnan(values[~empty]).any():
        lost = np.isnan(values) & ~empty
        if not np.isnan(values[~empty]).all() and (values[~lost & ~empty] % 1 != 0).any():
            row = int(np.flatnonzero(lost)[0])
            raise BadInput(
                f"{table.first(lost)}: the label is {texts.iloc[row]!r:.60} and others are numbers; leave it empty "
                "where it is not known, or make all of them text if they are classes"
            )
        return _classes(table, texts, empty, np.unique(texts[~empty].to_numpy(dtype=str)))
    whole = texts[~empty].str.fullmatch(r"[-+]?\d{1,15}").all()
    if not whole:
        out = np.full(len(texts), np.nan, dtype=np.float32)
        out[~empty] = _finite(table, values, empty)[~empty]
        return Labels(torch.from_numpy(out))
    if (values == -1).any() and (values == 0).any():
        notes.append(f"{int((values == -1).sum()):,} labels are -1, beside classes from 0: they were read as missing")
        empty = empty | (values == -1)
        texts = texts.where(~empty, "")
        if empty.all():
            return None
    order = sorted(set(texts[~empty]), key=lambda text: (int(text), text))
    return _classes(table, texts, empty, np.array(order, dtype=str))


def _classes(table: Table, texts: pd.Series[str], empty: np.ndarray, names: np.ndarray) -> Labels:
    rows = int((~empty).sum())
    if len(names) > MANY and len(names) > 0.5 * rows:
        raise BadInput(
            f"{table.where}: column 'label' holds {len(names):,} classes in {rows:,} labelled rows; if it holds "
            "numbers to predict write them with a decimal point, such as 12.0, and if names, name another column "
            "'label'"
        )
    index = pd.Index(names).get_indexer(pd.Index(texts.to_numpy(dtype=str)))
    y = torch.from_numpy(np.where(empty, -1, index).astype(np.int64))
    plain = [str(number) for number in range(len(names))]
    return Labels(y, () if list(names) == plain else tuple(str(name) for name in names))


def _question(table: Table, column: str) -> np.ndarray:
    texts = table.texts(column)
    empty = (texts == "").to_numpy()
    values = np.where(
        texts.str.lower().isin(list(TRUTH)), texts.str.lower().map(TRUTH).to_numpy(dtype=np.float64), parse(texts)
    )
    lost = np.isnan(values) & ~empty
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        raise BadInput(
            f"{table.first(lost)}: column {column!r} holds {texts.iloc[row]!r:.60}; it takes numbers, or true and "
            "false, and is empty where the label is not known"
        )
    return np.where(empty, np.nan, _finite(table, values, empty)).astype(np.float32)


def _finite(table: Table, values: np.ndarray, empty: np.ndarray) -> np.ndarray:
    return numbers(table, LABEL, np.where(empty, 0.0, values))
