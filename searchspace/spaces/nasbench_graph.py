"""The search space of NAS-Bench-Graph: four computing nodes, each with one input and one of nine operations.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022 (arXiv 2206.09166). 157,440
descriptions of 26,206 distinct networks, the same classes as the benchmark's table. The fixed settings of each data
set are those listed in the supplement of DesiGNN (arXiv 2408.06717), corrected for two; other data sets get ``OTHERS``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from nas.searchspace.language import architecture, choice, earlier, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task

NODES = 4


@dataclass(frozen=True)
class Fixed:
    """What the benchmark fixed for one data set: linear layers around the cell, width, dropout, training."""

    pre: int
    post: int
    width: int
    dropout: float
    optimiser: str
    lr: float
    weight_decay: float
    epochs: int


FIXED = {
    "cora": Fixed(0, 1, 256, 0.7, "sgd", 0.1, 5e-4, 400),
    "citeseer": Fixed(0, 1, 256, 0.7, "sgd", 0.2, 5e-4, 400),
    "pubmed": Fixed(0, 0, 128, 0.3, "sgd", 0.2, 5e-4, 500),
    "cs": Fixed(1, 0, 128, 0.6, "sgd", 0.5, 5e-4, 400),
    "physics": Fixed(1, 0, 256, 0.4, "sgd", 0.01, 0.0, 200),
    "photo": Fixed(0, 0, 128, 0.7, "adam", 2e-4, 5e-4, 500),
    "computers": Fixed(1, 1, 64, 0.1, "adam", 5e-3, 5e-4, 500),
    "arxiv": Fixed(0, 1, 128, 0.2, "adam", 2e-3, 0.0, 500),
    "proteins": Fixed(1, 1, 256, 0.0, "adam", 1e-2, 5e-4, 500),
}
"""Linear layers before and after are listed as 1, 1 for ``physics`` and as 1, 0 for ``photo``. With these here networks
have exactly as many parameters as in the benchmark's table, on all nine data sets; with any others they do not."""
OTHERS = Fixed(0, 1, 128, 0.5, "adam", 5e-3, 5e-4, 300)


@architecture
class Node:
    """A computing node: which earlier value it reads (0 is the cell's input) and what it does with it."""

    input: int = earlier()
    op: str = choice("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")


@architecture
class NASBenchGraph:
    """A cell of four nodes; the nodes that nobody reads are concatenated into its output."""

    nodes: tuple[Node, ...] = repeat(Node, NODES, NODES)

    def forbidden(self) -> str | None:
        return "at least one operation is not 'skip'" if all(n.op == "skip" for n in self.nodes) else None

    def network(self, net: Network) -> Value:
        cell = self.canonical(net.task)
        fixed = _fixed(net.task)
        x = net.x
        if fixed.pre:
            net.comment("before the cell")
            x = net.linear(net.dropout(fixed.dropout, x), fixed.width)
        values, raw = [x], [not fixed.pre]
        for number, node in enumerate(cell.nodes, 1):
            h, unmapped = values[node.input], raw[node.input]
            if node.op != "skip":
                net.comment(f"cell node {number}, reads {node.input or 'the input'}")
                h = net.dropout(fixed.dropout, h if unmapped else net.activation("relu", net.norm("batch", h)))
                settings: dict[str, Any] = {"heads": 4} if node.op == "gat" else {}
                h, unmapped = net.operator(node.op, h, fixed.width, **settings), False
            values.append(h)
            raw.append(unmapped)
        net.comment("the values that no node reads")
        read = {node.input for node in cell.nodes}
        x = net.activation("relu", net.concat(*(values[k] for k in range(1, NODES + 1) if k not in read)))
        if fixed.post:
            net.comment("after the cell")
            x = net.activation("relu", net.linear(x, fixed.width))
        return x

    def supernet(self, net: Network) -> Value:
        """The cell as it is described; all of its nodes count in the output, as in DARTS, whoever reads them."""
        fixed = _fixed(net.task)
        values = [net.linear(net.dropout(fixed.dropout, net.x), fixed.width)]
        for node in self.nodes:
            h = net.choose(node.input, dict(enumerate(values)))
            mapped = net.dropout(fixed.dropout, net.activation("relu", net.norm("batch", h)))
            heads = net.given(lambda op: 4 if op == "gat" else None, node.op)
            mapped = net.operator(node.op, mapped, fixed.width, heads=heads)
            skips = net.given(lambda op: op == "skip", node.op)
            values.append(net.choose(skips, {True: h, False: mapped}))
        x = net.activation("relu", net.concat(*values[1:]))
        return net.activation("relu", net.linear(x, fixed.width)) if fixed.post else x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        fixed = _fixed(task)
        return replace(
            recipe, optimiser=fixed.optimiser, lr=fixed.lr, weight_decay=fixed.weight_decay, epochs=fixed.epochs
        )

    def canonical(self, task: Task | None) -> NASBenchGraph:
        """The benchmark's isomorphism: equal branches in any order, and a skip wherever it changes nothing.

        Skips are contracted, which leaves a tree of operations with the number of outputs taken at each; outputs
        of the raw input do not count. The tree is written down again with the spare skips first, in a chain.
        """
        children, outputs = _contracted(self.nodes)
        trees = sorted(_tree(child, self.nodes, children, outputs) for child in children[0])
        spare = NODES - sum(map(_length, trees))
        kind: Any = type(self.nodes[0])  # of a space with fewer operations it is not Node
        make = partial(_node, kind)
        nodes = [make(k, "skip") for k in range(spare)]
        for tree in trees:
            _write(tree, spare, nodes, make)
        return replace(self, nodes=tuple(nodes))


Tree = tuple[str, int, tuple[Any, ...]]
"""Operation, outputs taken at it, and the sorted trees that read it."""


def _contracted(nodes: tuple[Node, ...]) -> tuple[dict[int, list[int]], dict[int, int]]:
    """Readers and outputs of each node that is no skip (0 is the input), skips taken out."""
    stands_for = {0: 0}
    for k, node in enumerate(nodes, 1):
        stands_for[k] = stands_for[node.input] if node.op == "skip" else k
    read = {node.input for node in nodes}
    children: dict[int, list[int]] = defaultdict(list)
    outputs: dict[int, int] = defaultdict(int)
    for k, node in enumerate(nodes, 1):
        if node.op != "skip":
            children[stands_for[node.input]].append(k)
        if k not in read:
            outputs[stands_for[k]] += 1
    return children, outputs


def _tree(k: int, nodes: tuple[Node, ...], children: dict[int, list[int]], outputs: dict[int, int]) -> Tree:
    below = sorted(_tree(child, nodes, children, outputs) for child in children[k])
    return nodes[k - 1].op, outputs[k], tuple(below)


def _skips(tree: Tree) -> int:
    """Skip nodes needed to take the tree's outputs at its root: none where the root is itself the only leaf."""
    _, outputs, below = tree
    return outputs if below or outputs > 1 else 0


def _length(tree: Tree) -> int:
    return 1 + _skips(tree) + sum(map(_length, tree[2]))


def _write(tree: Tree, source: int, nodes: list[Any], make: Callable[[int, str], Any]) -> None:
    nodes.append(make(source, tree[0]))
    here = len(nodes)
    for below in tree[2]:
        _write(below, here, nodes, make)
    nodes.extend(make(here, "skip") for _ in range(_skips(tree)))


@cache
def _node(of: type[Any], source: int, op: str) -> Any:
    return of(input=source, op=op)


def _fixed(task: Task) -> Fixed:
    return FIXED.get(task.name.lower(), OTHERS)
