"""Where trials are kept: a journal file of the run, or an Optuna storage that several processes may share."""

from __future__ import annotations

import os
import random
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from nas.passwords import VARIABLE, revealed, without
from nas.searchspace.errors import BadInput, MissingExtra, RunError
from nas.study.patience import Database
from nas.study.places import JOURNAL, file_of, shown

if TYPE_CHECKING:
    from filelock import FileLock

DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql"}
"""Those of our extras, where the URL names none."""
HEARTBEAT, GRACE = 10, 45
"""Seconds between two signs of life in a database, and after which whoever gives none is taken for dead."""
LOCKED, CONNECTING = 60, 10
"""Seconds to wait for whoever else writes a SQLite file, and for a server to answer."""

_open: dict[tuple[int, str], BaseStorage] = {}
"""Servers that this process is connected to, once each."""


def storage(where: Path | str) -> BaseStorage:
    """The Optuna storage of a path or URL.

    Raises:
        BadInput: if the URL is none, or nothing answers there.
        MissingExtra: if the driver of a database is not installed.
        RunError: if a journal file cannot be opened.
    """
    if isinstance(where, Path) or where.startswith("journal:"):
        return _journal(where)
    url = revealed(where)
    scheme, rest = url.partition("://")[::2]
    if scheme in DRIVERS:
        url = f"{scheme}+{DRIVERS[scheme]}://{rest}"
    try:
        if url.startswith("redis"):
            return optuna.storages.get_storage(url)
        if file_of(where) is not None:  # which may be another one the next time
            return _database(url)
        if (os.getpid(), url) not in _open:
            _open[os.getpid(), url] = _database(url)
        return _open[os.getpid(), url]
    except ImportError as error:
        scheme = where.split(":")[0].split("+")[0]
        extra = {"postgresql": "postgresql", "mysql": "mysql"}.get(scheme)
        line = f"pip install 'gnn-nas[{extra}]'" if extra else f"pip install the driver for {scheme}"
        raise MissingExtra(f"the storage {scheme} needs a driver that is not installed: {line} ({error})") from error
    except Exception as error:
        raise BadInput(f"the storage {shown(where)!r} cannot be opened: {why(error, url)}") from error


def why(error: BaseException, url: str = "") -> str:
    """What a database says, without what its library adds, the statements and the password."""
    said: Any = error
    while (inner := getattr(said, "orig", None) or said.__cause__) is not None:
        said = inner
    if isinstance(said, OSError) and said.strerror:
        return said.strerror
    text = without("; ".join(line.strip() for line in str(said).splitlines() if line.strip()), revealed(url))
    if "password" in text.lower():
        return f"{text}. Passwords are not kept with a run: write it into the URL of --storage, or set {VARIABLE}"
    return text or type(said).__name__


def _database(url: str, attempts: int = 5) -> BaseStorage:
    """Processes that begin at once make the tables at once, of which all but one fail the first time."""
    from sqlalchemy.exc import DBAPIError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of signs of life
            return Database(url, _engine(url), heartbeat_interval=HEARTBEAT, grace_period=GRACE)
    except DBAPIError as error:
        said = str(error.orig).lower()
        if attempts == 1 or not any(word in said for word in ("already exists", "duplicate", "unique")):
            raise
    time.sleep(random.uniform(0.1, 0.5))
    return _database(url, attempts - 1)


def _engine(url: str) -> dict[str, Any]:
    waiting = {"timeout": LOCKED} if url.startswith("sqlite") else {}
    if url.startswith(("postgresql", "mysql")):
        waiting = {"connect_timeout": CONNECTING}
    return {"pool_pre_ping": True, "connect_args": waiting}


def _journal(where: Path | str) -> BaseStorage:
    if (file := file_of(where)) is None:
        raise BadInput(f"the storage {where!r} names no file; write {JOURNAL}FILE or {JOURNAL}/FOLDER/FILE")
    try:
        lock = None if isinstance(where, Path) else JournalLock(file)
        return JournalStorage(JournalFileBackend(str(file), lock))  # type: ignore[arg-type]
    except OSError as error:
        raise RunError(f"the store {where} cannot be opened: {error.strerror or error}") from error


class JournalLock:
    """A lock of a shared journal that falls with its process, and half a line that such a one left with it.

    Optuna's own lock is a file that stays when its process is killed, for 30 seconds.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock: FileLock | None = None

    def acquire(self) -> bool:
        """Wait for it; whoever holds it may write."""
        from filelock import FileLock

        if self._lock is None:
            self._lock = FileLock(self._journal.with_name(self._journal.name + ".writing"), thread_local=False)
        self._lock.acquire()
        cut(self._journal)
        return True

    def release(self) -> None:
        """Let the next one write."""
        assert self._lock is not None
        self._lock.release()


def cut(journal: Path) -> None:
    """Drop half a last line; the caller alone may write."""
    with journal.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        if not end or (file.seek(end - 1), file.read(1))[1] == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def repair(journal: Path) -> None:
    """Drop what a killed process left behind: half a last line, and the lock of the file.

    Whoever only reads leaves that to whoever writes: it may be writing.
    """
    if not journal.is_file():
        return
    cut(journal)
    for left in journal.parent.glob(journal.name + ".lock*"):
        left.unlink(missing_ok=True)
