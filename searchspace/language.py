"""The declaration language: a search space is a class whose fields name their domains.

    @architecture
    class Layer:
        conv: str = choice("gcn", "gat", "sage")
        heads: int | None = choice(1, 4, 8, when=lambda layer: layer.conv == "gat")

    @architecture
    class GNN:
        layers: tuple[Layer, ...] = repeat(Layer, 1, 4)
        hidden: int = choice(16, 64, 256)

An instance is an architecture: immutable, hashable, comparable, and valid once made.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform, overload

from nas.searchspace.domains import Choice, Constant, Declared, Domain, Earlier, Integer, Nested, Real, Repeat, When
from nas.searchspace.errors import BadInput

T = TypeVar("T")
HASH = "_hash"
"""Where an instance remembers its hash; no field."""


@dataclass(frozen=True)
class Knob:
    """What a field was declared as, and the condition under which it is there at all."""

    domain: Declared
    when: When | None = None

    def active(self, partial: Any) -> bool:
        """Whether the field is there, given an architecture whose earlier fields are set."""
        if self.when is None:
            return True
        try:
            return bool(self.when(partial))
        except AttributeError as error:
            if error.obj is not partial:
                raise
            raise BadInput(
                f"a condition of {type(partial).__name__} reads {error.name!r}, which is no field declared before it"
            ) from None


def _declare(domain: Declared, when: When | None = None, **default: Any) -> Any:
    return field(metadata={"knob": Knob(domain, when)}, **default)


@overload
def choice(*options: T) -> T: ...
@overload
def choice(*options: T, when: When) -> T | None: ...
def choice(*options: Any, when: When | None = None) -> Any:
    """One of ``options`` (text, numbers, booleans). Where ``when`` says no, the field is None."""
    return _declare(Choice(options), when)


@overload
def integer(low: int, high: int, *, log: bool = False) -> int: ...
@overload
def integer(low: int, high: int, *, log: bool = False, when: When) -> int | None: ...
def integer(low: int, high: int, *, log: bool = False, when: When | None = None) -> Any:
    """A whole number from ``low`` to ``high``, both included."""
    return _declare(Integer(low, high, log), when)


@overload
def real(low: float, high: float, *, log: bool = False) -> float: ...
@overload
def real(low: float, high: float, *, log: bool = False, when: When) -> float | None: ...
def real(low: float, high: float, *, log: bool = False, when: When | None = None) -> Any:
    """A number from ``low`` to ``high``."""
    return _declare(Real(low, high, log), when)


def earlier() -> int:
    """Inside a repeat, an earlier item: 0 is what enters the repeat, k is its k-th item (counted from 1)."""
    return _declare(Earlier())  # type: ignore[no-any-return]


def constant(value: T) -> T:
    """A field that is the same in every architecture of the space."""
    return _declare(Constant(value), default=value)  # type: ignore[no-any-return]


def nested(of: type[T]) -> T:
    """A whole architecture as a field."""
    return _declare(Nested(_architecture_class(of)))  # type: ignore[no-any-return]


def repeat(of: type[T], low: int, high: int) -> tuple[T, ...]:
    """A tuple of ``low`` to ``high`` architectures of class ``of``."""
    return _declare(Repeat(_architecture_class(of), low, high))  # type: ignore[no-any-return]


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(choice, integer, real, earlier, constant, nested, repeat),
)
def architecture(cls: type[T]) -> type[T]:
    """Class decorator: declares a space; its instances are the space's architectures.

    Optional methods of the class, all called by name:
        ``network(self, net) -> Value`` writes the network down, see :class:`nas.searchspace.network.Network`;
        ``recipe(self, recipe, task) -> Recipe`` changes how it is trained;
        ``canonical(self, task) -> Self`` returns the one representative of all descriptions of the same network
        (``task`` is None while the space is not bound to one);
        ``supernet(self, net) -> Value`` writes the network down for supernets, where ``network`` branches on knobs;
        ``forbidden(self) -> str | None`` says why a combination of values is not an architecture.

    Raises:
        BadInput: if a field names no domain, or the class has a ``__post_init__`` of its own.
    """
    if "__post_init__" in cls.__dict__:
        raise BadInput(f"{cls.__name__} has a __post_init__; say what is not allowed in forbidden(self)")
    cls.__post_init__ = check  # type: ignore[attr-defined]
    made = dataclass(frozen=True, kw_only=True)(cls)
    for f in fields(made):  # type: ignore[arg-type]
        if "knob" not in f.metadata:
            raise BadInput(
                f"{cls.__name__}.{f.name} names no domain; declare it with choice, integer, real, repeat, nested, "
                "earlier or constant"
            )
    _remember_hash(made)
    made.__declarations__ = {f.name: f.metadata["knob"] for f in fields(made)}  # type: ignore[attr-defined, arg-type]
    return made


def _remember_hash(made: Any) -> None:
    """Hash an instance once: searches look architectures up far more often than they make them."""
    computed = made.__hash__

    def remembered(self: Any) -> int:
        known = self.__dict__.get(HASH)
        if known is None:
            known = self.__dict__[HASH] = computed(self)
        return known  # type: ignore[no-any-return]

    def state(self: Any) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != HASH}  # texts hash anew elsewhere

    made.__hash__, made.__getstate__ = remembered, state


def declarations(of: type[Any]) -> dict[str, Knob]:
    """The fields of a class decorated with ``@architecture``, in their order."""
    return of.__declarations__  # type: ignore[no-any-return]


def is_architecture(of: Any) -> bool:
    """Whether ``of`` is a class decorated with ``@architecture``."""
    return isinstance(of, type) and hasattr(of, "__declarations__")


def _architecture_class(of: type[T]) -> type[T]:
    if not is_architecture(of):
        raise BadInput(f"repeat and nested take a class decorated with @architecture; got {of!r}")
    return of


def check(self: Any) -> None:
    """Refuse values outside their domains. Runs when an architecture is made."""
    for name, declared in declarations(type(self)).items():
        value, domain = getattr(self, name), declared.domain
        if declared.active(self):
            if not (isinstance(domain, Domain) and domain.contains(value)):
                check_value(f"{type(self).__name__}.{name}", domain, value)
        elif value is not None:
            raise BadInput(f"{type(self).__name__}.{name} is inactive here and must be None; got {value!r}")
    reason: Callable[[], str | None] | None = getattr(self, "forbidden", None)
    if reason is not None and (why := reason()) is not None:
        raise Forbidden(f"{type(self).__name__}: {why}")


class Forbidden(BadInput):
    """A combination of allowed values that the space's ``forbidden`` refuses."""


def check_value(where: str, domain: Declared, value: Any) -> None:
    """Refuse a value outside the domain.

    Raises:
        BadInput: saying where, what is allowed, what came, and which option is nearest.
    """
    match domain:
        case Repeat(of, low, high):
            if not isinstance(value, tuple) or not low <= len(value) <= high:
                came = f"{len(value)} of them" if isinstance(value, tuple) else repr(value)
                raise BadInput(f"{where} takes a tuple of {low} to {high} {of.__name__}; got {came}")
            for position, item in enumerate(value):
                check_value(f"{where}[{position}]", Nested(of), item)
                _check_earlier(f"{where}[{position}]", item, position)
        case Nested(of):
            if type(value) is not of:
                raise BadInput(f"{where} must be of class {of.__name__}; got {value!r}")
        case Constant(fixed):
            if type(value) is not type(fixed) or value != fixed:
                raise BadInput(f"{where} is the constant {fixed!r}; got {value!r}")
        case Earlier():
            if type(value) is not int or value < 0:
                raise BadInput(f"{where} must be the number of an earlier item, 0 or more; got {value!r}")
        case Choice(options):
            if not domain.contains(value):
                near = difflib.get_close_matches(str(value), [str(o) for o in options], 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise BadInput(f"{where} must be one of {', '.join(map(repr, options))}; got {value!r}{hint}")
        case Integer() | Real():
            if not domain.contains(value):
                raise BadInput(f"{where} must be from {domain}; got {value!r}")


def _check_earlier(where: str, item: Any, position: int) -> None:
    """Refuse an item that refers to itself or to a later one; a nested architecture counts as its item."""
    for name, declared in declarations(type(item)).items():
        value = getattr(item, name)
        if isinstance(declared.domain, Earlier) and value > position:
            raise BadInput(f"{where}.{name} must be an earlier item, 0 to {position}; got {value}")
        if isinstance(declared.domain, Nested):
            _check_earlier(f"{where}.{name}", value, position)
