from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

from nas.data import load
from nas.data.readers.networkx_graphs import are_networkx, read_networkx
from nas.searchspace.errors import BadInput


def path(nodes: int = 12, **more) -> nx.Graph:
    graph = nx.path_graph(nodes)
    for i in graph:
        graph.nodes[i].update(
            {"size": i / 2, "hue": ["red", "blue"][i % 2], "y": i % 3} | {k: f(i) for k, f in more.items()}
        )
    return graph


def test_attributes_are_features_and_labels():
    graph = path(at=lambda i: np.array([i, -i]), on=lambda i: i % 2 == 0)
    nx.set_edge_attributes(graph, 2.0, "weight")
    nx.set_edge_attributes(graph, 3, "length")
    (data,) = read_networkx(graph).graphs
    assert data.x[1].tolist() == [0.5, 1, 0, 1, -1, 0]
    assert data.y.tolist() == [0, 1, 2] * 4
    assert (data.num_edges, data.edge_weight.tolist(), data.edge_attr.tolist()) == (22, [2] * 22, [[3]] * 22)
    task = load(graph)
    assert (task.level, task.outputs, task.features) == ("node", 3, 6)


def test_directions_names_and_splits_are_kept():
    graph = nx.relabel_nodes(path(label=lambda i: "ab"[i % 2], split=lambda i: ["train", "val", "test"][i // 4]), str)
    for node in graph:
        del graph.nodes[node]["y"]
    task = load(graph)
    assert (task.classes, task.split, task.train[0].index.tolist()) == (("a", "b"), "given", [0, 1, 2, 3])
    (one_way,) = read_networkx(nx.DiGraph([("u", "v")])).graphs
    assert one_way.edge_index.tolist() == [[0], [1]]


def test_several_graphs_have_a_label_each():
    graphs = [path(3 + i % 4) for i in range(20)]
    for i, graph in enumerate(graphs):
        graph.graph["label"] = "ring" if i % 2 else "tree"
        for node in graph:
            del graph.nodes[node]["y"]
    task = load(graphs)
    assert (task.level, task.outputs, task.classes) == ("graph", 2, ("ring", "tree"))
    assert torch.equal(task.train[0].batch.unique(), torch.arange(16))


def test_what_is_no_networkx_graph():
    assert not are_networkx([])
    assert not are_networkx("graph")
    assert are_networkx(nx.MultiDiGraph())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": None}, "node 5 has no 'size' and others do; give it to all of the nodes"),
        ({"size": float("nan")}, "node 5: column 'size' is empty or not a number"),
        ({"size": "large"}, "node 5: column 'size' holds numbers, and 'large' here"),
        ({"size": [1, 2]}, r"node 5: 'size' must be a number, text or a list of numbers; it is \[1, 2\]"),
        ({"label": 3}, "the nodes have 'label' and 'y'; keep one"),
        ({"y": [1]}, "'y' of the nodes must be text or a number; it is list"),
        ({5: 3}, "the nodes have an attribute 5; its name must be text"),
    ],
)
def test_what_is_wrong_with_a_graph_is_said(change, message):
    graph = path()
    graph.nodes[5].update(change)
    if change == {"size": None}:
        del graph.nodes[5]["size"]
    with pytest.raises(BadInput, match=message):
        load(graph)
