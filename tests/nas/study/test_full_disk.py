"""No room on the disk: what is finished is safe, and the message says so."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from optuna.storages.journal import JournalFileBackend

import nas
from nas.evaluation import evaluate as evaluating
from nas.evaluation.evaluate import write_weights
from nas.searchspace.errors import RunError
from nas.study.folder import RunFolder
from tests.nas.toys import Toy, graph, search, told

FULL = OSError(errno.ENOSPC, "No space left on device")
BEFORE = 3
"""Lines of the journal before the first trial."""


@pytest.mark.parametrize("half", [False, True])
def test_no_room_for_a_trial(monkeypatch, half):
    real, written = JournalFileBackend.append_logs, iter(range(99))

    def append(self: JournalFileBackend, logs: list[dict]) -> None:
        if next(written) == BEFORE + 2:
            if half:
                with open(self._file_path, "ab") as file:
                    file.write(b'{"op_code":4,"worker')
            raise FULL
        real(self, logs)

    with monkeypatch.context() as patched:
        patched.setattr(JournalFileBackend, "append_logs", append)
        with pytest.raises(RunError, match=r"trial 2 could not be written \(No space left on device\); the trials "
                           "before it are safe. Make room, then continue with nas resume"):  # fmt: skip
            search(trials=5, controller="evolution")
    assert len(nas.open_run("run", data=graph(), space=Toy).records) == 2
    resumed = nas.resume("run", data=graph(), space=Toy)
    assert told(resumed.records) == told(search(name="whole", trials=5, controller="evolution").records)


def test_no_room_for_weights(monkeypatch):
    real, written = evaluating.save, iter(range(99))

    def save(state: dict) -> bytes:
        if next(written) == 2:
            raise FULL
        return real(state)

    with monkeypatch.context() as patched:
        patched.setattr(evaluating, "save", save)
        with pytest.raises(RunError, match=r"the weights of a trial could not be written \(No space left on device\); "
                           "the finished trials are safe. Make room, then continue with nas resume"):  # fmt: skip
            search(trials=4)
    assert told(nas.resume("run", data=graph(), space=Toy).records) == told(search(name="whole", trials=4).records)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_really_full(tmp_path):
    temporary = tmp_path / f".1.safetensors.{os.getpid()}"
    temporary.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_weights({"a": torch.zeros(10**6)}, tmp_path / "1.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_no_room_to_resume(monkeypatch, tmp_path):
    search(trials=1)
    settings = RunFolder(tmp_path / "runs", "run").settings()

    def refuse(*_: object, **__: object) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", refuse)
        with pytest.raises(RunError, match=r"the folder .*run cannot be written: No space left on device"):
            nas.resume("run", data=graph(), space=Toy, trials=2)
    assert RunFolder(tmp_path / "runs", "run").settings() == settings
    assert len(nas.resume("run", data=graph(), space=Toy, trials=2).records) == 2


def test_no_room_to_begin(monkeypatch, tmp_path):
    def refuse(*_: object) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(JournalFileBackend, "append_logs", refuse)
        with pytest.raises(RunError, match=r"the store .*journal\.log cannot be written: .*No space left on device"):
            search(trials=1)
    assert len(search(trials=1).records) == 1  # under the same name
