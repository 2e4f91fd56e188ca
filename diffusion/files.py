"""Generators in a folder: what they are as JSON, what they learned as safetensors."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as written

from nas.diffusion.denoisers import Product
from nas.diffusion.generator import Generator
from nas.diffusion.listed import Listed
from nas.diffusion.noise import Noise
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.published import ScoreNetwork
from nas.diffusion.rows import Rows
from nas.diffusion.transformer import Transformer
from nas.searchspace.errors import BadInput
from nas.searchspace.parsing import json_of
from nas.searchspace.space import Space

FORMAT = 1
"""Of the files; a larger one is of a later version of this package."""
DESCRIBED, LEARNED = "generator.json", "generator.safetensors"
KINDS: dict[str, Any] = {
    "product": Product,
    "listed": Listed,
    "perceptron": Perceptron,
    "transformer": Transformer,
    "published": ScoreNetwork,
}


def save(generator: Generator, folder: str | os.PathLike[str]) -> None:
    """Write the folder, whole or not at all; one that is there is replaced.

    Raises:
        BadInput: if it would replace something else, or the denoiser is none of this package.
    """
    folder = Path(folder)
    kinds = [kind for kind, of in KINDS.items() if type(generator.denoiser) is of]
    if not kinds:
        raise BadInput(f"a generator is written with one of the denoisers {', '.join(KINDS)}; "
                       f"got {generator.denoiser!r}")  # fmt: skip
    if folder.exists() and not (folder / DESCRIBED).is_file():
        raise BadInput(f"{folder} is there and holds no generator; name another folder")
    arrays = {"prior": generator.prior, **dict(_named(generator.weights, "weights"))}
    learned = written({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    denoiser: Any = generator.denoiser
    described = {
        "format": FORMAT,
        "written with": {name: version(name) for name in ("gnn-nas", "jax", "numpy")},
        "rows": generator.rows.describe(),
        "denoiser": {"kind": kinds[0], **asdict(denoiser)},
        "noise": asdict(generator.noise),
        "sha256": hashlib.sha256(learned).hexdigest(),
    }
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        (temporary / LEARNED).write_bytes(learned)
        (temporary / DESCRIBED).write_text(json.dumps(described, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load(space: Space[Any], folder: str | os.PathLike[str]) -> Generator:
    """What was saved; it draws what the saved one draws.

    Args:
        space: whose knobs are those of the saved one's space, whatever the spaces are called.

    Raises:
        BadInput: if the folder holds no generator, one of other knobs or of a later version, or if it is damaged.
    """
    folder = Path(folder)
    try:
        text, learned = (folder / DESCRIBED).read_text(), (folder / LEARNED).read_bytes()
    except OSError as error:
        raise BadInput(f"{folder} holds no generator: {error.strerror or error}: {error.filename}") from error
    try:
        described = json_of(text)
        number, theirs = described["format"], dict(described["rows"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder / DESCRIBED} is damaged: {type(error).__name__}: {error}") from error
    if number != FORMAT:
        raise BadInput(f"{folder / DESCRIBED} has format {number!r} and this version reads format {FORMAT}; it was "
                       f"written with {described.get('written with')}")  # fmt: skip
    rows = Rows(space)
    own = rows.describe()
    if any(own[key] != theirs.get(key) for key in ("knobs", "rows")):
        raise BadInput(f"{folder} generates architectures of the space {theirs.get('space')!r}, whose knobs are not "
                       f"those of {own['space']!r}")  # fmt: skip
    if hashlib.sha256(learned).hexdigest() != described.get("sha256"):
        raise BadInput(f"{folder / LEARNED} is damaged: it is not what {DESCRIBED} was written with")
    arrays = read_arrays(learned)
    prior, weights = arrays.pop("prior"), _tree(arrays).get("weights")
    try:
        denoiser = dict(described["denoiser"])
        made, noise = KINDS[denoiser.pop("kind")](**denoiser), Noise(**described["noise"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{folder / DESCRIBED} is damaged: {type(error).__name__}: {error}") from error
    return Generator(rows, made, weights, prior, noise)


def _named(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The arrays of dictionaries and lists within each other, by ``weights.blocks.0.out.w``."""
    if isinstance(tree, dict | list):
        for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _named(inner, f"{name}.{key}")
    elif tree is not None:
        yield name, np.asarray(tree)


def _tree(arrays: dict[str, Any]) -> dict[str, Any]:
    """The inverse of ``_named``."""
    found: dict[str, Any] = {}
    for name, array in arrays.items():
        *path, last = name.split(".")
        inner = found
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = array
    return {key: _listed(inner) for key, inner in found.items()}


def _listed(tree: Any) -> Any:
    """With lists in place of dictionaries whose keys are numbers."""
    if not isinstance(tree, dict):
        return tree
    inner = {key: _listed(value) for key, value in tree.items()}
    return [inner[str(k)] for k in range(len(inner))] if all(key.isdigit() for key in inner) else inner
