"""What about a task deserves attention, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nas.searchspace.task import SPLITS

if TYPE_CHECKING:
    from nas.data.inspecting.inspection import Inspection

UNEQUAL = 5
"""How many times as many members the largest class has as the smallest before it is worth a word."""
FEW = 30
"""Items of the test split below which one of them is more than three points."""
WORTH = 0.01
"""Share of the test split that training has seen, from which on it is worth a word."""


def warnings(found: Inspection) -> Iterator[str]:
    """Sentences, the gravest first."""
    yield from _leakage(found)
    yield from _classes(found)
    yield from _splits(found)
    yield from _edges(found)
    yield from _features(found)


def _leakage(found: Inspection) -> Iterator[str]:
    items = {"node": "nodes", "graph": "graphs", "link": "links"}[found.level]
    like = max(found.seen, key=lambda one: one.seen, default=None)
    if like is None or like.seen < max(WORTH * like.items, 1):
        return
    agreeing = like.agreeing / like.seen
    end = "a network can know them by heart" if agreeing > 0.5 else "no network can tell them apart"
    yield (
        f"leakage: {like.seen:,} of {like.items:,} test {items} ({like.seen / like.items:.0%}) have {like.what} as one "
        f"of training, and {agreeing:.0%} of them its label: {end}; remove duplicates, or keep them in one split"
    )


def _classes(found: Inspection) -> Iterator[str]:
    if found.level == "link":
        return
    if found.target == "multiclass":
        for output in found.outputs:
            if without := [_word(split) for split in SPLITS if not output.counts[split]]:
                where = f"the {' and '.join(without)} split{'s' * (len(without) > 1)}"
                yield f"class {output.name} has no item in {where}; use another split, or join rare classes"
        counts = sorted((output.counts["train"], output.name) for output in found.outputs if output.counts["train"])
        (least, rare), (most, common) = counts[0], counts[-1]
        if most >= UNEQUAL * least:
            yield (
                f"classes are unequal: training has {most:,} items of {common} and {least:,} of {rare}; consider "
                "--metric macro-f1 and --class-weights"
            )
        return
    if found.target == "multilabel":
        for output in found.outputs:
            for split in SPLITS:
                yes, known = output.counts[split], output.known[split]
                if yes in (0, known):
                    answer = (
                        "none is known"
                        if not known
                        else f"all of {known:,} known ones are {'no' if not yes else 'yes'}"
                    )
                    yield f"question {output.name}: {answer} in the {_word(split)} split, so it says nothing there"
    missing = sum(found.items.values()) * len(found.outputs) - sum(sum(o.known.values()) for o in found.outputs)
    if missing:
        yield f"{missing:,} labels are missing; they take no part in training and metrics"


def _splits(found: Inspection) -> Iterator[str]:
    if found.items["test"] < FEW:
        yield (
            f"the test split has {found.items['test']} items: one of them is {100 / found.items['test']:.1f} points; "
            "compare over several splits"
        )


def _edges(found: Inspection) -> Iterator[str]:
    edges, nodes = found.structure.edges, found.structure.nodes
    if not edges:
        yield "there are no edges: networks see each node by itself"
        return
    if found.edgeless and found.graphs > 1:
        yield f"{found.edgeless:,} of {found.graphs:,} graphs have no edges"
    elif found.structure.isolated:
        share = found.structure.isolated / nodes
        yield f"{found.structure.isolated:,} of {nodes:,} nodes ({share:.1%}) are isolated and learn from no neighbour"
    if found.structure.duplicates:
        yield (
            f"{found.structure.duplicates:,} of {edges:,} edges are there a second time and count twice; remove them "
            "unless they mean something (PyG's coalesce does it)"
        )
    if found.structure.loops:
        yield f"{found.structure.loops:,} edges lead from a node to itself"


def _features(found: Inspection) -> Iterator[str]:
    if found.features.constant and not found.made:
        constant, width = found.features.constant, found.features.width
        yield f"{constant:,} of {width:,} features tell nothing: they are the same everywhere"
    if found.edge_features is not None and found.edge_features.constant == found.edge_features.width:
        yield "all edge features are the same everywhere; they tell nothing"


def _word(split: str) -> str:
    return "validation" if split == "valid" else "training" if split == "train" else split
