"""Worker processes are forked from one that is ready, and are like any other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch.multiprocessing

from nas.evaluation.processes import IMPORTED, adopt, context, environment

FORKS = "forkserver" in torch.multiprocessing.get_all_start_methods()


def test_a_gpu_does_not_survive_a_fork() -> None:
    assert context("cuda:0").get_start_method() == context("cuda").get_start_method() == "spawn"
    assert context("cpu").get_start_method() == ("forkserver" if FORKS else "spawn")


def test_workers_have_the_environment_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of the server, which was started before."""
    for value in ("one", "other"):
        monkeypatch.setenv("NAS_SAID", value)
        with context("cpu").Pool(1, adopt, (environment(),)) as pool:
            assert pool.apply(os.getenv, ("NAS_SAID",)) == value
    monkeypatch.delenv("NAS_SAID")
    with context("cpu").Pool(1, adopt, (environment(),)) as pool:
        assert pool.apply(os.getenv, ("NAS_SAID",)) is None


@pytest.mark.skipif(not FORKS, reason="this system has no fork server")
def test_workers_find_what_they_need_imported() -> None:
    with context("cpu").Pool(1) as pool:
        assert set(IMPORTED) <= set(pool.apply(imported))


def imported() -> list[str]:
    return list(sys.modules)


def test_what_the_server_imports_can_be_forked() -> None:
    """JAX has threads, and a GPU that was used is lost in a fork."""
    code = f"import sys, threading, importlib; [importlib.import_module(m) for m in {IMPORTED}]; import torch\n"
    code += "print(threading.active_count(), 'jax' in sys.modules, torch.cuda.is_initialized())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False", "False"]
