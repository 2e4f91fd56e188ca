"""Graphs and files that tests write."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.utils import coalesce

Content = str | bytes | None
NODES = "id,age,label\na,1,x\nb,2,y\nc,3,x\n"
EDGES = "source,target\na,b\nb,c\n"


def folder(
    path: Path, nodes: str | bytes = NODES, edges: str | bytes | None = EDGES, graphs: str | None = None
) -> Path:
    """A folder of CSV files, written as they are."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in (("nodes.csv", nodes), ("edges.csv", edges), ("graphs.csv", graphs)):
        if content is not None:
            (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path, names: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *lines])


@st.composite
def graphs(draw: st.DrawFn, directed: bool = False) -> Data:
    """A graph of 1 to 9 nodes with features and classes, its edges sorted, without repeats, both ways if undirected."""
    nodes = draw(st.integers(1, 9))
    pairs = draw(st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=20))
    index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t()
    if not directed:
        index = torch.cat([index, index.flip(0)], 1)
    index = coalesce(index, num_nodes=nodes)
    width = draw(st.integers(1, 3))
    numbers = st.floats(-1000, 1000, width=32, allow_subnormal=False)
    x = draw(st.lists(numbers, min_size=nodes * width, max_size=nodes * width))
    y = draw(st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes))
    used = sorted(set(y))
    return Data(
        x=torch.tensor(x, dtype=torch.float32).reshape(nodes, width),
        edge_index=index,
        y=torch.tensor([used.index(k) for k in y]),
    )


def as_csv(graph: Data, path: Path, once: bool = True, weight: torch.Tensor | None = None) -> Path:
    """The graph as a folder; with ``once`` an edge that goes both ways is listed in one direction."""
    path.mkdir(parents=True, exist_ok=True)
    names = ["id", *(f"f{i}" for i in range(graph.x.size(1))), "label"]
    lines = zip(graph.x.tolist(), graph.y.tolist(), strict=True)
    rows(path / "nodes.csv", names, [[f"n{i}", *(repr(v) for v in x), f"class {y}"] for i, (x, y) in enumerate(lines)])
    pairs = [(a, b) for a, b in graph.edge_index.t().tolist() if not once or a <= b]
    rows(path / "edges.csv", ["source", "target"], [[f"n{a}", f"n{b}"] for a, b in pairs])
    return path


def as_npz(graph: Data, path: Path, layout: str) -> Path:
    """The graph in one of the two layouts of npz files."""
    if layout == "edges":
        arrays = {"edges": graph.edge_index.t().numpy(), "node_features": graph.x.numpy()}
        np.savez(path, **arrays, node_labels=graph.y.numpy())
        return path
    from scipy.sparse import csr_matrix

    nodes = len(graph.x)
    adjacency = csr_matrix((np.ones(graph.num_edges), graph.edge_index.numpy()), shape=(nodes, nodes))
    attributes = csr_matrix(graph.x.numpy())
    parts = {
        f"{prefix}_{name}": getattr(matrix, name)
        for prefix, matrix in (("adj", adjacency), ("attr", attributes))
        for name in ("data", "indices", "indptr", "shape")
    }
    np.savez_compressed(path, **parts, labels=graph.y.numpy())
    return path


def same(a: Data, b: Data) -> None:
    """Equal features and labels, and the same edges in any order."""
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.y, b.y)
    nodes = len(a.x)
    assert torch.equal(*(coalesce(graph.edge_index, num_nodes=nodes) for graph in (a, b)))
    assert a.edge_index.size(1) == b.edge_index.size(1)
