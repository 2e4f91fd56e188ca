"""Formats for a space of one's own, from the command line to the exported file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_file_with_formats(
    nas: Callable[..., Any], space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search goes on in another folder, and the file of a trial is as large as its number says."""
    here = tmp_path / "here"
    here.mkdir()
    shutil.copy(space_file, here / "space_with_formats.py")
    monkeypatch.chdir(here)
    runs = ["--runs", tmp_path / "all"]
    space = ["--space", "quantised:space_with_formats.py:Quick", "--controller", "random", "--device", "cpu"]
    aims = ["--objective", "accuracy", "--objective", "-bytes", "--objective", "-buffer"]
    done = nas("search", *space, *aims, "--trials", 2, "--name", "mine", *runs)
    assert done.code == 0
    assert "largest buffer" in done.out
    monkeypatch.chdir(tmp_path)
    assert nas("resume", "mine", "--trials", 3, *runs).code == 0
    trials = nas("show", "mine", "--json", *runs).json["top"]
    assert len(trials) == 3
    for trial in trials:
        assert trial["metrics"]["buffer"] > 0
        assert nas("export", "mine", "--trial", trial["number"], "--to", tmp_path / "out", *runs).code == 0
        assert (tmp_path / "out" / "weights.safetensors").stat().st_size == trial["metrics"]["bytes"]
    smallest = min(trials, key=lambda trial: trial["metrics"]["bytes"])
    taken = nas("export", "mine", "--within", 1, "--to", tmp_path / "small", *runs)
    assert taken.code == 0
    assert f"trial {smallest['number']}: validation accuracy" in taken.err
    assert (tmp_path / "small" / "weights.safetensors").stat().st_size == smallest["metrics"]["bytes"]
    both = nas("export", "mine", "--within", 1, "--trial", 0, *runs)
    assert both.code == 2
    assert "give one of the two" in both.err
