"""The source of a layer class with all it needs, so that an exported module stands alone."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from types import ModuleType
from typing import Any

STANDALONE = {"torch", "torch_geometric"} | set(sys.stdlib_module_names)
"""Top-level packages an exported module may import."""


class NotPrintable(Exception):
    """The class needs something that cannot be written down; the message says what."""


def printed(cls: type) -> tuple[set[str], str]:
    """Import lines and the definitions (the class last) that together define ``cls``.

    Raises:
        NotPrintable: if the source cannot be found, or the class needs a package besides torch and torch_geometric.
    """
    imports: set[str] = set()
    definitions: dict[str, str] = {}
    _collect(cls, imports, definitions)
    return imports, "\n\n\n".join(definitions.values())


def _collect(item: Any, imports: set[str], definitions: dict[str, str]) -> None:
    if item.__name__ in definitions:
        return
    try:
        text = textwrap.dedent(inspect.getsource(item))
    except (OSError, TypeError):
        raise NotPrintable(f"the source of {item.__name__} is not in a file") from None
    tree = ast.parse(text)
    node = tree.body[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    if isinstance(node, ast.ClassDef):  # the @operator decorator means nothing outside a search
        node.decorator_list = []
        text = "\n".join(text.splitlines()[node.lineno - 1 :])
    definitions[item.__name__] = ""  # holds the place against recursion
    module = sys.modules[item.__module__]
    for name in sorted(_free_names(tree)):
        if name == item.__name__ or hasattr(builtins, name) and not hasattr(module, name):
            continue
        if not hasattr(module, name):
            raise NotPrintable(f"{item.__name__} uses {name}, which its module does not define")
        _need(name, getattr(module, name), module, imports, definitions)
    del definitions[item.__name__]
    definitions[item.__name__] = text.strip()


def _need(name: str, value: Any, module: ModuleType, imports: set[str], definitions: dict[str, str]) -> None:
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if isinstance(value, ModuleType):
        if home.split(".")[0] not in STANDALONE:
            raise NotPrintable(f"it needs the package {home}")
        imports.add(f"import {home}" if home == name else f"import {home} as {name}")
    elif home is not None and home.split(".")[0] in STANDALONE and hasattr(value, "__name__"):
        alias = "" if value.__name__ == name else f" as {name}"
        imports.add(f"from {_public_home(value)} import {value.__name__}{alias}")
    elif home == module.__name__ and inspect.isclass(value) | inspect.isfunction(value):
        _collect(value, imports, definitions)
    elif isinstance(value, int | float | str | bool | tuple | None.__class__):
        definitions[name] = f"{name} = {value!r}"
    else:
        raise NotPrintable(f"it needs {name}, which is {value!r}")


def _public_home(value: Any) -> str:
    """The shortest package that offers the value: ``torch_geometric.nn`` rather than a private file of it."""
    parts = value.__module__.split(".")
    for i in range(1, len(parts) + 1):
        home = ".".join(parts[:i])
        if getattr(sys.modules.get(home), value.__name__, None) is value:
            return home
    raise NotPrintable(f"{value.__name__} cannot be imported from {value.__module__}")


def _free_names(tree: ast.AST) -> set[str]:
    """Names that are read somewhere and bound nowhere in the tree."""
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    bound |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return read - bound
