"""What a network is made of when its plain steps are taken out, and what can be counted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from nas.searchspace.network import Step
from nas.searchspace.source import trace
from nas.searchspace.task import Task

PLAIN = ("activation", "dropout", "norm")
"""Kinds of steps that are taken out: each stays as a word of the node that it reads."""


@dataclass(frozen=True)
class Skeleton:
    """The operators, linear maps, sums, concatenations and readouts of a network, in the order of computation.

    Attributes:
        names: what each node is; the first is ``input``. Without numbers: ``gat``, ``linear``, ``mean readout``.
        words: what more is to be said of each node: its settings (``heads=8``; no fractions, which are seldom met
            twice) and the plain steps behind it (``relu``, ``batch norm``, ``dropout``).
        widths: width of each node's result.
        sources: for each node, the nodes that it reads, one of them twice where it is read twice.
        operators: for each node, whether it is an operator.
        result: the node that the network returns.
    """

    names: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    operators: tuple[bool, ...]
    result: int

    def depths(self) -> list[int]:
        """For each node, the most operators on a way from the input to it, itself included."""
        depths: list[int] = []
        for sources, operator in zip(self.sources, self.operators, strict=True):
            depths.append(max((depths[s] for s in sources), default=0) + operator)
        return depths

    def leaves(self) -> list[int]:
        """The operators whose result becomes the network's without another operator, once for each time it is read."""
        nodes = range(len(self.names))
        before = list(self.operators)  # whether an operator lies here or behind
        for node in reversed(nodes):
            for source in self.sources[node]:
                before[source] = before[source] or before[node]
        read = [s for node in nodes if not before[node] for s in self.sources[node]]
        return [node for node in [*read, self.result] if self.operators[node]]


def skeleton(architecture: Any, task: Task) -> Skeleton:
    """The architecture's network on this task without its plain steps."""
    net, result = trace(architecture, task)
    place = {net.x.number: 0}
    names, words, widths = ["input"], [list[str]()], [net.x.width]
    sources, operators = [()], [False]  # type: list[tuple[int, ...]], list[bool]
    for step in net.steps:
        if step.kind in PLAIN:
            place[step.output.number] = here = place[step.inputs[0].number]
            words[here].append(_plain(step))
            continue
        place[step.output.number] = len(names)
        names.append(_name(step))
        words.append([f"{key}={value}" for key, value in step.settings if not isinstance(value, float)])
        widths.append(step.output.width)
        sources.append(tuple(place[value.number] for value in step.inputs))
        operators.append(step.kind == "operator")
    return Skeleton(
        tuple(names), tuple(map(tuple, words)), tuple(widths), tuple(sources), tuple(operators), place[result.number]
    )


def graph_counts(made: Skeleton) -> dict[str, Mapping[str, float]]:
    """What can be counted in a network, in families; equal for networks that differ in the order of their steps alone.

    ``steps``: nodes by name. ``words``: names with settings (``gat heads=8``) and plain steps. ``depths``: names at
    their depth (``gat @2``). ``pairs`` and ``triples``: a node with what it reads, and with what that reads
    (``input>gat>concat``). ``sizes``: how many leaves there are, see :meth:`Skeleton.leaves`, the depth, and the mean
    binary logarithm of the operators' widths. What the leaves are is said by the pairs; saying it again made a Gaussian
    process rank worse on three data sets of NAS-Bench-Graph.
    """
    depths = made.depths()
    steps, words, at = Counter[str](), Counter[str](), Counter[str]()
    pairs, triples = Counter[str](), Counter[str]()
    for node, (name, said, sources) in enumerate(zip(made.names, made.words, made.sources, strict=True)):
        words.update(f"{name} {word}" if "=" in word else word for word in said)
        if node == 0:
            continue
        steps[name] += 1
        at[f"{name} @{depths[node]}"] += 1
        for source in sources:
            pair = f"{made.names[source]}>{name}"
            pairs[pair] += 1
            triples.update(f"{made.names[above]}>{pair}" for above in made.sources[source])
    wide = [log2(width) for width, operator in zip(made.widths, made.operators, strict=True) if operator]
    sizes = {"leaves": len(made.leaves()), "depth": max(depths), "log width": sum(wide) / len(wide) if wide else 0.0}
    return {"steps": steps, "words": words, "depths": at, "pairs": pairs, "triples": triples, "sizes": sizes}


def _name(step: Step) -> str:
    if step.kind == "operator":
        return step.name or step.label
    return f"{step.name} {step.kind}" if step.kind in ("readout", "decoder") else step.kind


def _plain(step: Step) -> str:
    if step.kind == "norm":
        return f"{step.name} norm"
    return step.kind if step.kind == "dropout" else step.name or step.kind


NOTHING = Skeleton(("input",), ((),), (1,), ((),), (False,), 0)
"""A network without steps."""
