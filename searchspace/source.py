"""From an architecture to readable Python source, and from there to a module.

The text that ``export`` writes is the text that the search executed, so the two cannot drift apart.
"""

from __future__ import annotations

import hashlib
import linecache
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nas.searchspace.errors import BadInput
from nas.searchspace.heads import finish
from nas.searchspace.network import Network, Value
from nas.searchspace.printing import NotPrintable, printed
from nas.searchspace.task import Task

if TYPE_CHECKING:
    import torch

KEPT = 64
"""How many generated modules stay loaded; a long search would otherwise grow without end."""

_loaded: dict[str, ModuleType] = {}

SHAPES = {
    "x": "node features, [nodes, {features}]",
    "edge_index": "[2, edges], sources in row 0 and targets in row 1",
    "batch": "[nodes], the graph that each node belongs to",
}


def trace(architecture: Any, task: Task) -> tuple[Network, Value]:
    """The steps of the architecture's network, and the value it returns.

    Raises:
        BadInput: if the space's class describes no network, or a network that does not fit the task.
    """
    if not hasattr(architecture, "network"):
        raise BadInput(
            f"{type(architecture).__name__} describes no network: give the class a method network(self, net) that "
            "returns the node embeddings"
        )
    net = Network(task)
    value = architecture.network(net)
    if not isinstance(value, Value):
        raise BadInput(f"{type(architecture).__name__}.network must return a value of the network; got {value!r}")
    return net, finish(net, value, getattr(architecture, "readout", None))


def source(architecture: Any, task: Task) -> str:
    """Python source of the architecture's network: a class ``Model`` that takes ``task.inputs``.

    It imports torch and torch_geometric only; operators of the user's own are printed in full where they can be,
    else imported by name, and a comment says so.
    """
    net, result = trace(architecture, task)
    imports = {"import torch"} | net.imports
    definitions = []
    for cls in net.printed:
        try:
            more, text = printed(cls)
            imports |= more
            definitions.append(text)
        except NotPrintable as why:
            imports.add(f"from {cls.__module__} import {cls.__name__}  # needed beside this file: {why}")
    made = [f"        self.{s.attribute} = {s.construct}" for s in net.steps if s.construct]
    arguments = ", ".join(f"{name}: torch.Tensor" for name in task.inputs)
    shapes = "".join(f"    {name}: {SHAPES[name].format(features=task.features)}\n" for name in task.inputs)
    items = {"node": "nodes", "graph": "graphs", "link": "links"}[task.level]
    kind = {"multiclass": "class scores", "multilabel": "label scores", "regression": "values"}[task.target]
    head = (
        f'"""A graph neural network for {task.level}-level {task.target} prediction.\n\n'
        f"``Model().forward`` takes\n{shapes}"
        f'and returns [{items}, {task.outputs}], the {kind} before any softmax or sigmoid.\n"""\n'
    )
    model = "\n".join(
        [
            "class Model(torch.nn.Module):",
            "    def __init__(self) -> None:",
            "        super().__init__()",
            *made,
            "",
            f"    def forward(self, {arguments}) -> torch.Tensor:",
            *_forward(net, result),
        ]
    )
    plain = sorted(line for line in imports if line.startswith("import"))
    parts = [head + "\n" + "\n".join(plain + _merged(imports)), *definitions, model]
    return "\n\n\n".join(parts) + "\n"


def _merged(imports: set[str]) -> list[str]:
    """``from`` lines, one for each module unless a line carries a comment."""
    names: dict[str, set[str]] = {}
    rest = []
    for line in imports:
        if match := re.fullmatch(r"from (\S+) import ([^#]+)", line):
            names.setdefault(match[1], set()).add(match[2].strip())
        elif line.startswith("from"):
            rest.append(line)
    return sorted(f"from {home} import {', '.join(sorted(found))}" for home, found in names.items()) + sorted(rest)


def _forward(net: Network, result: Value) -> Iterator[str]:
    """The body of ``forward``. A value takes over the name of an input that nobody reads any more."""
    last_read = {v.number: i for i, step in enumerate(net.steps) for v in step.inputs}
    last_read[result.number] = len(net.steps)
    names = {net.x.number: "x"}
    for i, step in enumerate(net.steps):
        if step.output.number not in last_read:
            continue  # nobody uses it
        if step.comment:
            yield f"        # {step.comment}"
        read = [names[v.number] for v in step.inputs]
        free = [names[v.number] for v in step.inputs if last_read[v.number] == i]
        held = {names[n] for n, until in last_read.items() if n in names and until > i}
        fresh = next(name for name in ["x", *(f"h{k}" for k in range(1, i + 2))] if name not in held)
        names[step.output.number] = min(free, key=len) if free and min(free, key=len) not in held else fresh
        yield f"        {names[step.output.number]} = {step.call.format(*read)}"
    yield f"        return {names[result.number]}"


def load(text: str) -> type[torch.nn.Module]:
    """Execute generated source and return its ``Model`` class.

    The module stays importable for a while, because torch_geometric looks up the modules of its layers by name.
    """
    name = "nas_generated_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    if name not in _loaded:
        module = ModuleType(name)
        module.__file__ = f"<{name}>"
        linecache.cache[module.__file__] = (len(text), None, text.splitlines(True), module.__file__)
        sys.modules[name] = module
        exec(compile(text, module.__file__, "exec"), module.__dict__)
        _loaded[name] = module
        while len(_loaded) > KEPT:
            old = next(iter(_loaded))
            del _loaded[old], sys.modules[old], linecache.cache[f"<{old}>"]
    model: type[torch.nn.Module] = _loaded[name].Model
    return model


def module(architecture: Any, task: Task) -> torch.nn.Module:
    """The architecture as a module with fresh weights."""
    return load(source(architecture, task))()
