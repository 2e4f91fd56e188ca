"""From an architecture to readable Python source, and from there to a module.

The text that ``export`` writes is the text that the search executed, so the two cannot drift apart.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
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
    "edge_weight": "[edges]",
    "edge_attr": "edge features, [edges, {edge_features}]",
    "batch": "[nodes], the graph that each node belongs to",
    "edge_label_index": "the pairs of nodes to score, [2, links]",
}


def trace(architecture: Any, task: Task, whole: bool = False) -> tuple[Network, Value]:
    """The steps of the architecture's network, and the value it returns.

    Args:
        whole: whether its formats are passed over.

    Raises:
        BadInput: if the space's class describes no network, or a network that does not fit the task.
    """
    if not hasattr(architecture, "network"):
        raise BadInput(
            f"{type(architecture).__name__} describes no network: give the class a method network(self, net) that "
            "returns the node embeddings"
        )
    net = Network(task, getattr(architecture, "readout", "mean"), getattr(architecture, "decoder", "mlp"), whole)
    value = architecture.network(net)
    if not isinstance(value, Value):
        raise BadInput(f"{type(architecture).__name__}.network must return a value of the network; got {value!r}")
    result = finish(net, value)
    net.keep(result)
    return net, result


def source(architecture: Any, task: Task, whole: bool = False) -> str:
    """Python source of the architecture's network: a class ``Model`` that takes ``task.inputs``.

    It imports torch and torch_geometric only; operators of the user's own are printed in full where they can be,
    else imported by name, and a comment says so.

    Args:
        whole: whether its formats are passed over: the network that computes with all bits.
    """
    net, result = trace(architecture, task, whole)
    imports, definitions = _surroundings(net)
    made = [f"        self.{s.attribute} = {s.construct}" for s in net.steps if s.construct]
    arguments = ", ".join(f"{name}: torch.Tensor" for name in task.inputs)
    widths = {"features": task.features, "edge_features": task.edge_features}
    shapes = "".join(f"    {name}: {SHAPES[name].format(**widths)}\n" for name in task.inputs)
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
    parts = [head + "\n" + "\n".join(_merged(imports)), *definitions, model]
    return "\n\n\n".join(parts) + "\n"


def _surroundings(net: Network) -> tuple[set[str], list[str]]:
    """The import lines and the definitions that the model needs.

    Raises:
        BadInput: if two of them want the same name for different things.
    """
    imports, definitions = {"import torch"} | net.imports, dict[str, str]()
    meanings = {"Model": "the generated network"}

    def claim(name: str, meaning: str) -> None:
        if meanings.setdefault(name, meaning) != meaning:
            raise BadInput(f"the generated module would need two things called {name!r}; rename one of your own")

    for cls in net.printed:
        try:
            found = printed(cls)
        except NotPrintable as why:
            if getattr(sys.modules.get(cls.__module__), cls.__name__, None) is not cls:
                raise BadInput(
                    f"the source of {cls.__name__} cannot be exported and it cannot be imported: {why}"
                ) from why
            imports.add(f"from {cls.__module__} import {cls.__name__}  # needed beside this file: {why}")
        else:
            imports |= found.imports
            for name, text in found.definitions.items():
                claim(name, text)
            definitions |= found.definitions
    for line in imports:
        claim(*_bound(line))
    return imports, list(definitions.values())


@lru_cache(maxsize=1024)
def _bound(line: str) -> tuple[str, str]:
    """The name that an import line binds, and to what."""
    (node,) = ast.parse(line).body
    assert isinstance(node, ast.Import | ast.ImportFrom)
    (alias,) = node.names
    if isinstance(node, ast.ImportFrom):
        return alias.asname or alias.name, f"{node.module}.{alias.name}"
    package = alias.name.split(".")[0]
    return (alias.asname, alias.name) if alias.asname else (package, package)


@lru_cache(maxsize=256)
def without_comments(text: str) -> str:
    """The program alone: equal for sources that compute the same and are explained differently."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _merged(imports: Iterable[str]) -> list[str]:
    """The lines in order: ``__future__``, plain imports, one ``from`` line for each module, those with a comment."""
    homes: dict[str, list[str]] = {}
    for line in sorted(imports):
        if line.startswith("from") and "#" not in line:
            home, _, name = line.partition(" import ")
            homes.setdefault(home, []).append(name)
    merged = [f"{home} import {', '.join(names)}" for home, names in homes.items()]
    future = [line for line in merged if line.startswith("from __future__")]
    plain = sorted(line for line in imports if line.startswith("import"))
    return (
        future
        + plain
        + [line for line in merged if line not in future]
        + [line for line in sorted(imports) if "#" in line]
    )


def _forward(net: Network, result: Value) -> Iterator[str]:
    """The body of ``forward``. A value gets the first of the names x, h1, h2, ... that no later step reads."""
    last_read = {v.number: i for i, step in enumerate(net.steps) for v in step.inputs}
    last_read[result.number] = len(net.steps)
    names = {net.x.number: "x"}
    for i, step in enumerate(net.steps):
        if step.comment:
            yield f"        # {step.comment}"
        call = step.call.format(*(names[v.number] for v in step.inputs))
        held = {name for number, name in names.items() if last_read.get(number, -1) > i}
        name = next(name for name in ("x", *(f"h{k}" for k in range(1, i + 2))) if name not in held)
        names[step.output.number] = name
        yield f"        {name} = {call}"
    if net.task.spread:
        yield "        # from deviations around the mean of the training to the numbers themselves"
    yield f"        return {_in_units(names[result.number], net.task)}"


def _in_units(name: str, task: Task) -> str:
    """The outputs times the task's spread, plus its centre."""
    if not task.spread:
        return name
    if len(task.spread) == 1:
        return f"{task.spread[0]!r} * {name} + {task.centre[0]!r}"
    return f"{name} * {name}.new_tensor({list(task.spread)}) + {name}.new_tensor({list(task.centre)})"


def load(text: str) -> type[torch.nn.Module]:
    """Execute generated source and return its ``Model`` class.

    The module stays importable for a while, because torch_geometric looks up the modules of its layers by name.
    """
    name = "nas_generated_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    if name not in _loaded:
        module = ModuleType(name)
        module.__file__ = f"<{name}>"
        linecache.cache[module.__file__] = (len(text), None, text.splitlines(True), module.__file__)
        code = compile(text, module.__file__, "exec")
        sys.modules[name] = _loaded[name] = module
        try:
            exec(code, module.__dict__)
        except BaseException:
            del _loaded[name], sys.modules[name]
            raise
        while len(_loaded) > KEPT:
            old = next(iter(_loaded))
            del _loaded[old], sys.modules[old], linecache.cache[f"<{old}>"]
    model: type[torch.nn.Module] = _loaded[name].Model
    return model


def module(architecture: Any, task: Task) -> torch.nn.Module:
    """The architecture as a module with fresh weights."""
    return load(source(architecture, task))()
