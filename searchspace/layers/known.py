"""Recognising our own layers, whose classes are printed into every generated module, by their code."""

from __future__ import annotations

from functools import cache
from types import FunctionType
from typing import Any

from nas.searchspace.layers.aggregate import Aggregate
from nas.searchspace.layers.attention import AttentionConv


@cache
def _code(cls: type) -> dict[str, tuple[Any, ...]]:
    functions = {name: f.__code__ for name, f in vars(cls).items() if isinstance(f, FunctionType)}
    return {name: (c.co_code, c.co_consts, c.co_names, c.co_varnames) for name, c in functions.items()}


def is_ours(cls: type) -> type | None:
    """The layer of ours that a printed class is, if it is one."""
    for ours in (Aggregate, AttentionConv):
        if cls.__name__ == ours.__name__ and (cls is ours or _code.__wrapped__(cls) == _code(ours)):
            return ours
    return None
