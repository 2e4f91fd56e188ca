"""The source of a layer class with all it needs, so that an exported module stands alone."""

from __future__ import annotations

import ast
import builtins
import inspect
import symtable
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import ModuleType
from typing import Any

from nas.searchspace.domains import plain

STANDALONE = {"torch", "torch_geometric"} | set(sys.stdlib_module_names)
"""Top-level packages an exported module may import."""


class NotPrintable(Exception):  # noqa: N818
    """The class needs something that cannot be written down; the message says what."""


@dataclass(frozen=True)
class Printed:
    """What defines a class: import lines, and definitions by name, each after those it needs."""

    imports: set[str] = field(default_factory=set)
    definitions: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=256)
def printed(cls: Any) -> Printed:
    """The class with the functions, classes and constants of its module that it uses.

    Raises:
        NotPrintable: if the source cannot be found, or the class needs a package besides torch and torch_geometric.
    """
    made = Printed()
    _collect(cls, made)
    return made


def _collect(item: Any, made: Printed) -> None:
    """Add a class or function, after what it needs."""
    try:
        module = sys.modules[item.__module__]
        text = textwrap.dedent(inspect.getsource(item)).strip()
        imports = _imports(module)
    except (KeyError, OSError, TypeError):
        raise NotPrintable(f"the source of {item.__name__} is not in a file") from None
    text = _undecorated(text, imports)
    made.imports.update(line for package, line in imports.get("annotations", []) if package == "__future__")
    made.definitions[item.__name__] = ""  # holds the place against recursion
    for name in sorted(_free_names(text)):
        if name not in made.definitions:
            _need(name, item.__name__, module, imports, made)
    del made.definitions[item.__name__]
    made.definitions[item.__name__] = text


def _need(name: str, user: str, module: ModuleType, imports: Imports, made: Printed) -> None:
    """Add what one global name stands for."""
    if name in imports:
        for package, line in imports[name]:
            if package not in STANDALONE:
                raise NotPrintable(f"it needs the package {package}")
            made.imports.add(line)
        return
    if not hasattr(module, name):
        if hasattr(builtins, name):
            return
        raise NotPrintable(f"{user} uses {name}, which its module does not define")
    value = getattr(module, name)
    own = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__
    if own and value.__name__ == name:
        _collect(value, made)
    elif _literal(value):
        made.definitions[name] = f"{name} = {value!r}"
    else:
        raise NotPrintable(f"it needs {name}, a {type(value).__name__} that its module makes")


def _literal(value: Any) -> bool:
    """Whether ``repr`` writes the value down."""
    if type(value) is dict:
        return all(map(_literal, [*value.keys(), *value.values()]))
    return all(map(_literal, value)) if type(value) in (tuple, list) else plain(value)


Imports = dict[str, list[tuple[str, str]]]
"""Name to the packages and lines that import it."""


def _imports(module: ModuleType) -> Imports:
    """What the module imports outside of its functions and classes."""
    found: Imports = {}
    for node in _outer(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.split(".")[0]
                line = ast.unparse(ast.Import([alias]))
                found.setdefault(alias.asname or package, []).append((package, line))
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "").split(".")[0]
            for alias in node.names:
                line = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
                found.setdefault(alias.asname or alias.name, []).append((package, line))
    return found


def _outer(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _outer(node)


def _undecorated(text: str, imports: Imports) -> str:
    """The definition without our own decorators: they mean nothing outside a search."""
    lines, (node, *_) = text.splitlines(), ast.parse(text).body
    for decorator in reversed(getattr(node, "decorator_list", [])):
        root = decorator.func if isinstance(decorator, ast.Call) else decorator
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and any(package == "nas" for package, _ in imports.get(root.id, [])):
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(lines)


def _free_names(text: str) -> set[str]:
    """The global names that the code reads and does not define itself, by Python's own rules of scope."""
    top = symtable.symtable(text, "<layer>", "exec")
    tables, names = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        symbols = [s for s in table.get_symbols() if s.is_referenced() or s.is_declared_global()]
        names |= {s.get_name() for s in symbols if s.is_global()}
    defined = {s.get_name() for s in top.get_symbols() if s.is_namespace()}
    return names - defined - {"__name__", "__file__"}
