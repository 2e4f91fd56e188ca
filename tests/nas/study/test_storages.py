"""Storages: their passwords, and what is said of those that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import nas
from nas import passwords
from nas.searchspace.errors import BadInput
from nas.settings import Settings
from nas.study import storages
from nas.study.places import absolute, file_of
from tests.nas.study import postgres
from tests.nas.toys import Toy, graph, search


@pytest.mark.services
def test_the_password_is_known_to_the_process_or_its_environment_alone(database, tmp_path, monkeypatch):
    settings = Settings(storage=database)
    assert settings.storage == database.replace(":se%2Fcr%3Aet", "")
    assert "se%2Fcr" not in repr(settings)
    storages.storage(settings.storage)
    monkeypatch.setattr(passwords, "_given", {})
    with pytest.raises(BadInput, match=rf"Passwords are not kept with a run: .* or set {passwords.VARIABLE}"):
        storages.storage(settings.storage)
    monkeypatch.setenv(passwords.VARIABLE, "wrong")
    with pytest.raises(BadInput, match="authentication failed") as raised:
        storages.storage(settings.storage)
    assert "wrong" not in str(raised.value)
    monkeypatch.setenv(passwords.VARIABLE, postgres.PASSWORD)
    storages.storage(settings.storage)


def test_a_server_that_does_not_answer(tmp_path):
    url = f"postgresql://me:secret@/db?host={tmp_path}"
    if why := postgres.missing():
        pytest.skip(why)
    with pytest.raises(
        BadInput, match=r"the storage 'postgresql://me@/db.*' cannot be opened: .*No such file"
    ) as raised:
        search(storage=url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("postgresql://me:a%40b@host:5432/db?x=1", "postgresql://me@host:5432/db?x=1"),
        ("mysql+pymysql://me:@host/db", "mysql+pymysql://me@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite:////a:b@c/trials.db", "sqlite:////a:b@c/trials.db"),
    ],
)
def test_passwords_are_taken_out_and_put_back(url, bare):
    assert passwords.hidden(url) == bare
    assert passwords.hidden(bare) == bare
    assert passwords.revealed(bare) == url


def test_a_password_in_the_query_is_refused():
    with pytest.raises(BadInput, match="has its password behind the '\\?'") as raised:
        Settings(storage="postgresql://host/db?user=me&password=secret")
    assert "secret" not in str(raised.value)


def test_a_storage_is_found_from_other_directories(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = search(trials=1, storage="journal:///trials.log")
    monkeypatch.chdir("/")
    assert len(nas.open_run("run", data=graph(), space=Toy, runs=result.path.parent).records) == 1
    assert file_of(absolute("sqlite:///a.db?timeout=3")) == Path("/a.db")
    for url in ("journal:", "journal:trials.log", "journal:///"):
        with pytest.raises(BadInput, match="names no file; write journal:///FILE"):
            storages.storage(url)
    assert replace(Settings(), storage="sqlite://").storage == "sqlite://"
