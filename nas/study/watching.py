"""Whoever hears how a search goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nas.study.records import Record


class Watcher(Protocol):
    """Hears how the search goes."""

    def started(self, records: Sequence[Record]) -> None:
        """The search begins or goes on; these trials are known."""

    def recorded(self, record: Record) -> None:
        """A trial was stored."""

    def finals(self, total: int, done: int) -> None:
        """From now on the best trials are trained from scratch, ``total`` of which ``done`` are stored already."""

    def noted(self, note: str) -> None:
        """Something that the user should know."""

    def working(self, what: str, done: int, total: int) -> None:
        """The controller is at something that takes long; ``done`` of ``total`` steps are behind it.

        A watcher may lack this method.
        """


class Silent:
    """A watcher that says nothing."""

    def started(self, records: Sequence[Record]) -> None:
        """Nothing."""

    def recorded(self, record: Record) -> None:
        """Nothing."""

    def finals(self, total: int, done: int) -> None:
        """Nothing."""

    def noted(self, note: str) -> None:
        """Nothing."""

    def working(self, what: str, done: int, total: int) -> None:
        """Nothing."""
