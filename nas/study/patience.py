"""A database server that goes away for a while: a search waits until it is back, and says so."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from optuna.storages import BaseStorage, RDBStorage

T = TypeVar("T")

AWAY, PAUSE = 60.0, 1.0
"""Seconds for which a server is waited for, and between two attempts."""
_ALSO = ("_create_new_trial", "_get_trials", "_get_stale_trial_ids", "record_heartbeat")
"""What Optuna's cache and its signs of life ask beside what every storage answers."""
_hears: ContextVar[Callable[[str], None] | None] = ContextVar("hears", default=None)


@contextmanager
def patient(noted: Callable[[str], None]) -> Iterator[None]:
    """Be patient with databases in this block and thread; ``noted`` hears of it.

    Elsewhere an error is one at once: who looks at a run, or begins one, has nothing to lose.
    """
    token = _hears.set(noted)
    try:
        yield
    finally:
        _hears.reset(token)


class Database(RDBStorage):
    """Optuna's, which may be away for a while."""


def _asked(name: str) -> Callable[..., Any]:
    of = getattr(RDBStorage, name)

    @functools.wraps(of)
    def method(self: Database, *arguments: Any, **named: Any) -> Any:
        return _waited(lambda: of(self, *arguments, **named))

    return method


for _name in (*(name for name in vars(BaseStorage) if not name.startswith("_")), *_ALSO):
    setattr(Database, _name, _asked(_name))


def _waited(ask: Callable[[], T]) -> T:
    noted = _hears.get()
    if noted is None:
        return ask()
    token = _hears.set(None)  # a question within a question needs no patience of its own
    try:
        return _again_and_again(ask, noted)
    finally:
        _hears.reset(token)


def _again_and_again(ask: Callable[[], T], noted: Callable[[str], None]) -> T:
    begin: float | None = None
    while True:
        try:
            found = ask()
        except Exception as error:
            if not away(error) or (begin is not None and time.monotonic() - begin > AWAY):
                raise
            if begin is None:
                begin = time.monotonic()
                noted(f"the storage does not answer; the search waits for it for up to {AWAY:g} s")
            time.sleep(PAUSE)
        else:
            if begin is not None:
                noted(f"the storage answers again, after {time.monotonic() - begin:.0f} s; the search goes on")
            return found


def away(error: BaseException) -> bool:
    """Whether an error says that a connection was lost, or that there is none to be had."""
    from sqlalchemy.exc import DBAPIError, OperationalError

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, DBAPIError) and found.connection_invalidated:
            return True
        if isinstance(found, OperationalError) and found.statement is None:  # of no statement: of connecting
            return not type(found.orig).__module__.startswith("sqlite3")
        found = found.__cause__
    return False
