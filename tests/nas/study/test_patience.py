"""A server that goes away for some seconds, or for longer, in the middle of a search."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy

import nas
from nas.searchspace.errors import RunError
from nas.study import patience, storages
from nas.study.records import Record
from nas.study.search import Silent
from tests.nas.study import postgres
from tests.nas.toys import Toy, graph, search, told

WAITS, BACK = "the storage does not answer; the search waits for it for up to", "the storage answers again, after"


class Hears(Silent):
    """What was noted, and what happens as soon as two trials are stored."""

    def __init__(self, happens: Any) -> None:
        self.happens, self.notes = happens, list[str]()

    def recorded(self, record: Record) -> None:
        if record.trial.number == 1:
            self.happens()

    def noted(self, note: str) -> None:
        self.notes.append(note)


@pytest.mark.parametrize("failures", [3, 10_000])
def test_lost_connections(tmp_path, monkeypatch, failures):
    """Whatever is asked next fails, as it does when the connection is lost: so often, or for ever."""
    backends, failed = [], []
    made = storages._database

    def noticed(*given: Any) -> Any:
        backends.append(made(*given))
        return backends[-1]

    def breaks(*_: Any) -> None:
        if len(failed) < failures:
            failed.append(1)
            raise sqlalchemy.exc.OperationalError("SELECT", {}, Exception("gone"), connection_invalidated=True)

    def go() -> None:
        for backend in backends:
            sqlalchemy.event.listen(backend.engine, "before_cursor_execute", breaks)

    monkeypatch.setattr(storages, "_database", noticed)
    monkeypatch.setattr(patience, "PAUSE", 0.01)
    monkeypatch.setattr(patience, "AWAY", 0.2 if failures > 3 else 60)
    hears, where = Hears(go), f"sqlite:///{tmp_path}/trials.db"
    if failures > 3:
        with pytest.raises(RunError, match=r"gone.*nas resume"):
            search(trials=4, storage=where, watcher=hears)
        assert [note.startswith(WAITS) for note in hears.notes] == [True]
        failed.extend([1] * failures)  # it is back
        assert len(nas.open_run("run", data=graph(), space=Toy).records) == 2
    else:
        search(trials=4, storage=where, watcher=hears)
        assert len(failed) == 3
        assert [note.startswith(said) for note, said in zip(hears.notes, (WAITS, BACK), strict=True)] == [True, True]
    assert told(nas.resume("run", data=graph(), space=Toy).records) == told(search(name="whole", trials=4).records)


@pytest.mark.services
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_server_that_comes_back(database, monkeypatch, workers):
    def away() -> None:
        postgres.stop(database)
        threading.Timer(5, postgres.start, [database]).start()

    monkeypatch.setenv(storages.VARIABLE, postgres.PASSWORD)
    hears = Hears(away)
    found = search(trials=6, storage=database, workers=workers, watcher=hears, name=f"away-{workers}")
    waited, back = [note for note in hears.notes if "storage" in note]
    assert (waited.startswith(WAITS), back.startswith(BACK)) == (True, True)
    assert [record.trial.number for record in found.records] == list(range(6))
    assert len({record.trial.architecture for record in found.records}) == 6
    if workers == 1:
        assert told(found.records) == told(search(name="whole", trials=6).records)


@pytest.mark.services
def test_a_server_that_stays_away(database, monkeypatch):
    monkeypatch.setenv(storages.VARIABLE, postgres.PASSWORD)
    monkeypatch.setattr(patience, "AWAY", 3)
    try:
        with pytest.raises(RunError, match="nas resume"):
            search(trials=4, storage=database, watcher=Hears(lambda: postgres.stop(database)), name="gone")
    finally:
        postgres.start(database)
    resumed = nas.resume("gone", data=graph(), space=Toy)
    assert told(resumed.records) == told(search(name="whole", trials=4).records)
