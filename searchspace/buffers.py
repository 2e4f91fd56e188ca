"""How much a network must remember while it computes: the size of its largest buffer.

What is counted follows from the network's steps and the graph alone:

- every value that is stored, ``width`` numbers a row. Activations, dropout, normalisations and rounding are computed
  where a value is made, so a value that only such steps read is not stored itself, but in their place what they make;
- what nodes send inside an operator, with the bits of messages;
- the coefficients of edges, one for each head, with the bits of attention; self-loops that an operator adds count too;
- what features of edges become, as wide as what nodes send;
- what a decoder computes of nodes or pairs before the last map.

The network's input does not count, however it is rounded, nor what an operator of the user's own computes inside. Where
nothing says how many bits a number has, it has 32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nas.searchspace.layers.quantised import described
from nas.searchspace.network import Step, Value
from nas.searchspace.operators import OPERATORS
from nas.searchspace.source import trace
from nas.searchspace.task import Batch, Split, Task

IN_PLACE = ("activation", "dropout", "norm", "quantise")
"""Kinds of steps that make each number of one."""


@dataclass(frozen=True)
class Sent:
    """What an operator holds between nodes.

    Attributes:
        width: numbers that each node sends.
        coefficients: numbers that each edge has.
        loops: whether every node has an edge to itself besides.
        rounded: whether its coefficients can be rounded.
        made: whether it makes what is sent; else that is what came in.
    """

    width: int
    coefficients: int = 0
    loops: bool = False
    rounded: bool = True
    made: bool = True


def _attention(inputs: int, outputs: int, settings: Mapping[str, Any]) -> Sent:
    heads = settings["heads"]
    coefficients = {"constant": 0, "gcn": 1}.get(settings["attention"], heads)
    return Sent(outputs if settings["concat"] else heads * outputs, coefficients, loops=True)


SENT: dict[str, Callable[[int, int, Mapping[str, Any]], Sent]] = {
    "gcn": lambda inputs, outputs, settings: Sent(outputs, 1, loops=True),
    "gat": lambda inputs, outputs, settings: Sent(outputs, settings["heads"], loops=True),
    "gatv2": lambda inputs, outputs, settings: Sent(outputs, settings["heads"], loops=True),
    "transformer": lambda inputs, outputs, settings: Sent(outputs, settings["heads"], rounded=False),
    "sage": lambda inputs, outputs, settings: Sent(inputs, made=False),
    "gin": lambda inputs, outputs, settings: Sent(inputs, made=False),
    "gin-mlp": lambda inputs, outputs, settings: Sent(inputs, made=False),
    "graph": lambda inputs, outputs, settings: Sent(inputs, made=False),
    "cheb": lambda inputs, outputs, settings: Sent(inputs, int(settings["K"] > 1), loops=True, made=settings["K"] > 2),
    "arma": lambda inputs, outputs, settings: Sent(outputs, 1),
    "tag": lambda inputs, outputs, settings: Sent(inputs, 1, made=settings["K"] > 1),
    "sg": lambda inputs, outputs, settings: Sent(inputs, 1, loops=True, made=settings["K"] > 1),
    "attention": _attention,
}
"""By operator, from inputs, outputs and settings; the others send what came in as it is, or nothing."""


DECODED: dict[str, Callable[[int, int], dict[str, int]]] = {
    "bilinear": lambda width, outputs: {"nodes": width * outputs},
    "mlp": lambda width, outputs: {"items": width},
    "ncn": lambda width, outputs: {"items": 2 * width},
}
"""By decoder, from the width of an embedding and the scores of a pair to the numbers that it holds."""


@dataclass(frozen=True)
class Buffer:
    """Something that a forward pass stores.

    Attributes:
        what: in words.
        nodes: bits for each node.
        edges: bits for each edge.
        items: bits for each graph or pair that is scored.
    """

    what: str
    nodes: int = 0
    edges: int = 0
    items: int = 0

    def bytes(self, batch: Batch) -> int:
        """Of one forward pass over the batch."""
        items = 0 if batch.batch is None and batch.edge_label_index is None else len(batch.y)
        bits = self.nodes * batch.x.size(0) + self.edges * batch.edge_index.size(1) + self.items * items
        return -(-bits // 8)


def buffers(architecture: Any, task: Task) -> list[Buffer]:
    """What a forward pass of the architecture's network stores, in the order of computation.

    Raises:
        BadInput: as :func:`nas.searchspace.source.trace`.
    """
    net, result = trace(architecture, task)
    held: dict[int, list[Value]] = {result.number: [result]}
    for step in net.steps:
        if step.kind not in IN_PLACE:
            for value in step.inputs:
                held.setdefault(value.number, []).append(value)
    found, given = list[Buffer](), {net.x.number}
    for step in net.steps:
        if step.kind in IN_PLACE and step.inputs[0].number in given:
            given.add(step.output.number)
            continue
        if step.kind == "operator":
            found += _inside(step, step.inputs[0].number in given, task.edge_features > 0)
        if step.name in DECODED and step.kind == "decoder":
            numbers = DECODED[step.name](step.inputs[0].width, step.output.width)
            found.append(Buffer(f"{step.label}: inside", **{of: n * bits_of("float") for of, n in numbers.items()}))
        if step.output.number in held:
            bits = step.output.width * max(bits_of(value.format) for value in held[step.output.number])
            found.append(Buffer(step.label, **{"items" if step.output.pooled else "nodes": bits}))
    return found


def largest(architecture: Any, task: Task, split: Split = "valid") -> int:
    """Bytes of the largest buffer of a forward pass over a split, of its largest batch where it has several."""
    made = buffers(architecture, task)
    return max((buffer.bytes(batch) for batch in task.batches(split) for buffer in made), default=0)


def bits_of(format: str) -> int:
    """Bits of one number in a format."""
    return described(format)[1]


def _inside(step: Step, given: bool, edges: bool) -> list[Buffer]:
    """What an operator holds between nodes.

    Args:
        given: whether the network's input comes in.
        edges: whether edges have features.
    """
    edges = edges and OPERATORS[step.name or ""].attributed is not None
    if step.name not in SENT:
        return [Buffer(f"{step.label}: edges", edges=step.inputs[0].width * bits_of("float"))] if edges else []
    sent = SENT[step.name](step.inputs[0].width, step.output.width, dict(step.settings))
    messages, attention = step.precision.messages, step.precision.attention if sent.rounded else "float"
    found = list[Buffer]()
    if edges:
        found.append(Buffer(f"{step.label}: edges", edges=sent.width * bits_of("float")))
    if sent.made or (messages != "float" and not given):
        found.append(Buffer(f"{step.label}: messages", nodes=sent.width * bits_of(messages)))
    if sent.coefficients:
        bits = sent.coefficients * bits_of(attention)
        found.append(Buffer(f"{step.label}: coefficients", nodes=bits if sent.loops else 0, edges=bits))
    return found
