"""Spaces, tasks and graphs that the tests of this folder share; random spaces are drawn by hypothesis."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import torch
from hypothesis import strategies as st

from nas.searchspace import (
    Network,
    Space,
    Task,
    Value,
    architecture,
    choice,
    constant,
    earlier,
    integer,
    nested,
    real,
    repeat,
)
from nas.searchspace.spaces.registry import SPACES, find

NODE = Task("small", "node", "multiclass", 5, 3, "accuracy", "random", "identity")
GRAPH = Task("small", "graph", "multiclass", 5, 3, "accuracy", "random", "identity")
LINK = Task("small", "link", "multilabel", 5, 1, "roc-auc", "random", "identity")
TASKS: dict[str, Task] = {
    "node": NODE,
    "graph": GRAPH,
    "link": LINK,
    "node-weighted": replace(NODE, edge_weights=True),
    "graph-attributed": replace(GRAPH, edge_features=4),
    "link-carrying": replace(LINK, edge_weights=True, edge_features=4),
}
"""Every level, and edges that carry nothing, weights, features or both."""


@architecture
class Flat:
    conv: str = choice("gcn", "sage", "gin")
    width: int = choice(4, 8)
    skip: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        x = net.operator(self.conv, net.x, self.width)
        return net.add(x, net.linear(net.x, self.width)) if self.skip else x


@architecture
class Conditional:
    conv: str = choice("gcn", "gat", "none")
    heads: int | None = choice(1, 2, 4, when=lambda a: a.conv == "gat")
    wide: bool | None = choice(True, False, when=lambda a: a.heads is not None and a.heads > 1)
    depth: int | None = integer(1, 3, when=lambda a: a.conv != "none")


@architecture
class Layer:
    conv: str = choice("gcn", "gat")
    heads: int | None = choice(1, 4, 8, when=lambda layer: layer.conv == "gat")


@architecture
class Head:
    norm: str = choice("none", "batch")
    width: int = choice(8, 16)


@architecture
class Stacked:
    layers: tuple[Layer, ...] = repeat(Layer, 0, 3)
    head: Head = nested(Head)
    residual: bool | None = choice(True, False, when=lambda a: len(a.layers) > 1)


@architecture
class Cell:
    source: int = earlier()
    op: str = choice("a", "b")


@architecture
class Pair:
    left: Cell = nested(Cell)
    right: Cell = nested(Cell)


@architecture
class Dag:
    cells: tuple[Pair, ...] = repeat(Pair, 1, 3)


@architecture
class Numbers:
    count: int = integer(2, 200)
    width: int = integer(8, 1024, log=True)
    lr: float = real(1e-4, 1e-1, log=True)
    dropout: float = real(0, 0.9)
    momentum: float | None = real(0.1, 0.99, when=lambda a: a.count > 100)


@architecture
class Fixed:
    width: int = constant(64)
    kind: str = constant("gcn")
    depth: int = choice(1, 2)


@architecture
class Forbidding:
    a: int = integer(0, 5)
    b: int = integer(0, 5)

    def forbidden(self) -> str | None:
        return "a and b must differ" if self.a == self.b else None


@architecture
class Large:
    layers: tuple[Layer, ...] = repeat(Layer, 40, 60)


DECLARED = (Flat, Conditional, Stacked, Dag, Numbers, Fixed, Forbidding, Large)
EVERY: dict[str, Space[Any]] = {
    **{name: find(name) for name in SPACES.names()},
    **{f"{name} for graphs": find(name).for_task(GRAPH) for name in SPACES.names()},
    **{f"{name} for links": find(name).for_task(LINK) for name in SPACES.names()},
    **{of.__name__: Space(of) for of in DECLARED},
}


def condition(names: list[str], salt: int) -> Any:
    """A condition that reads these fields and says yes two times in three, for no reason."""
    return lambda a: zlib.crc32(repr((salt, [getattr(a, name) for name in names])).encode()) % 3 > 0


@st.composite
def classes(
    draw: st.DrawFn, depth: int = 2, in_repeat: bool = False, name: str = "Drawn", reals: bool = False
) -> type[Any]:
    """A random class decorated with ``@architecture``; the classes in it have names of their own.

    With ``reals`` some knobs are real numbers, or whole ones drawn by their logarithm, so that not all can be listed.
    """
    body: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 3))):
        reads = draw(st.lists(st.sampled_from(list(body)), max_size=2, unique=True)) if body else []
        when = {"when": condition(reads, draw(st.integers(0, 9)))} if reads else {}
        kinds = ["choice", "integer"] + ["real", "log"] * reals
        if not when:
            kinds += ["constant"] + ["nested", "repeat"] * (depth > 0) + ["earlier"] * in_repeat
        low = draw(st.integers(0, 2))
        match draw(st.sampled_from(kinds)):
            case "choice":
                options = draw(st.lists(st.sampled_from(["a", "b", None, 2, 2.5]), min_size=1, max_size=3, unique=True))
                body[f"f{number}"] = choice(*options, **when)
            case "integer":
                body[f"f{number}"] = integer(low, low + draw(st.integers(0, 2)), **when)
            case "real":
                scale = draw(st.sampled_from([1e-3, 1.0, 10.0]))
                body[f"f{number}"] = real(scale, scale * draw(st.integers(2, 9)), log=draw(st.booleans()), **when)
            case "log":
                body[f"f{number}"] = integer(low + 1, (low + 2) * draw(st.integers(1, 300)), log=True, **when)
            case "constant":
                body[f"f{number}"] = constant(draw(st.sampled_from([1, "x", None])))
            case "nested":
                body[f"f{number}"] = nested(draw(classes(depth - 1, in_repeat, f"{name}{number}", reals)))
            case "repeat":
                body[f"f{number}"] = repeat(
                    draw(classes(depth - 1, True, f"{name}{number}", reals)), low, low + draw(st.integers(0, 1))
                )
            case "earlier":
                body[f"f{number}"] = earlier()
    notes: dict[str, Any] = {"__annotations__": dict.fromkeys(body, Any)}
    if draw(st.integers(0, 3)) == 0:
        refuses = condition(list(body), draw(st.integers(0, 9)))
        notes["forbidden"] = lambda self: None if refuses(self) else "chance"
    return architecture(type(name, (), {**body, **notes}))


def graph(nodes: int, edges: int, seed: int = 0) -> torch.Tensor:
    """``[2, edges]`` distinct directed edges, without loops."""
    assert edges <= nodes * (nodes - 1)
    generator = torch.Generator().manual_seed(seed)
    pairs = [(i, j) for i in range(nodes) for j in range(nodes) if i != j]
    chosen = torch.randperm(len(pairs), generator=generator)[:edges].tolist()
    return torch.tensor([pairs[k] for k in chosen], dtype=torch.long).reshape(-1, 2).t().contiguous()


def features(nodes: int, width: int, seed: int = 0) -> torch.Tensor:
    """``[nodes, width]`` float64 from a normal distribution."""
    return torch.randn(nodes, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def carried(edges: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights and four features of so many edges, float64."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(edges, generator=generator, dtype=torch.float64) + 0.5
    return {"edge_weight": weight, "edge_attr": torch.randn(edges, 4, generator=generator, dtype=torch.float64)}
