"""Classes made of another space's class, with more knobs: their architectures travel between processes by recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from nas.searchspace.language import architecture


@dataclass(frozen=True)
class _Recipe:
    """A class that ``make`` returns; its arguments may be such classes themselves."""

    make: Callable[..., Any]
    arguments: tuple[Any, ...]


def derived(
    make: Callable[..., Any], of: Any, arguments: tuple[Any, ...], knobs: Mapping[str, tuple[Any, Any]], **body: Any
) -> Any:
    """A class like ``of`` with more fields.

    Args:
        make: ``make(of, *arguments)`` returns this class again, from a cache.
        knobs: type and domain of each new field by name.
        body: methods.
    """
    inside: dict[str, Any] = {name: domain for name, (_, domain) in knobs.items()}
    inside["__annotations__"] = {name: kind for name, (kind, _) in knobs.items()}
    inside["__module__"] = of.__module__
    inside["__recipe__"] = _Recipe(make, (of, *arguments))
    inside["__reduce__"] = lambda self: (_again, (_recipe(type(self)), self.__getstate__()))  # its name finds ``of``
    return architecture(type(of.__name__, (of,), inside | body))


def _recipe(value: Any) -> Any:
    """How a class is made; any other value, and a class that its name finds, as it is."""
    held = value.__dict__.get("__recipe__") if isinstance(value, type) else None
    return value if held is None else _Recipe(held.make, tuple(map(_recipe, held.arguments)))


@cache
def _made(value: Any) -> Any:
    return value.make(*map(_made, value.arguments)) if isinstance(value, _Recipe) else value


def _again(recipe: Any, state: dict[str, Any]) -> Any:
    made = object.__new__(_made(recipe))
    made.__dict__.update(state)
    return made
