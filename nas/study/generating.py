"""The generator of a space: found where it was kept, or trained and kept."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nas.data.places import cache_folder
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.space import Space
from nas.study.pretraining import GENERATOR, SHIPPED

if TYPE_CHECKING:
    from nas.diffusion.generator import Generator

DEFAULT = "network"
"""The preset that is trained where a space needs one."""
SAMPLED = 64
"""Architectures whose canonical forms tell one space from another."""

_made: dict[str, Generator] = {}


def generator_of(
    space: Space[Any], preset: str | None = None, told: Callable[[int, int, float], None] | None = None
) -> Generator:
    """The generator of a space, in this process and in the user's cache folder made once.

    Args:
        space: bound to its task.
        preset: see :func:`nas.diffusion.generator.generator`.
        told: hears of a training, see :func:`nas.diffusion.generator.generator`.
    """
    from nas.diffusion.files import load, save
    from nas.diffusion.generator import PRESETS, generator
    from nas.diffusion.rows import Rows

    if preset is not None and preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    trained = PRESETS[preset or DEFAULT]
    key = _key(space, repr(trained) if preset is None else f"{preset} {trained}")
    if key in _made:
        made = _made[key]  # of the same knobs, maybe of a class that was defined again
        return made if made.rows.space is space else replace(made, rows=Rows(space))
    kept = cache_folder() / "generators" / key
    folders = [kept]
    if preset is None and hasattr(space.of, "canonical"):  # what is shipped learned canonical forms
        folders.append(SHIPPED / space.name / GENERATOR)
    for folder in folders:
        if folder.is_dir():
            with suppress(BadInput):  # of an earlier version, damaged, or of other knobs
                return _made.setdefault(key, load(space, folder))
    made = _made.setdefault(key, generator(space, preset=preset, told=told))
    if made.weights is not None:
        shutil.rmtree(kept, ignore_errors=True)
        with suppress(OSError, BadInput):  # a full disk, or another process that keeps the same
            save(made, kept)
    return made


def _key(space: Space[Any], trained: str) -> str:
    """A name that changes with the knobs, with what is canonical, and with what is trained, if anything is."""
    rng = random.Random(0)
    canonical = [space.to_json(space.canonical(space.sample(rng))) for _ in range(SAMPLED)]
    seen = json.dumps([space.knobs_fingerprint(), canonical, trained])
    return f"{space.name}-{hashlib.sha256(seen.encode()).hexdigest()[:16]}"
