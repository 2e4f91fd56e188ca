"""``kill -9`` at any moment loses no finished trial, and the search goes on as if nothing had been."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.controllers.registry import CONTROLLERS
from nas.searchspace.errors import RunError
from tests.nas.study.killed import given, main, prepare
from tests.nas.toys import StopAfter, Toy, graph, search, told

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_killed_at_random_moments(tmp_path):
    """Of a controller that learns, with weights that are shared; the processes are forked from this one."""
    assert main(0, 4, tmp_path / "seen", "shared", "agnn") >= 2
    check("agnn", "shared", tmp_path / "seen")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("controller", "kills", "evaluator"),
    [*((name, 6, "train") for name in CONTROLLERS.names()), ("evolution", 20, "shared"), ("evolution", 20, "train")],
)
def test_every_controller_killed_at_random_moments(tmp_path, monkeypatch, controller, kills, evaluator):
    """In a process of their own, for JAX does not stand being forked once it computes."""
    seen, script = tmp_path / "seen", Path(__file__).with_name("killed.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), "0", str(kills), str(seen), evaluator, controller],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= kills // 2, "most kills came when all was done"
    for preset, short in prepare(controller).items():
        monkeypatch.setitem(importlib.import_module("nas.diffusion.generator").PRESETS, preset, short)
    check(controller, evaluator, seen)


def check(controller: str, evaluator: str, seen: Path) -> None:
    """What was killed came to the end of a search that was not, and left nothing else behind."""
    asked = given(controller, evaluator)
    survivor = nas.open_run("run", data=graph(), space=asked["space"])
    whole = nas.search(graph(), name="whole", **asked)
    assert told(survivor.records) == told(whole.records)
    assert {json.loads(line)[0] for line in seen.read_text().splitlines()} <= set(range(len(whole.records)))
    for file in whole.path.glob("*/*.safetensors"):
        assert (survivor.path / file.relative_to(whole.path)).read_bytes() == file.read_bytes()
    assert {file.name for file in survivor.path.rglob(".*")} <= {".lock"}
    assert len(list(survivor.path.rglob("*"))) == len(list(whole.path.rglob("*")))


@pytest.fixture
def part() -> Any:
    with pytest.raises(KeyboardInterrupt):
        search(trials=5, watcher=StopAfter(3))
    return nas.open_run("run", data=graph(), space=Toy)


def test_half_a_line_and_the_lock_of_a_killed_process_are_cleared(part):
    journal = part._folder.journal
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:100])
    os.symlink(journal, f"{journal}.lock")
    temporary = part.path / "weights" / ".running-1.safetensors.123"
    temporary.write_bytes(b"half")
    assert told(nas.open_run("run", data=graph(), space=Toy).records) == told(part.records)
    assert journal.stat().st_size > len(whole)  # who only reads repairs nothing: someone may be writing
    begin = time.monotonic()
    resumed = nas.resume("run", data=graph(), space=Toy)
    assert time.monotonic() - begin < 25  # Optuna waits 30 seconds for a lock
    assert told(resumed.records) == told(search(name="whole", trials=5).records)
    assert not temporary.exists()
    assert not os.path.lexists(f"{journal}.lock")


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_killed_before_the_first_trial(lines):
    """The journal holds the study first, then what it is of; whichever of these is there, the search begins."""
    with pytest.raises(KeyboardInterrupt):
        search(trials=3, watcher=StopAfter(1))
    folder = nas.open_run("run", data=graph(), space=Toy)._folder
    written = folder.journal.read_bytes().splitlines(keepends=True)
    for file in folder.weights(0).parent.iterdir():
        file.unlink()
    folder.weights(0).parent.rmdir()
    folder.journal.write_bytes(b"".join(written[:lines]))
    assert told(nas.resume("run", data=graph(), space=Toy).records) == told(search(name="whole", trials=3).records)
    folder.journal.unlink()
    with pytest.raises(RunError, match=r"there is no store at .*journal\.log; the run folder is incomplete"):
        nas.resume("run", data=graph(), space=Toy)


def test_no_journal_yet():
    with pytest.raises(KeyboardInterrupt):
        search(trials=2, watcher=StopAfter(1))
    folder = nas.open_run("run", data=graph(), space=Toy)._folder
    settings = folder.settings()
    for file in [*folder.weights(0).parent.iterdir(), folder.journal]:
        file.unlink()
    folder.weights(0).parent.rmdir()
    assert [r.trial.number for r in nas.resume("run", data=graph(), space=Toy).records] == [0, 1]
    assert folder.settings() == settings


def test_a_journal_that_is_corrupt_in_the_middle(part):
    journal = part._folder.journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:-2], b"{nonsense\n", lines[-1]]))
    for attempt in (nas.resume, nas.open_run):
        with pytest.raises(RunError, match=r"the store .*journal\.log is damaged and cannot be read"):
            attempt("run", data=graph(), space=Toy)
    assert journal.read_bytes().endswith(lines[-1])
