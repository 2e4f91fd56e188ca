"""Searches with two jobs at a time, and storages that processes can share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from nas.passwords import VARIABLE
from nas.study import storages
from nas.study.plan import Plan
from tests.nas.study import postgres
from tests.nas.toys import two_slots


@pytest.fixture(params=["slots", pytest.param("processes", marks=pytest.mark.slow)])
def two_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches with two workers have two jobs out at a time, here or, which takes seconds to start, in processes."""
    if request.param == "slots":
        monkeypatch.setattr(Plan, "executor", two_slots)


STORAGES = ["journal", "sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url
        postgres.let_go()


@pytest.fixture(params=STORAGES)
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty storage, with the password if it has one."""
    if request.param == "journal":
        yield f"journal:///{tmp_path}/trials.log"
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/trials.db"
    else:
        url = request.getfixturevalue("database")
        monkeypatch.setenv(VARIABLE, postgres.PASSWORD)
        yield url
        backend = storages.storage(url)
        for study in optuna.get_all_study_names(backend):
            optuna.delete_study(study_name=study, storage=backend)
