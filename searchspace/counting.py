"""The exact number of architectures in a space, without listing them.

Fields multiply and the lengths of a repeat add. A field whose condition reads a knob is counted once for each value
of that knob: the condition is asked on a stand-in that knows some knobs and says which one it needs next. So are
forbidden combinations. Fields that no condition ties together are counted apart, so that their branches add and do
not multiply.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from nas.searchspace.domains import Choice, Constant, Earlier, Integer, Nested, Repeat
from nas.searchspace.errors import BadInput
from nas.searchspace.language import declarations
from nas.searchspace.listing import refuse_real

BRANCHES = 200_000
"""The most combinations of values, read by conditions and ``forbidden``, that are counted one by one."""

FORBIDDEN = "forbidden"

Known = Mapping[str, Any]
"""Values of the knobs that are fixed so far, by path."""


def count(of: type[Any]) -> int:
    """How many distinct architectures the class declares: a Python int of any length.

    Raises:
        BadInput: if a knob is a real number, or conditions and ``forbidden`` read too many combinations of values.
    """
    refuse_real(of)
    return _Counter(of).count(of, "", 0, {})


class _Counter:
    """Counts, and keeps count of the branches that it took."""

    def __init__(self, of: type[Any]) -> None:
        self.name = of.__name__
        self.branches = 0

    def count(self, of: type[Any], prefix: str, position: int, known: Known) -> int:
        groups = self.groups(of, prefix, position)
        return math.prod(self.ways(of, prefix, position, known, names) for names in groups)

    def ways(self, of: type[Any], prefix: str, position: int, known: Known, names: Collection[str]) -> int:
        """The number of ways to set the fields of these names."""
        total = 1
        for name in names:
            try:
                there = _there(of, prefix, position, known, name)
            except _UnreadError as unread:
                return sum(self.ways(of, prefix, position, more, names) for more in self.branch(known, unread))
            if name == FORBIDDEN:
                total *= there
            elif there:
                total *= self.size(declarations(of)[name].domain, prefix + name, position, known)
        return total

    def size(self, domain: Any, path: str, position: int, known: Known) -> int:
        match domain:
            case Constant():
                return 1
            case Nested(of):
                return self.count(of, path + ".", position, known)
            case Repeat(of, low, high):
                lengths = [known[path]] if path in known else range(low, high + 1)
                each = [self.count(of, f"{path}.{i}.", i, known) for i in range(max(lengths))]
                return sum(math.prod(each[:n]) for n in lengths)
            case Earlier():
                return 1 if path in known else position + 1
            case _:
                return 1 if path in known else int(domain.size())

    def groups(self, of: type[Any], prefix: str, position: int) -> list[list[str]]:
        """The fields, and ``forbidden`` if there is one; those together that some condition ties together."""
        names = [*declarations(of), *([FORBIDDEN] if hasattr(of, FORBIDDEN) else [])]
        groups: list[set[str]] = []
        for name in names:
            tied = {name} | self.read(of, prefix, position, {}, name)
            groups, joined = [g for g in groups if not g & tied], [g for g in groups if g & tied]
            groups.append(tied.union(*joined))
        return [sorted(group, key=names.index) for group in groups]

    def read(self, of: type[Any], prefix: str, position: int, known: Known, name: str) -> set[str]:
        """The fields that the condition of ``name`` reads, whatever their values."""
        try:
            _there(of, prefix, position, known, name)
        except _UnreadError as unread:
            field = unread.path.removeprefix(prefix).split(".")[0]
            return {field}.union(*(self.read(of, prefix, position, m, name) for m in self.branch(known, unread)))
        return set()

    def branch(self, known: Known, unread: _UnreadError) -> Iterator[Known]:
        for value in unread.domain.values():
            self.branches += 1
            if self.branches > BRANCHES:
                raise BadInput(
                    f"the exact size of {self.name} is unknown: its conditions and forbidden combinations read "
                    f"{unread.path!r} and others in more than {BRANCHES:,} combinations"
                )
            yield {**known, unread.path: value}


def _there(of: type[Any], prefix: str, position: int, known: Known, name: str) -> bool:
    """Whether the field is active; for ``forbidden``, whether the combination is allowed."""
    if name == FORBIDDEN:
        return _stand_in(of, prefix, position, known).forbidden() is None
    return declarations(of)[name].active(_stand_in(of, prefix, position, known, name))


class _UnreadError(Exception):
    """A condition asked for a knob whose value is not fixed yet."""

    def __init__(self, path: str, domain: Choice | Integer) -> None:
        self.path = path
        self.domain = domain


class _StandIn:
    """Mixed into an architecture class: fields are looked up among the known knobs."""

    def __getattr__(self, name: str) -> Any:
        of, prefix, position, known, before = vars(self)["_at"]
        declared = declarations(of).get(name)
        if declared is None or (before in (names := list(declarations(of))) and name in names[names.index(before) :]):
            raise AttributeError(name, name=name, obj=self)
        if not declared.active(_stand_in(of, prefix, position, known, name)):
            return None
        return _known(declared.domain, prefix + name, position, known)

    def __eq__(self, other: object) -> bool:
        of = vars(self)["_at"][0]
        return isinstance(other, of) and all(getattr(self, k) == getattr(other, k) for k in declarations(of))

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in declarations(type(self))))


@cache
def _stand_in_class(of: Any) -> type[Any]:
    return type(of.__name__, (_StandIn, of), {})


def _stand_in(of: Any, prefix: str, position: int, known: Known, before: str | None = None) -> Any:
    """An architecture of which only the fields before ``before`` can be read, and only as far as they are known."""
    made = object.__new__(_stand_in_class(of))
    vars(made)["_at"] = (of, prefix, position, known, before)
    return made


def _known(domain: Any, path: str, position: int, known: Known) -> Any:
    match domain:
        case Constant(value):
            return value
        case Nested(of):
            return _stand_in(of, path + ".", position, known)
        case Repeat(of, low, high):
            length = low if low == high else _fixed(path, domain.length(), known)
            return tuple(_stand_in(of, f"{path}.{i}.", i, known) for i in range(length))
        case Earlier():
            return _fixed(path, domain.at(position), known)
        case _:
            return _fixed(path, domain, known)


def _fixed(path: str, domain: Choice | Integer, known: Known) -> Any:
    if path not in known:
        raise _UnreadError(path, domain)
    return known[path]
