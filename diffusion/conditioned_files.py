"""Conditioned predictors in a folder: for each data set that they know, one that did not learn from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nas.diffusion.rows import Rows
from nas.predictors.conditioned import Conditioned
from nas.predictors.dataset import STATISTICS, Description, described
from nas.predictors.descriptors import NODE
from nas.searchspace.errors import BadInput
from nas.searchspace.parsing import json_of
from nas.searchspace.task import SPLITS, Task

FORMAT = 1
"""Of the files; a larger one is of a later version of this package."""
DESCRIBED, LEARNED = "predictor.json", "predictor.safetensors"
EVERY = ""
"""Names the predictor that learned from all data sets."""
SAYS = {"statistics": list(STATISTICS), "nodes": list(NODE)}


@dataclass(frozen=True)
class Known:
    """A data set that was learned from.

    Attributes:
        features, outputs: of its task.
        description: what it is like.
    """

    features: int
    outputs: int
    description: Description


@dataclass(frozen=True, eq=False)
class Family:
    """Predictors of one space.

    Attributes:
        known: data sets by name, also those that are described but were no sources.
        predictors: by the name of the data set that was left out; ``EVERY`` learned from all.
    """

    known: Mapping[str, Known]
    predictors: Mapping[str, Conditioned]

    def left_out(self, task: Task) -> str | None:
        """The known data set that this one is or may be: it has as many features and outputs, or else its name."""
        sizes, name = (task.features, task.outputs), task.name.lower()
        same = [known for known, of in self.known.items() if (of.features, of.outputs) == sizes]
        return same[0] if same and name not in same else name if name in self.known else None

    def of(self, task: Task) -> Conditioned:
        """A predictor that learned nothing from the data set of the task."""
        out = self.left_out(task) or EVERY
        return self.predictors[out if out in self.predictors else EVERY]

    def describe(self, task: Task) -> Description:
        """What the data set of a task is like; of a known one also where its graph is not at hand.

        Raises:
            BadInput: for a task without a graph whose data set is not known.
        """
        out = self.left_out(task)
        return described(task) if out is None or any(map(task.batches, SPLITS)) else self.known[out].description


def save_family(family: Family, rows: Rows, folder: str | os.PathLike[str]) -> None:
    """Write the folder. What networks learned is kept as float16, which changes what they say by less than a hundredth.

    Args:
        rows: that the predictors read.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = dict[str, NDArray[Any]]()
    for name, known in family.known.items():
        arrays |= {f"known/{name}/{f.name}": getattr(known.description, f.name) for f in fields(Description)}
    for out, predictor in family.predictors.items():
        arrays |= {f"predictor/{out}/{name}": array for name, array in predictor.arrays.items()}
    short = {name: _shortened(name, array) for name, array in arrays.items()}
    said = {
        "format": FORMAT,
        "rows": rows.describe(),
        "says": SAYS,
        "known": {name: [of.features, of.outputs] for name, of in family.known.items()},
        "sources": {out: list(predictor.sources) for out, predictor in family.predictors.items()},
    }
    save_file(short, folder / LEARNED)
    (folder / DESCRIBED).write_text(json.dumps(said, indent=1) + "\n")


def load_family(rows: Rows, folder: str | os.PathLike[str]) -> Family:
    """What was saved.

    Args:
        rows: of the space, which must be those of the saved one.

    Raises:
        BadInput: if the folder holds no predictors, those of another space or of another version, or if it is damaged.
    """
    folder = Path(folder)
    try:
        told = json_of((folder / DESCRIBED).read_text())
        arrays = load_file(folder / LEARNED)
        number, theirs, says = told["format"], told["rows"], told["says"]
        known, sources = dict(told["known"]), dict(told["sources"])
    except OSError as error:
        raise BadInput(f"{folder} holds no conditioned predictors: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadInput(f"{folder} is damaged: {type(error).__name__}: {error}") from error
    if number != FORMAT or says != SAYS:
        raise BadInput(f"{folder} describes data sets as another version of this package does (format {number!r}); "
                       f"this one reads format {FORMAT}")  # fmt: skip
    own = rows.describe()
    if any(own[key] != theirs.get(key) for key in ("knobs", "rows")):
        raise BadInput(f"{folder} predicts architectures of the space {theirs.get('space')!r}, whose knobs are not "
                       f"those of {own['space']!r}")  # fmt: skip
    try:
        return Family(
            {name: Known(a, b, Description(**_below(arrays, f"known/{name}/"))) for name, (a, b) in known.items()},
            {out: Conditioned(tuple(of), _below(arrays, f"predictor/{out}/")) for out, of in sources.items()},
        )
    except (TypeError, ValueError) as error:
        raise BadInput(f"{folder} is damaged: {error}") from error


def _shortened(name: str, array: NDArray[Any]) -> NDArray[Any]:
    long = array.dtype.kind == "f" and (name.endswith("/nodes") or "/layer." in name)
    return np.ascontiguousarray(array.astype(np.float16) if long else array)


def _below(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    below = {key.removeprefix(name): array for key, array in arrays.items() if key.startswith(name)}
    return {key: array.astype(np.float32) if array.dtype == np.float16 else array for key, array in below.items()}
