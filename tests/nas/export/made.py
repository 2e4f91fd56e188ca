"""Exports that the tests of this folder share, and the fresh process that knows nothing of us."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch_geometric.data import Data

from nas.export import files
from nas.export.files import export
from nas.searchspace import Network, Space, Task, Value, architecture, constant
from nas.searchspace.elements import DECODERS
from nas.searchspace.operators import OPERATORS
from nas.searchspace.source import module
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import TASKS, carried, graph

NODES, EDGES = 14, 40
ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
PLAIN: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in OPERATORS]
VARIED = [
    *PLAIN,
    ("gat", {"heads": 4}),
    ("transformer", {"heads": 2}),
    ("sage", {"aggr": "max"}),
    ("cheb", {"K": 1}),
    ("cheb", {"K": 3}),
    *(("attention", {"attention": kind, "heads": 2}) for kind in ATTENTIONS),
    *(("attention", {"aggregate": kind, "heads": 2, "concat": False}) for kind in ("mean", "max", "mlp")),
    ("attention", {"combine": "mlp"}),
]


def one(operator: str, **settings: Any) -> Any:
    """The architecture of a single operator, of width 8 on both sides."""

    @architecture
    class One:
        width: int = constant(8)

        def network(self, net: Network) -> Value:
            return net.operator(operator, net.linear(net.x, self.width), self.width, **settings)

    return One()


def example(task: Task) -> dict[str, torch.Tensor]:
    """A graph with a self-loop and an edge given twice, in two parts."""
    batch = (torch.arange(NODES) >= 5).long()
    edges = graph(NODES, EDGES)
    edges = edges[:, batch[edges[0]] == batch[edges[1]]]
    edges = torch.cat([edges, torch.tensor([[3, *edges[0, :1].tolist()], [3, *edges[1, :1].tolist()]])], dim=1)
    x = torch.rand(NODES, task.features, generator=torch.Generator().manual_seed(1))
    pairs = torch.tensor([[0, 4, 7, 3], [1, 2, 7, 9]])
    more = {name: value.float() for name, value in carried(edges.size(1)).items()}
    return {"x": x, "edge_index": edges, "batch": batch, "edge_label_index": pairs, **more}


def exported(a: Any, space: Space[Any], task: Task, to: Path) -> torch.nn.Module:
    """Export an architecture, and keep beside it a graph with what the search's own module says of it."""
    torch.manual_seed(0)
    model = module(a, task)
    for buffer in model.buffers():  # running means and variances as training leaves them
        if buffer.dtype.is_floating_point:
            buffer.uniform_(0.5, 1.5)
    export(a, space, task, model.state_dict(), to)
    given = example(task)
    arguments = [given[name] for name in task.inputs]
    with torch.no_grad():
        torch.save({"arguments": arguments, "expected": model.eval()(*arguments)}, to.with_suffix(".expected"))
    return model


DRAWN = {
    **{(name, kind): 3 for name in SPACES.names() for kind in ("node", "graph")},
    **{("design", kind): 3 for kind in TASKS},
    ("agnn", "node-weighted"): 3,
    ("agnn", "graph-attributed"): 3,
    ("nasbench-graph", "graph-attributed"): 3,
    ("nasbench-graph", "link"): 3,
}
"""Spaces and kinds of tasks that are exported, with the seed of the architecture."""


WITH_PROGRAM = ("agnn-node", "classic-graph", "lpgnas-node", "design-link")
"""Every level once: a program takes seconds to make and to load. All are made in the slow tests."""


def everything(
    folder: Path, operators: list[tuple[str, dict[str, Any]]], programs: Collection[str] | None = None
) -> list[str]:
    """Export every space for every level, every decoder, and operators with their settings.

    Args:
        programs: names of those whose program is written; None writes all.
    """
    made: dict[str, tuple[Any, Space[Any], Task]] = {}
    for (name, kind), seed in DRAWN.items():
        space = find(name).for_task(TASKS[kind])
        made[f"{name}-{kind}"] = space.sample(random.Random(seed)), space, TASKS[kind]
    for decoder in DECODERS:
        space = find("design").for_task(TASKS["link"])
        made[f"design-{decoder}"] = replace(space.sample(random.Random(0)), decoder=decoder), space, TASKS["link"]
    for number, (operator, settings) in enumerate(operators):
        a = one(operator, **settings)
        made[f"op{number}-{operator}"] = a, Space(type(a)), TASKS["node"]
    for name, of in made.items():
        write = files._program if programs is None or name in programs else lambda *_: "not tried here"
        with patch.object(files, "_program", write):
            exported(*of, folder / name)
    return list(made)


def alone(code: str, *arguments: Any, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process in which nas cannot be imported."""
    start = "import sys, warnings\nwarnings.simplefilter('ignore')\nsys.modules['nas'] = None\n"
    check = "try:\n    import nas\n    sys.exit('nas can be imported')\nexcept ImportError:\n    pass\n"
    command = [sys.executable, "-I", "-c", start + check + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, **more)


def tiny(**more: Any) -> Data:
    """A directed graph with unequal rows."""
    x = torch.arange(24.0).reshape(8, 3) + 1
    x[2] = 0
    edges = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 0], [1, 2, 3, 4, 5, 6, 7, 4]])
    return Data(**({"x": x, "edge_index": edges, "y": torch.arange(8) % 2} | more))
