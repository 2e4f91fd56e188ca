"""What JAX compiled is kept in the user's cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from nas.predictors.jax_setup import jax, jnp
print(float(jax.jit(lambda x: jnp.sin(x).sum())(jnp.arange(3.0))))
"""


def run(**variables: str) -> str:
    """Warnings are errors."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "NAS_CACHE"))}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, env={**own, **variables}, capture_output=True, text=True, check=True)
    return done.stdout


def test_programs_are_kept_and_used_again_by_another_process(tmp_path: Path) -> None:
    first = run(NAS_CACHE=str(tmp_path))
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "compiled").rglob("*-cache")}
    assert kept
    assert run(NAS_CACHE=str(tmp_path)) == first
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "compiled").rglob("*-cache")} == kept
    for file in kept:
        file.write_bytes(b"half")
    assert run(NAS_CACHE=str(tmp_path)) == first


def test_the_user_may_name_another_folder_or_none(tmp_path: Path) -> None:
    run(NAS_CACHE=str(tmp_path / "own"), JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert list((tmp_path / "theirs").rglob("*-cache"))
    run(NAS_CACHE=str(tmp_path / "own"), JAX_ENABLE_COMPILATION_CACHE="false")
    assert not (tmp_path / "own").exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(NAS_CACHE=str(tmp_path / "file"))
