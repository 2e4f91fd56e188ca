"""Writing an architecture and its weights as files that stand alone."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.data import encodings
from nas.data.features import CATEGORIES_ONE_HOT, EDGE_CATEGORIES_ONE_HOT
from nas.evaluation.evaluate import write_weights
from nas.evaluation.packing import stored
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.source import load, source
from nas.searchspace.space import Space
from nas.searchspace.task import Task

PROGRAM, FEATURES = "model.pt2", "features.py"
NAMES = ("model.py", "weights.safetensors", "architecture.json", "predict.py", FEATURES, PROGRAM)


def export(
    architecture: Any,
    space: Space[Any],
    task: Task,
    state: Mapping[str, Tensor],
    to: Path,
    facts: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write ``model.py``, ``weights.safetensors``, ``architecture.json``, ``predict.py`` and, where the operators
    allow it, the ``torch.export`` program ``model.pt2`` with free numbers of nodes and edges.

    Where a new graph needs features that are made of categories or of its edges, ``features.py`` makes them.

    Weights of quantised layers are packed in the file, which has as many bytes as the search said; ``predict.py``
    unpacks them, and computes with ``--int8`` on whole numbers where that was measured to be faster.

    Args:
        to: folder to make; files of an earlier export in it are replaced.
        facts: what else to write into ``architecture.json``, such as the trial and its metrics.

    Returns:
        The files. ``architecture.json`` says why there is no program, if there is none.

    Raises:
        BadInput: if ``to`` is a file, or a folder with something else in it.
        RunError: if the folder cannot be written.
    """
    check_folder(to)
    text = source(architecture, task)
    model = load(text)()
    model.load_state_dict(dict(state))
    state = stored(model)
    model.load_state_dict(state)  # what is shipped: weights that are rounded already
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as scratch:
            here = Path(scratch)
            (here / "model.py").write_text(text, encoding="utf-8")
            write_weights(state, here / "weights.safetensors")
            shutil.copyfile(Path(__file__).with_name("predict.py"), here / "predict.py")
            if _makes_features(task):
                shutil.copyfile(encodings.__file__, here / FEATURES)
            problem = _program(model.eval(), task, here / PROGRAM)
            described = {
                "space": space.name,
                "architecture": space.to_json(architecture),
                "task": {**task.describe(), "inputs": task.inputs},
                "program": PROGRAM if problem is None else f"none: {problem}",
                **(facts or {}),
            }
            (here / "architecture.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
            to.mkdir(exist_ok=True)
            for name in (PROGRAM, FEATURES):
                (to / name).unlink(missing_ok=True)
            for file in here.iterdir():
                os.replace(file, to / file.name)
    except FileExistsError as error:
        raise BadInput(f"{error.filename} is a file where the export to {to} needs a folder") from error
    except OSError as error:
        raise RunError(f"the export to {to} failed: {error.strerror or error}") from error
    return [to / name for name in NAMES if (to / name).exists()]


def check_folder(to: Path) -> None:
    """Refuse a folder that an export must not be written to.

    Raises:
        BadInput: if it is a file, or has something else in it.
    """
    if to.exists() and (not to.is_dir() or not {p.name for p in to.iterdir()} <= {*NAMES, "__pycache__"}):
        raise BadInput(f"{to} exists and is not an earlier export; choose another folder with --to")


def _makes_features(task: Task) -> bool:
    """Whether a new graph gets features that the file beside ``predict.py`` makes."""
    kinds = {word.partition(":")[0] for word in task.transforms}
    return bool(kinds & {*encodings.WORDS, CATEGORIES_ONE_HOT, EDGE_CATEGORIES_ONE_HOT})


def _program(model: torch.nn.Module, task: Task, path: Path) -> str | None:
    """Write the ``torch.export`` program; a string says why it could not be made."""
    from torch.export import Dim, save

    nodes, edges, links = Dim("nodes", min=2), Dim("edges", min=2), Dim("links", min=2)
    shapes = {
        "x": {0: nodes},
        "edge_index": {1: edges},
        "edge_weight": {0: edges},
        "edge_attr": {0: edges},
        "batch": {0: nodes},
        "edge_label_index": {1: links},
    }
    try:
        with _silence(), torch.no_grad():
            program = torch.export.export(
                model, _ring(task, 12, 2), dynamic_shapes=tuple(shapes[name] for name in task.inputs), strict=False
            )
            compiled = program.module()
            for graph in (_ring(task, 12, 2), _ring(task, 21, 3), _knot(task)):
                wanted, got = model(*graph), compiled(*graph)
                if not torch.allclose(wanted, got, rtol=1e-5, atol=1e-5 * float(wanted.abs().max())):
                    return "the program computes something else than the module"
            save(program, path)
    except Exception as error:
        path.unlink(missing_ok=True)
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        return f"{type(error).__name__}: {first}"[:300]
    return None


@contextmanager
def _silence() -> Iterator[None]:
    """Without warnings and torch's own log and prints: pages about an operator that it cannot export."""
    before, nowhere = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _ring(task: Task, nodes: int, graphs: int) -> tuple[Tensor, ...]:
    """A ring of nodes, cut into graphs by ``batch`` alone."""
    here = torch.arange(nodes)
    there = here.roll(-1)
    edge_index = torch.stack([torch.cat([here, there]), torch.cat([there, here])])
    return _arguments(task, edge_index, here // (nodes // graphs))


def _knot(task: Task) -> tuple[Tensor, ...]:
    """What a user's graph may hold: self-loops, an edge given twice, one-way edges, a node without any."""
    edge_index = torch.tensor([[0, 0, 1, 1, 2, 3, 3, 5, 6], [0, 1, 2, 2, 0, 3, 2, 6, 5]])
    return _arguments(task, edge_index, torch.tensor([0, 0, 0, 0, 0, 1, 1]))


def _arguments(task: Task, edge_index: Tensor, batch: Tensor) -> tuple[Tensor, ...]:
    rng, edges = torch.Generator().manual_seed(0), edge_index.size(1)
    made = {
        "x": torch.rand(len(batch), task.features, generator=rng),
        "edge_index": edge_index,
        "edge_weight": torch.rand(edges, generator=rng),
        "edge_attr": torch.rand(edges, task.edge_features, generator=rng),
        "batch": batch,
        "edge_label_index": torch.stack([torch.arange(len(batch)), torch.arange(len(batch)).roll(3)])[
            :, 1:
        ].contiguous(),
    }
    return tuple(made[name] for name in task.inputs)
