"""Graphs of a dozen nodes gain nothing from threads, and no test writes outside its own folder."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
os.environ.setdefault(  # tests compile more than they compute
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false",
)

import hypothesis
import pytest
import torch

from tests.combinations import shorten

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as of a shell's background jobs, and of what these start
    signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)
hypothesis.settings.register_profile("untimed", deadline=None)  # a machine may be busy
hypothesis.settings.load_profile("untimed")
os.fsync = lambda fd: None  # no test cuts the power, and every trial waits for the disk
gc.unfreeze = lambda: None  # a search ends with it; see _settled


@pytest.fixture(scope="session")
def _places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that may be made, one for each test."""
    base = tmp_path_factory.mktemp("places")
    return (base / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_places(request: pytest.FixtureRequest, _places: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and caches of a test lie in its temporary folder, or, where it has none, which is faster, in one like it."""
    own: Path = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else next(_places)
    monkeypatch.setenv("NAS_RUNS", str(own / "runs"))
    monkeypatch.setenv("NAS_CACHE", str(own / "cache"))


@pytest.fixture(autouse=True)
def _settled() -> None:
    """What is there already, all that was imported above all, is not walked by each collection of a test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    shorten(items)
