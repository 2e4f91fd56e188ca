"""An architecture drawn as a graph of layers, from the same steps that its source is written from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any

from nas.report.layout import Placed, place
from nas.searchspace.network import Network, Step, Value
from nas.searchspace.source import trace
from nas.searchspace.task import Task

SMALL = ("norm", "activation", "dropout")
"""Kinds of steps that stand in small text beside a layer."""
JOINTS = ("add", "concat")
WRAP = 32
LINE, TITLE, PAD = 15.0, 18.0, 9.0
TAG = 16.0

STYLE = """
.nas-drawing{--n-ink:#1c2430;--n-muted:#5b6675;--n-line:#8792a2;--n-paper:#fff;--n-edge:#c3cbd6;
--n-operator:#e9f1fb;--n-operator-edge:#2f6fb5;--n-joint:#f2f4f7;
font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
@media (prefers-color-scheme:dark){.nas-drawing{--n-ink:#e4e8ee;--n-muted:#9aa5b3;--n-line:#6d7a8a;--n-paper:#161b22;
--n-edge:#3d4754;--n-operator:#18293d;--n-operator-edge:#6ba6e6;--n-joint:#222a34}}
.nas-drawing text{fill:var(--n-ink);text-anchor:middle}
.nas-drawing .title{font-size:13px;font-weight:600}
.nas-drawing .small{fill:var(--n-muted);font-size:11px}
.nas-drawing .over{fill:var(--n-muted);font-size:10px;letter-spacing:.03em}
.nas-drawing .edge{fill:none;stroke:var(--n-line);stroke-width:1.4}
.nas-drawing .tip{fill:var(--n-line)}
.nas-drawing rect{fill:var(--n-paper);stroke:var(--n-edge)}
.nas-drawing .operator rect.box,.nas-drawing .readout rect.box,.nas-drawing .decoder rect.box{fill:var(--n-operator);
stroke:var(--n-operator-edge)}
.nas-drawing .joint rect.box,.nas-drawing .end rect.box{fill:var(--n-joint)}
.nas-drawing .tag text{fill:var(--n-muted);font-size:10.5px;font-variant-numeric:tabular-nums}
""".replace("\n", "")


@dataclass
class Box:
    """What one box of the drawing says, from top to bottom, and what it reads."""

    kind: str
    over: str = ""
    steps: list[Step] = field(default_factory=list)
    title: str = ""
    reads: tuple[Value, ...] = ()
    output: Value | None = None

    @property
    def mains(self) -> int:
        return sum(step.kind not in SMALL for step in self.steps)

    def lines(self) -> list[tuple[str, str]]:
        """Class and text of each line."""
        rows = [("over", self.over)] if self.over else []
        if self.title:
            return [*rows, ("title", self.title)]
        for small, steps in groupby(self.steps, key=lambda s: s.kind in SMALL):
            if small:
                rows += [("small", line) for line in _wrapped([s.label for s in steps])]
                continue
            for step in steps:
                name, _, details = step.label.partition(" (")
                said = [d for d in details.removesuffix(")").split(", ") if d not in ("", "True", "False", "1 heads")]
                rows += [("title", name), *(("small", line) for line in _wrapped(said))]
        return rows

    def size(self, least: float) -> tuple[float, float]:
        rows = self.lines()
        widest = max(len(text) * {"title": 7.4, "small": 6.0, "over": 5.8}[kind] for kind, text in rows)
        floor = least if self.kind not in ("joint", "end") else 64.0
        return max(floor, widest + 24), 2 * PAD + sum(TITLE if kind == "title" else LINE for kind, _ in rows) - 3


def draw(architecture: Any, task: Task) -> str:
    """A self-contained SVG of the architecture's network on this task, from the features down to the scores.

    A layer and the normalisation, activation and dropout around it are one box; the number below a box is the width
    of what leaves it. The colours follow the reader's light or dark scheme. The SVG has no ids, so that several can
    stand on one page.

    Raises:
        BadInput: if the architecture describes no network, or one that does not fit the task.
    """
    net, result = trace(architecture, task)
    boxes, edges = _boxes(net, result)
    least = min(230.0, max(box.size(110.0)[0] for box in boxes))
    sizes = [box.size(least) for box in boxes]
    return _svg(boxes, sizes, edges, place(sizes, edges))


def _boxes(net: Network, result: Value) -> tuple[list[Box], list[tuple[int, int]]]:
    """The boxes in the order of computation, and which reads which."""
    readers = Counter(value.number for step in net.steps for value in step.inputs)
    readers[result.number] += 1
    boxes = [Box("end", title="node features", output=net.x)]
    holder = {net.x.number: 0}
    for step in net.steps:
        before = holder[step.inputs[0].number]
        if not _joins(step, boxes[before], readers):
            boxes.append(Box("joint" if step.kind in JOINTS else step.kind, over=step.comment or "", reads=step.inputs))
            before = len(boxes) - 1
        box = boxes[before]
        box.steps.append(step)
        box.output = step.output
        box.kind = min(box.kind, step.kind, key=_weight)
        holder[step.output.number] = before
    items = {"node": "node", "graph": "graph", "link": "link"}[net.task.level]
    scores = {"multiclass": "class scores", "multilabel": "label scores", "regression": "values"}[net.task.target]
    boxes.append(Box("end", title=f"{scores} per {items}", reads=(result,)))
    return boxes, [(holder[value.number], i) for i, box in enumerate(boxes) for value in box.reads]


def _joins(step: Step, box: Box, readers: Counter[int]) -> bool:
    """Whether the step belongs into the box that made its input.

    A comment of the space's author begins a box; one without a comment holds one layer, one with it up to two (a
    linear map and the aggregation after it).
    """
    if step.comment or not box.steps or len(step.inputs) > 1 or readers[step.inputs[0].number] > 1:
        return False
    return step.kind in SMALL or box.mains < (2 if box.over and box.kind not in JOINTS else 1)


def _weight(kind: str) -> int:
    """What a box of several steps is coloured as: the first of these that it holds."""
    order = ("readout", "decoder", "operator", "joint", "add", "concat", "linear", *SMALL)
    return order.index(kind) if kind in order else len(order)


def _wrapped(words: list[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 3 + len(word) > WRAP:
            yield line
            line = ""
        line = f"{line} · {word}" if line else word
    if line:
        yield line


def _svg(boxes: list[Box], sizes: list[tuple[float, float]], edges: list[tuple[int, int]], placed: Placed) -> str:
    parts = []
    for path, (x, y) in placed.lines:
        parts.append(f'<path class="edge" d="{path}"/><path class="tip" d="M{x - 4:.1f} {y - 7:.1f}h8l-4 7z"/>')
    for box, (width, height), (left, top) in zip(boxes, sizes, placed.boxes, strict=True):
        middle, y = left + width / 2, top + PAD
        radius = height / 2 if box.kind in ("joint", "end") and height < 32 else 7
        parts.append(
            f'<g class="{escape(box.kind)}"><rect class="box" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="{radius:.1f}"/>'
        )
        for kind, text in box.lines():
            y += TITLE if kind == "title" else LINE
            parts.append(f'<text class="{kind}" x="{middle:.1f}" y="{y - 5:.1f}">{escape(text)}</text>')
        parts.append("</g>")
        if box.output is not None:
            parts.append(_tag(middle, top + height, f"{box.output.width:,}"))
    described = "; ".join(" ".join(text for _, text in box.lines()) for box in boxes)
    width, height = placed.width, placed.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nas-drawing" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(described)}">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>"
    )


def _tag(x: float, y: float, text: str) -> str:
    """The width of a value, on the lower edge of the box that makes it."""
    width = 10 + 6.4 * len(text)
    return (
        f'<g class="tag"><rect x="{x - width / 2:.1f}" y="{y - TAG / 2:.1f}" width="{width:.1f}" height="{TAG:.0f}" '
        f'rx="{TAG / 2:.0f}"/><text x="{x:.1f}" y="{y + 4:.1f}">{text}</text></g>'
    )
