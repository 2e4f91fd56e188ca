"""Writing an architecture and its weights as files that stand alone."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.evaluation.evaluate import write_weights
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.source import load, source
from nas.searchspace.space import Space
from nas.searchspace.task import Task

PROGRAM = "model.pt2"


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

    Args:
        to: folder to make; files of an earlier export in it are replaced.
        facts: what else to write into ``architecture.json``, such as the trial and its metrics.

    Returns:
        The files. ``architecture.json`` says why there is no program, if there is none.

    Raises:
        BadInput: if ``to`` is a file, or a folder with something else in it.
        RunError: if the folder cannot be written.
    """
    names = ("model.py", "weights.safetensors", "architecture.json", "predict.py", PROGRAM)
    if to.exists() and (not to.is_dir() or not {p.name for p in to.iterdir()} <= {*names, "__pycache__"}):
        raise BadInput(f"{to} exists and is not an earlier export; choose another folder with --to")
    text = source(architecture, task)
    model = load(text)()
    model.load_state_dict(dict(state))
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as scratch:
            here = Path(scratch)
            (here / "model.py").write_text(text, encoding="utf-8")
            write_weights(dict(state), here / "weights.safetensors")
            shutil.copyfile(Path(__file__).with_name("predict.py"), here / "predict.py")
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
            (to / PROGRAM).unlink(missing_ok=True)
            for file in here.iterdir():
                os.replace(file, to / file.name)
    except OSError as error:
        raise RunError(f"the export to {to} failed: {error.strerror or error}") from error
    return [to / name for name in names if (to / name).exists()]


def _program(model: torch.nn.Module, task: Task, path: Path) -> str | None:
    """Write the ``torch.export`` program; a string says why it could not be made."""
    from torch.export import Dim, save

    nodes, edges = Dim("nodes", min=2), Dim("edges", min=2)
    shapes = {"x": {0: nodes}, "edge_index": {1: edges}, "batch": {0: nodes}}
    arguments = _example(task)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                model, arguments, dynamic_shapes=tuple(shapes[name] for name in task.inputs), strict=False
            )
            wanted, got = model(*arguments), program.module()(*arguments)
            if not torch.allclose(wanted, got, atol=1e-5):
                return "the exported program computes something else than the module"
            save(program, path)
    except Exception as error:
        first = next((line for line in str(error).splitlines() if line.strip()), "")
        return f"{type(error).__name__}: {first}"[:300]
    return None


def _example(task: Task) -> tuple[Tensor, ...]:
    """A small ring of nodes in two graphs."""
    nodes = 12
    ring = torch.arange(nodes)
    made = {
        "x": torch.rand(nodes, task.features, generator=torch.Generator().manual_seed(0)),
        "edge_index": torch.stack([torch.cat([ring, ring.roll(-1)]), torch.cat([ring.roll(-1), ring])]),
        "batch": torch.arange(nodes) // (nodes // 2),
    }
    return tuple(made[name] for name in task.inputs)
