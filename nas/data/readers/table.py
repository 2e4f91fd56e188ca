"""A CSV file as a table whose every row knows its line, and the errors that name it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.data.readers.limits import openable
from nas.searchspace.errors import BadInput

_LONGEST = 10_000_000
"""Characters of a cell, and of all column names together; the csv module allows 131,072 unless told otherwise."""
_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of equal length.

    Attributes:
        where: what the table is called in messages, such as the path of its file.
        frame: the columns; those that were asked for as text are text, others what they look like. Nothing is NaN but
            an empty cell of a column of numbers.
        place: says of a row, counted from 0, where it is.
    """

    where: str
    frame: pd.DataFrame
    place: Callable[[int], str]

    @property
    def columns(self) -> list[str]:
        return list(self.frame.columns)

    def __len__(self) -> int:
        return len(self.frame)

    def __contains__(self, column: str) -> bool:
        return column in self.frame.columns

    def texts(self, column: str) -> pd.Series[str]:
        """A column as text without spaces around it; empty cells are empty."""
        out: pd.Series[str] = self.frame[column].astype(str).str.strip()
        return out

    def need(self, column: str, others: Mapping[str, Sequence[str]]) -> None:
        """Refuse a table that lacks a column; ``others`` are names under which it is often found.

        Raises:
            BadInput: naming the file and its columns.
        """
        if column in self:
            return
        near = [name for name in self.columns if name.lower() in others.get(column, ())]
        hint = f"rename {near[0]!r} to {column!r}" if near else f"name one of them {column!r}, or add it"
        raise BadInput(f"{self.where} has no column {column!r}; it has {_listed(self.columns)}: {hint}")

    def first(self, rows: Any) -> str:
        """Where the first of the rows is, of a column of true and false; and how many more there are."""
        found = np.flatnonzero(np.asarray(rows))
        more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
        return self.place(int(found[0])) + more


def read_table(path: Path, as_text: Callable[[str], bool]) -> Table:
    """A CSV file: commas, UTF-8, the names of the columns in the first line.

    Names that the readers know (those for which ``as_text`` is true) may be written in capitals.

    Raises:
        BadInput: if the file is none of this, or a row is longer or shorter than the first line.
    """
    openable(path)
    text = _decoded(path)
    names, lines = _scanned(path, text)
    names = [name.lower() if as_text(name.lower()) else name for name in names]
    _check_names(path, names)
    texts = {name: str for name in names if as_text(name)}
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            header=0,
            names=names,
            index_col=False,
            dtype=texts,
            keep_default_na=False,
            na_values={name: [""] for name in names if name not in texts},
            low_memory=False,
        )
    except (ValueError, OverflowError, MemoryError, pd.errors.ParserError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if len(frame) != len(lines):
        raise BadInput(f"{path} cannot be read: its quotes do not match; write it again with a CSV library")
    return Table(str(path), frame, lambda row: f"{path}, line {lines[row]}")


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    for mark, name in _MARKS:
        if content.startswith(mark):
            raise BadInput(f"{path} is encoded as {name}; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}, line {line}: the byte {content[error.start]:#04x} is no UTF-8; save the file as UTF-8 (it may be "
            "Latin-1 or Windows-1252 now)"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadInput(f"{path}, line {line}: there is a zero byte; this is no text file, write it again as CSV")
    if not text.strip():
        raise BadInput(f"{path} is empty; its first line names the columns")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _scanned(path: Path, text: str) -> tuple[list[str], list[int]]:
    """The names of the columns, and the line on which each row begins."""
    before, lines = csv.field_size_limit(_LONGEST), list[int]()
    try:
        reader = csv.reader(io.StringIO(text), strict=True)
        names, last = list[str](), 0
        for row in reader:
            begin, last = last + 1, reader.line_num
            if not row or (len(row) == 1 and not row[0].strip() and len(names) != 1):
                continue  # a line without anything
            if not names:
                names = [name.strip() for name in row]
                _check_separator(path, names)
            elif len(row) != len(names):
                raise BadInput(
                    f"{path}, line {begin}: it has {len(row)} values and there are {len(names)} columns; every line "
                    "needs a value for each column, which may be empty, and text with commas stands in quotes"
                )
            elif len(row) > 1 or row[0].strip():
                lines.append(begin)
    except csv.Error as error:
        raise BadInput(
            f"{path}, line {last + 1}: {error}; close every quote, and double quotes within quotes"
        ) from error
    finally:
        csv.field_size_limit(before)
    return names, lines


def _check_separator(path: Path, names: Sequence[str]) -> None:
    for mark, word in _SEPARATORS.items():
        if len(names) == 1 and mark in names[0]:
            raise BadInput(f"{path} is separated by {word}; separate the values by commas")


def _check_names(path: Path, names: Sequence[str]) -> None:
    if "" in names:
        raise BadInput(
            f"{path}: column {names.index('') + 1} has no name; name it in the first line, or remove it (pandas writes "
            "its row numbers there unless told index=False)"
        )
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{path} has two columns {name!r}; rename or remove one")


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(repr(name) for name in every[:12]) + (f" and {len(every) - 12} more" if len(every) > 12 else "")
