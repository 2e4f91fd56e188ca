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


def test_an_export_in_fewer_bits(nas: Callable[..., Any], tmp_path: Path) -> None:
    runs = ["--runs", tmp_path / "all"]
    space = ["--space", "agnn", "--data", "digits", "--controller", "random", "--device", "cpu"]
    assert nas("search", *space, "--trials", 1, "--epochs", 3, "--name", "plain", *runs).code == 0
    (trial,) = nas("show", "plain", "--json", *runs).json["top"]
    done = nas("export", "plain", "--bits", "W4A8", "--to", tmp_path / "low", *runs)
    assert done.code == 0
    size = (tmp_path / "low" / "weights.safetensors").stat().st_size
    assert f"bytes {size:,} for {round(trial['metrics']['bytes']):,}" in done.err
    assert "rounded to W4A8: validation accuracy" in done.err
    assert (
        nas("export", "plain", "--bits", "W4A8", "--to", tmp_path / "low", "--json", *runs).json["metrics"]["bytes"]
        == size
    )
    wrong = nas("export", "plain", "--bits", "4", "--to", tmp_path / "none", *runs)
    assert wrong.code != 0
    assert "W8A8, W4A8, or W4; got '4'" in wrong.err


def test_a_search_that_rounds_after_training(nas: Callable[..., Any], tmp_path: Path) -> None:
    runs = ["--runs", tmp_path / "all"]
    space = ["--space", "lpgnas", "--data", "digits", "--controller", "random", "--device", "cpu"]
    done = nas("search", *space, "--quantisation", "post", "--trials", 2, "--epochs", 3, "--name", "post", *runs)
    assert done.code == 0
    said = "Networks were trained with all bits, which the curves show, and rounded then"
    assert said in (tmp_path / "all" / "post" / "report.html").read_text()
    (trial, *_) = nas("show", "post", "--json", *runs).json["top"]
    assert nas("export", "post", "--to", tmp_path / "out", *runs).code == 0
    assert (tmp_path / "out" / "weights.safetensors").stat().st_size == trial["metrics"]["bytes"]
