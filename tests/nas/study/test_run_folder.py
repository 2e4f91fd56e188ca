"""The folder of a run: its name, its settings, its lock."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas
from nas.searchspace.errors import BadInput, RunError
from nas.settings import Settings
from nas.study.folder import RunFolder, free_name, names, runs_root
from tests.nas.toys import Toy, graph, search

BAD = ["", "../../x", "a/b", ".hidden", "-x", "a b", "x" * 101, "a\n", "è", "a\0b"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name(name, tmp_path):
    with pytest.raises(BadInput, match="a run's name is made of letters, digits") as raised:
        RunFolder(tmp_path, name)
    assert repr(name) in str(raised.value)


def test_a_bad_name_writes_nothing(tmp_path):
    with pytest.raises(BadInput, match="a run's name is made of"):
        search(name="../escaped")
    assert not (tmp_path / "escaped").exists()


def test_where_runs_are(monkeypatch, tmp_path):
    assert runs_root(tmp_path) == tmp_path
    monkeypatch.setenv("NAS_RUNS", "elsewhere")
    assert runs_root() == Path("elsewhere")
    monkeypatch.delenv("NAS_RUNS")
    assert runs_root() == Path("runs")


def test_a_name_is_taken_once(tmp_path):
    folder = RunFolder(tmp_path, "one")
    assert not folder.exists()
    folder.create(Settings())
    assert folder.exists()
    with pytest.raises(BadInput, match=r"there is a run 'one' already in .*; continue it with nas resume one, or"):
        folder.create(Settings())


def test_of_two_that_begin_at_once_one_has_the_name(tmp_path, monkeypatch):
    mine = RunFolder(tmp_path, "one")
    mine.create(Settings(seed=1))
    monkeypatch.setattr(RunFolder, "exists", lambda self: False)  # as it looked a moment before
    with pytest.raises(BadInput, match="there is a run 'one' already"):
        RunFolder(tmp_path, "one").create(Settings(seed=2))
    assert mine.settings().seed == 1
    shared = Settings(seed=1, storage=f"sqlite:///{tmp_path}/study.db")
    assert [RunFolder(tmp_path, "two").create(shared) for _ in range(2)] == [True, False]
    assert not list(tmp_path.rglob(".search.toml*"))


def test_an_unknown_run_lists_the_known(tmp_path):
    with pytest.raises(BadInput, match=r"there is no run 'x' in .*; runs: none yet"):
        RunFolder(tmp_path, "x").settings()
    for name in ("first", "second"):
        RunFolder(tmp_path, name).create(Settings())
        os.utime(tmp_path / name / "search.toml", (1, 1) if name == "first" else (2, 2))
    (tmp_path / "no run").mkdir()
    assert names(tmp_path) == ["first", "second"]
    with pytest.raises(BadInput, match=r"runs: first, second"):
        RunFolder(tmp_path, "x").settings()


def test_a_free_name(tmp_path):
    assert free_name(tmp_path, "cora-agnn") == "cora-agnn-1"
    (tmp_path / "cora-agnn-1").mkdir()
    assert free_name(tmp_path, "cora-agnn") == "cora-agnn-2"
    assert free_name(tmp_path, "../my space") == "my-space-1"
    assert free_name(tmp_path, "//") == "run-1"
    assert len(free_name(tmp_path, "x" * 200)) <= 100


@given(st.text(max_size=30))
def test_a_free_name_is_a_name(stem):
    RunFolder(Path("nowhere"), free_name(Path("nowhere"), stem))


@pytest.mark.parametrize(
    "text",
    ["trials = ", "trials = 'many'", "trials = 0", "colour = 'blue'", "[trials]\nx = 1", "\x00"],
)
def test_damaged_settings(tmp_path, text):
    folder = RunFolder(tmp_path, "one")
    folder.create(Settings())
    (folder.path / "search.toml").write_text(text)
    with pytest.raises(RunError, match=r"the run folder .*one is damaged: search\.toml cannot be read: .+"):
        folder.settings()


def test_settings_that_are_no_text_or_not_there(tmp_path):
    folder = RunFolder(tmp_path, "one")
    folder.create(Settings())
    (folder.path / "search.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="is damaged"):
        folder.settings()
    (folder.path / "search.toml").unlink()
    with pytest.raises(RunError, match=r"is damaged: it has no search\.toml"):
        folder.settings()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(
            data="cora", data_root="/data", split="random:20,30", split_seed=3, metric="macro-f1", space="/a b.py:X",
            controller="tpe", controller_options={"startup": 3, "fine": True, "rate": 0.5, "kind": 'a"b'},
            objectives=("accuracy", "-params"), trials=None, seconds=1.5, seed=2**63 - 1, device="cpu", workers=2,
            epochs=3, patience=4, class_weights=True, trial_seconds=60, trial_memory=100,
            storage="sqlite:////home/trials.db", keep=1, validate_every=7, fidelity="hyperband",
        ),
    ],
)  # fmt: skip
def test_the_settings_come_back(tmp_path, settings):
    folder = RunFolder(tmp_path, "one")
    folder.create(settings)
    assert folder.settings() == settings
    assert Settings.of(tomllib.loads((folder.path / "search.toml").read_text())) == settings
    assert [p.name for p in folder.path.iterdir()] == ["search.toml"]


def test_a_run_is_repeated_from_its_settings(tmp_path):
    first = search("digits", trials=2, space="nasbench-graph", epochs=1, seed=4, controller="evolution")
    settings = tomllib.loads((first.path / "search.toml").read_text())
    second = nas.search(settings.pop("data"), name="again", **settings)
    assert [r.trial.values for r in second.records] == [r.trial.values for r in first.records]


def test_a_place_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"the folder .*file/one cannot be written: Not a directory"):
        search(runs=tmp_path / "file", name="one")


def test_a_read_only_place(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    search(trials=1)
    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(RunError, match=r"the folder .* cannot be written: Read-only file system"):
        search(name="other")
    monkeypatch.undo()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RunError, match=r"the folder .* cannot be written: Read-only file system"):
        RunFolder(tmp_path / "runs", "run").lock().__enter__()


def test_another_process_holds_the_run(tmp_path):
    search(trials=1)
    program = "import sys, filelock\nlock = filelock.FileLock(sys.argv[1])\nlock.acquire()\nprint('held', flush=True)\n"
    program += "input()"
    lock = tmp_path / "runs" / "run" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="the run 'run' is being worked on by another process; wait for it or stop"):
            nas.resume("run", data=graph(), space=Toy, trials=2)
        (lock.parent / ".holder").write_text("process 7 on elsewhere")
        with pytest.raises(RunError, match="the run 'run' is being worked on by process 7 on elsewhere; wait for it"):
            nas.resume("run", data=graph(), space=Toy, trials=2)
        assert len(nas.open_run("run", data=graph(), space=Toy).records) == 1  # looking is allowed
        other.communicate("\n")
    assert len(nas.resume("run", data=graph(), space=Toy, trials=2).records) == 2


def test_what_goes_wrong_under_the_lock_is_not_the_locks_fault(tmp_path):
    folder = RunFolder(tmp_path, "one")
    folder.create(Settings())
    with pytest.raises(PermissionError, match="of the body"), folder.lock():
        raise PermissionError("of the body")
    with folder.lock():  # it was let go
        pass


def test_who_holds_a_run_is_known_for_as_long_as_it_does(tmp_path):
    folder = RunFolder(tmp_path, "one")
    folder.create(Settings())
    with folder.lock():
        assert (folder.path / ".holder").read_text() == f"process {os.getpid()} on {platform.node()}"
    assert not (folder.path / ".holder").exists()


def test_a_search_that_cannot_begin_leaves_no_folder(tmp_path):
    folder = RunFolder(tmp_path, "one")
    folder.create(Settings())
    with folder.lock():
        folder.undo()
    assert not folder.path.exists()
    folder.create(Settings())
    (folder.path / "mine.txt").write_text("keep")
    folder.undo()
    assert [p.name for p in folder.path.iterdir()] == ["mine.txt"]


def test_a_space_file_is_found_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(tmp_path / "runs", "one")
    folder.create(Settings(space="my_space.py:Mine"))
    monkeypatch.chdir("/")
    assert folder.settings().space == f"{(tmp_path / 'my_space.py').resolve()}:Mine"
