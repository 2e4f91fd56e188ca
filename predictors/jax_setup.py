"""Imports JAX for what is computed with it: it shares a GPU with torch and remembers what it compiled.

Unless the user decided otherwise, by JAX's own environment variables or ``jax.config``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax
import jax.numpy as jnp
import optax

__all__ = ["jax", "jnp", "optax"]


def _remember() -> None:
    """Keep compiled programs in the user's cache folder (``NAS_CACHE`` if set); where none can be written, do not."""
    config: Any = jax.config
    if config.jax_compilation_cache_dir is not None or not config.jax_enable_compilation_cache:
        return
    import platformdirs

    folder = Path(os.environ.get("NAS_CACHE") or platformdirs.user_cache_dir("nas")) / "compiled" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(folder, os.W_OK):
        config.update("jax_compilation_cache_dir", str(folder))
        # a full disk, or a program that another process has half written: it is compiled again
        warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")


def _processor() -> str:
    """A program for one processor may crash another that reads the same folder."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    features = [line for line in lines if line.startswith(("flags", "Features"))][:1] or [platform.processor()]
    return hashlib.sha256(features[0].encode()).hexdigest()[:8]


_remember()
