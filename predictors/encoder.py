"""Architectures of one space as numbers: knobs, what their networks are made of, and what else is known of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nas.predictors.base import Array, Encoding
from nas.predictors.vocabulary import Counts, Scaling, Vocabulary
from nas.searchspace.encodings import one_hot, text
from nas.searchspace.errors import BadInput
from nas.searchspace.skeleton import NOTHING, Skeleton, graph_counts, skeleton
from nas.searchspace.space import Space

SAMPLES = 1000
"""Different architectures of the space that say which features there are and how much they vary."""
REPEATS = 200
"""After so many known ones in a row a space has no more."""
KNOBS = 0.3
"""The deviation of the knobs beside counts of the network: which node is the second says little, and predictors count
features as much as they vary."""
KEPT = 100_000
"""Descriptions whose encoding is remembered."""

Extra = Callable[[Sequence[Any]], Array]
"""From architectures to ``[items, numbers]``: zero-cost scores, a prior. Taken as they are, so they should be scaled:
other groups of features have a total variance of 1."""


@dataclass(frozen=True)
class Graph:
    """An architecture for those who read graphs.

    Attributes:
        skeleton: its network.
        row: ``[columns]``, its other features: they hold what the network does not show, as a learning rate.
    """

    skeleton: Skeleton
    row: Array


class Encoder:
    """Encodes architectures of one space, each network once: descriptions with one canonical form are encoded alike.

    The groups of features are the knobs of the canonical form; where the space is bound to a task and describes
    networks, what can be counted in the network, see :func:`nas.searchspace.skeleton.graph_counts`; and one for each
    extra. Which features there are and how they are scaled follows from a fixed sample of the space, so what an
    architecture looks like never depends on what was searched. Features that do not vary in the sample are left out; a
    group is centred and has a total variance of 1 there, of which families of counts have equal shares; knobs have less
    beside counts.

    An architecture whose network cannot be written down, for example because it does not fit the task, is encoded as
    one without steps.

    Args:
        space: of the architectures.
        extras: more groups; called with canonical architectures, with each once.
    """

    def __init__(self, space: Space[Any], extras: Sequence[Extra] = ()) -> None:
        self.space = space
        self._own = _own(_without_data(space))
        self.has_graphs = self._own.has_graphs
        self._extras = tuple(extras)
        self._rows, self._graphs, self._names = dict[Any, Array](), dict[Any, Graph](), dict[Any, str]()
        self._widths: list[int] = []

    def encode(self, architectures: Sequence[Any], encoding: Encoding) -> Any:
        """One or more architectures as ``columns``, ``groups`` or ``graph``; see ``nas.predictors.base.Encoding``.

        Raises:
            BadInput: if an extra does not answer with finite ``[items, numbers]``, or if graphs are asked for and the
                space has none.
        """
        if encoding == "graph":
            return self._drawn(architectures)
        rows = self._stacked(architectures)
        return rows if encoding == "columns" else np.split(rows, np.cumsum(self._widths)[:-1], axis=1)

    def name(self, architecture: Any) -> str:
        """The network in one line of text, the same for all descriptions of it."""
        if architecture not in self._names:
            self._names[architecture] = text(self.space.canonical(architecture))
            _forget(self._names)
        return self._names[architecture]

    def _stacked(self, architectures: Sequence[Any]) -> Array:
        if unknown := [a for a in architectures if a not in self._rows]:
            canonical = {a: self.space.canonical(a) for a in unknown}
            if new := list(dict.fromkeys(c for c in canonical.values() if c not in self._rows)):
                self._rows |= dict(zip(new, self._encoded(new), strict=True))
            self._rows |= {a: self._rows[c] for a, c in canonical.items()}
        stacked = _stack([self._rows[a] for a in architectures])
        _forget(self._rows)
        return stacked

    def _encoded(self, canonical: list[Any]) -> Array:
        blocks = [self._own.rows(canonical)]
        self._widths = list(self._own.widths)
        for extra in self._extras:
            block = np.asarray(extra(canonical), np.float32)
            if block.ndim != 2 or len(block) != len(canonical) or not np.isfinite(block).all():
                raise BadInput(
                    f"an extra group of features is [items, numbers], all finite; for {len(canonical)} architectures "
                    f"{getattr(extra, '__name__', extra)!r} gave {list(block.shape)}"
                    + ("" if np.isfinite(block).all() else " with values that are not finite")
                )
            blocks.append(block)
            self._widths.append(block.shape[1])
        return np.concatenate(blocks, axis=1)

    def _drawn(self, architectures: Sequence[Any]) -> list[Graph]:
        if not self.has_graphs:
            raise BadInput(
                f"the space {self.space.name!r} has no graphs: they are those of its networks on a task, so its class "
                "must have a method network and the space be bound to a task by space.for_task(task)"
            )
        if unknown := [a for a in architectures if a not in self._graphs]:
            for a, row in zip(unknown, self.encode(unknown, "columns"), strict=True):
                canonical = self.space.canonical(a)
                if canonical not in self._graphs:
                    self._graphs[canonical] = Graph(self._own.skeleton(canonical), row)
                self._graphs[a] = self._graphs[canonical]
        drawn = [self._graphs[a] for a in architectures]
        _forget(self._graphs)
        return drawn


class _Own:
    """What a space itself says of its architectures: knobs, and what can be counted in their networks."""

    def __init__(self, space: Space[Any]) -> None:
        self._space = space
        self.has_graphs = space.task is not None and hasattr(space.of, "network")
        self._known = dict[Any, Array]()
        self._scales: _Scales | None = None
        self.widths: list[int] = []

    def rows(self, canonical: Sequence[Any]) -> Array:
        """``[items, columns]``, the groups side by side."""
        if new := [a for a in canonical if a not in self._known]:
            blocks = self._scaled(new)
            self.widths = [block.shape[1] for block in blocks]
            self._known |= dict(zip(new, np.concatenate(blocks, axis=1), strict=True))
        rows = _stack([self._known[a] for a in canonical])
        _forget(self._known)
        return rows

    def skeleton(self, architecture: Any) -> Skeleton:
        """Of its network."""
        assert self._space.task is not None
        try:
            return skeleton(architecture, self._space.task)
        except Exception:  # a candidate that does not fit is a failed trial, not the end of the search
            return NOTHING

    def _scaled(self, canonical: Sequence[Any]) -> list[Array]:
        if self._scales is None:
            sampled = self._sampled()
            self._scales = _Scales(self._knobs(sampled), self._counted(sampled))
        return self._scales.blocks(self._knobs(canonical), self._counted(canonical))

    def _knobs(self, architectures: Sequence[Any]) -> Array:
        return np.stack([one_hot(self._space, a) for a in architectures])

    def _counted(self, architectures: Sequence[Any]) -> list[Counts] | None:
        return [graph_counts(self.skeleton(a)) for a in architectures] if self.has_graphs else None

    def _sampled(self) -> list[Any]:
        """Different ones, fewer where the space has fewer."""
        rng, found, repeats = random.Random(0), dict[Any, None](), 0
        while len(found) < SAMPLES and repeats < REPEATS:
            canonical = self._space.canonical(self._space.sample(rng))
            repeats = repeats + 1 if canonical in found else 0
            found[canonical] = None
        return list(found)


@lru_cache(maxsize=16)
def _own(space: Space[Any]) -> _Own:
    """One for all encoders of a space: writing a network down takes longer than learning from it."""
    return _Own(space)


def _without_data(space: Space[Any]) -> Space[Any]:
    """The space, bound to no more than the description of its task."""
    task = space.task
    return space if task is None else replace(space, task=replace(task, train=(), valid=(), test=()))


class _Scales:
    """What the sample says of the groups that every space has."""

    def __init__(self, knobs: Array, counted: list[Counts] | None) -> None:
        self._knobs = Scaling.of(knobs)
        if counted is not None:
            self._vocabulary = Vocabulary(counted)
            self._counts = Scaling.of(self._vocabulary.rows(counted), self._vocabulary.families)

    def blocks(self, knobs: Array, counted: list[Counts] | None) -> list[Array]:
        if counted is None:
            return [self._knobs(knobs)]
        return [KNOBS * self._knobs(knobs), self._counts(self._vocabulary.rows(counted))]


def _stack(rows: list[Array]) -> Array:
    """One over the other; for rows this short several times faster than ``np.stack``."""
    return np.concatenate(rows).reshape(len(rows), -1)


def _forget(known: dict[Any, Any]) -> None:
    """The oldest ones, so that a long search does not grow without end."""
    while len(known) > KEPT:
        del known[next(iter(known))]
