"""Recognising our own layers, whose classes are printed into every generated module, by their code."""

from __future__ import annotations

from functools import cache
from types import CodeType, FunctionType
from typing import Any

from nas.searchspace.layers.aggregate import Aggregate, EdgeAggregate
from nas.searchspace.layers.attention import AttentionConv, EdgeAttentionConv
from nas.searchspace.layers.decoders import BilinearDecoder, CommonNeighbourDecoder, DotDecoder, ProductDecoder
from nas.searchspace.layers.quantised import Quantised, QuantisedByName, Quantiser

DECODERS = (DotDecoder, BilinearDecoder, ProductDecoder, CommonNeighbourDecoder)
OURS: dict[type, type] = {
    **{layer: layer for layer in (Aggregate, EdgeAggregate, AttentionConv, EdgeAttentionConv, *DECODERS)},
    **{Quantised: Quantised, QuantisedByName: Quantised, Quantiser: Quantiser},
}
"""Our layers, and what each of them counts as."""


def _read(code: CodeType) -> tuple[Any, ...]:
    """What the code does, wherever it stands in its file."""
    constants = tuple(_read(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.co_code, constants, code.co_names, code.co_varnames


@cache
def _code(cls: type) -> dict[str, tuple[Any, ...]]:
    return {name: _read(f.__code__) for name, f in vars(cls).items() if isinstance(f, FunctionType)}


def is_ours(cls: type) -> type | None:
    """The layer of ours that a printed class is, if it is one."""
    for ours, kind in OURS.items():
        if cls.__name__ == ours.__name__ and (cls is ours or _code.__wrapped__(cls) == _code(ours)):
            return kind
    return None
