"""A search space: what can be done with the architectures that a class declares."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from nas.searchspace import counting, listing, moves
from nas.searchspace.decode import Pick, decode, every_knob, walk
from nas.searchspace.domains import Constant, Domain, Nested, Real, Repeat
from nas.searchspace.errors import BadInput
from nas.searchspace.language import declarations, is_architecture
from nas.searchspace.task import Task

A = TypeVar("A")
SAMPLED = 64
"""Architectures that a fingerprint looks at; it writes the source of every fourth, which takes longer."""


@dataclass(frozen=True)
class Space(Generic[A]):
    """All architectures of one class.

    Attributes:
        of: a class decorated with ``@architecture``.
        name: what the user calls the space.
        task: what it is bound to; see :meth:`for_task`.
    """

    of: type[A]
    name: str = ""
    task: Task | None = None

    def __post_init__(self) -> None:
        if not is_architecture(self.of):
            raise BadInput(f"a space is made of a class decorated with @architecture; got {self.of!r}")
        if not self.name:
            object.__setattr__(self, "name", self.of.__name__)

    # reading and making architectures

    def decode(self, pick: Pick) -> A:
        """The architecture whose every active knob is ``pick(path, domain)``."""
        return decode(self.of, pick)

    def knobs(self, architecture: A) -> dict[str, Any]:
        """The active knobs, flat: ``{"layers": 2, "layers.0.conv": "gat", ...}``."""
        return {path: value for path, _, value in walk(architecture)}

    def domains(self, architecture: A) -> dict[str, Domain]:
        """The domains of the active knobs."""
        return {path: domain for path, domain, _ in walk(architecture)}

    def every_knob(self) -> dict[str, Domain]:
        """The domains of all knobs that any architecture can have."""
        return dict(every_knob(self.of))

    def from_knobs(self, knobs: Mapping[str, Any]) -> A:
        """The inverse of :meth:`knobs`.

        Raises:
            BadInput: if an active knob is missing, one is unknown or inactive, or a value is not allowed.
        """
        used = set()

        def pick(path: str, _: Domain) -> Any:
            if path not in knobs:
                raise BadInput(f"the space {self.name!r} needs a value for the knob {path!r}")
            used.add(path)
            return knobs[path]

        made = self.decode(pick)
        if extra := set(knobs) - used:
            raise BadInput(f"the space {self.name!r} has no active knob {sorted(extra)[0]!r} here")
        return made

    def to_json(self, architecture: A) -> dict[str, Any]:
        """The architecture as nested dictionaries and lists."""
        return {name: _to_json(getattr(architecture, name)) for name in declarations(self.of)}

    def from_json(self, data: Any) -> A:
        """The inverse of :meth:`to_json`.

        Raises:
            BadInput: naming the field, if the data is not an architecture of this space.
        """
        made: A = _from_json(self.of, data, self.of.__name__)
        return made

    # searching

    def sample(self, rng: random.Random) -> A:
        """A random architecture: every active knob drawn on its own."""
        return moves.sample(self.of, rng)

    def mutate(self, architecture: A, rng: random.Random) -> A:
        """Another architecture, with one active knob changed."""
        return moves.mutate(architecture, rng)

    def neighbours(self, architecture: A, rng: random.Random) -> Iterator[A]:
        """Every architecture that differs in one active knob."""
        return moves.neighbours(architecture, rng)

    def crossover(self, first: A, second: A, rng: random.Random) -> A:
        """A child with each knob from one of the parents."""
        return moves.crossover(first, second, rng)

    def known_good(self) -> list[A]:
        """Architectures that are known to do well on many data sets, for a search to begin with.

        A space has them if its class has a class method ``known_good(task)``, which returns dictionaries of knobs, and
        the space is bound to a task; those that lack a knob of this space are left out.
        """
        named = getattr(self.of, "known_good", None)
        if named is None or self.task is None:
            return []
        found = []
        for knobs in named(self.task):
            try:
                found.append(self.decode(lambda path, domain, knobs=knobs: knobs[path]))  # type: ignore[misc]
            except KeyError:
                continue
        return list(dict.fromkeys(found))

    # counting

    def size(self) -> int:
        """The exact number of architectures: a Python int of any length.

        Raises:
            BadInput: if a knob is a real number, or combinations are forbidden in a space too large to list.
        """
        return counting.count(self.of)

    def enumerate(self) -> Iterable[A]:
        """Every architecture once.

        Raises:
            BadInput: if a knob is a real number.
        """
        listing.refuse_real(self.of)
        return listing.listing(self.of)

    def finite(self) -> bool:
        """Whether no knob is a real number."""
        return not any(isinstance(domain, Real) for domain in self.every_knob().values())

    def canonical(self, architecture: A) -> A:
        """The one representative of all descriptions of the same network."""
        canonical = getattr(architecture, "canonical", None)
        return architecture if canonical is None else canonical(self.task)

    # tasks

    def for_task(self, task: Task) -> Space[A]:
        """The space bound to a task. Graph-level tasks add the knob ``readout``."""
        from nas.searchspace.heads import with_head

        return replace(self, of=with_head(self.of, task), task=task)

    def fingerprint(self) -> str:
        """A short hash that changes when the knobs do, or what the space makes of them.

        Conditions, forbidden combinations and, for a space bound to a task, the network are seen through a sample
        of architectures.
        """
        rng = random.Random(0)
        sampled = [self.sample(rng) for _ in range(SAMPLED)]
        seen = [_shape(self.of), *map(self.to_json, sampled)]
        if self.task is not None and hasattr(self.of, "network"):
            seen += [_source(architecture, self.task) for architecture in sampled[::4]]
        return _hash(seen)

    def knobs_fingerprint(self) -> str:
        """A short hash of the knobs alone: architectures of equal ones can be read, whatever their networks are."""
        return _hash(_shape(self.of))


def _hash(seen: list[Any]) -> str:
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if is_architecture(type(value)):
        return {name: _to_json(getattr(value, name)) for name in declarations(type(value))}
    return value


def _from_json(of: type[Any], data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise BadInput(f"{where} must be an object of its fields; got {data!r}")
    known = declarations(of)
    if extra := data.keys() - known.keys():
        raise BadInput(f"{where} has no field {sorted(map(str, extra))[0]!r}; it has {', '.join(known)}")
    values: dict[str, Any] = {}
    for name, declared in known.items():
        value = data.get(name)
        match declared.domain:
            case Constant(fixed):
                value = data.get(name, fixed)
            case Nested(inner) if value is not None:
                value = _from_json(inner, value, f"{where}.{name}")
            case Repeat(inner) if value is not None:
                if not isinstance(value, list | tuple):
                    raise BadInput(f"{where}.{name} must be a list; got {value!r}")
                value = tuple(_from_json(inner, item, f"{where}.{name}[{i}]") for i, item in enumerate(value))
        values[name] = value
    return of(**values)


def _shape(of: type[Any]) -> list[Any]:
    rows: list[Any] = [of.__name__]
    for name, declared in declarations(of).items():
        domain = declared.domain
        inner = _shape(domain.of) if isinstance(domain, Nested | Repeat) else None
        limits = (domain.low, domain.high) if isinstance(domain, Repeat) else None if inner else repr(domain)
        rows.append([name, type(domain).__name__, limits, inner, declared.when is not None])
    return rows


def _source(architecture: Any, task: Task) -> str:
    from nas.searchspace.source import source, without_comments

    try:
        return without_comments(source(architecture, task))
    except Exception as error:  # a candidate that does not fit is a failed trial, not the end of the search
        return f"{type(error).__name__}: {error}"
