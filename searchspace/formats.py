"""Formats as knobs: what a space needs to search precision too, and any space with them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from nas.searchspace.derived import derived
from nas.searchspace.errors import BadInput
from nas.searchspace.language import architecture, choice, declarations, is_architecture, nested, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.precision import check_format
from nas.searchspace.space import Space

WEIGHTS = ("binary", "ternary", "int3", "int4", "int6", "int8")
ACTIVATIONS = ("affine3", "affine4", "affine6", "affine8")
MESSAGES = ("int4", "int6", "int8")
ATTENTION = ("affine4", "affine6", "affine8")
PROTECT = (0.0, 0.1)


@architecture
class Formats:
    """The formats of a layer, see :class:`nas.searchspace.precision.Precision`."""

    weights: str = choice(*WEIGHTS)
    activations: str = choice(*ACTIVATIONS)
    messages: str = choice(*MESSAGES)
    attention: str = choice(*ATTENTION)
    protect: float = choice(*PROTECT)


def formats(
    weights: tuple[str, ...] = WEIGHTS,
    activations: tuple[str, ...] = ACTIVATIONS,
    messages: tuple[str, ...] = MESSAGES,
    attention: tuple[str, ...] = ATTENTION,
    protect: tuple[float, ...] = PROTECT,
) -> type[Formats]:
    """``Formats`` with other options, for a field ``nested(formats(...))``; set ``net.precision`` to it.

    Raises:
        BadInput: for a format that there is not.
    """
    options = {"weights": weights, "activations": activations, "messages": messages, "attention": attention}
    for where, names in options.items():
        for name in names:
            check_format(name, where, by_row=where == "weights")
    if bad := [p for p in protect if not (isinstance(p, int | float) and 0 <= p < 1)]:
        raise BadInput(f"protect is a probability from 0 to below 1; got {bad[0]!r}")
    return _formats(Formats, *map(tuple, options.values()), tuple(map(float, protect)))


@cache
def _formats(of: type[Formats], *options: tuple[Any, ...]) -> type[Formats]:
    if options == (WEIGHTS, ACTIVATIONS, MESSAGES, ATTENTION, PROTECT):
        return of
    names = ("weights", "activations", "messages", "attention", "protect")
    knobs = {name: (float if name == "protect" else str, choice(*o)) for name, o in zip(names, options, strict=True)}
    made: type[Formats] = derived(_formats, of, options, knobs)
    return made


def quantised(space: Any, layers: int = 0, **options: Any) -> Any:
    """The space with a knob for each component's format, the same ones for the whole network or for each layer.

    Args:
        space: a class decorated with ``@architecture``, or a space.
        layers: so many of its operators and linear maps have formats of their own, those that follow have the last
            one's. 0 is the same ones for all.
        options: of :func:`formats`.

    Returns: what came, a class or a space; the knobs are those of its new field ``formats``, a tuple for each layer.

    Raises:
        BadInput: if it has formats already, or for another option that makes no sense.
    """
    if isinstance(space, Space):
        return Space(quantised(space.of, layers, **options), f"{PREFIX}{space.name}")
    if not is_architecture(space):
        raise BadInput(f"quantised takes a class decorated with @architecture, or a space; got {space!r}")
    if layers < 0:
        raise BadInput(f"layers is how many have formats of their own, or 0; got {layers}")
    kinds: Any = formats(**options)
    return _quantised(space, kinds, layers)


PREFIX = "quantised:"
"""In front of a space's name: the space with formats."""


@cache
def _quantised(of: Any, kinds: Any, layers: int) -> Any:
    if "formats" in declarations(of):
        raise BadInput(f"{of.__name__} has a field 'formats' already; set net.precision in its network method")

    def low(name: str) -> Callable[[Any, Network], Value]:
        def written(self: Any, net: Network) -> Value:
            net.precision = self.formats
            value: Value = getattr(of, name)(self, net)
            return value

        return written

    methods = {name: low(name) for name in ("network", "supernet") if hasattr(of, name)}
    field = (tuple[kinds, ...], repeat(kinds, layers, layers)) if layers else (kinds, nested(kinds))
    return derived(_quantised, of, (kinds, layers), {"formats": field}, **methods)
