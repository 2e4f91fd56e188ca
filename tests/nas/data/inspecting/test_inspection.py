"""Numbers that can be counted by hand or by NetworkX, and every warning by its message."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import homophily as pyg_homophily

from nas.data import load
from nas.data.inspecting import inspect
from nas.data.inspecting.kinds import kinds
from nas.data.inspecting.leakage import graph_hashes
from nas.data.inspecting.structure import homophily, structure
from nas.searchspace.task import Batch


def random_graph(nodes: int = 60, **more) -> Data:
    g = torch.Generator().manual_seed(0)
    index = torch.randint(nodes, (2, 2 * nodes), generator=g)
    index = torch.cat([index, index.flip(0)], 1)
    return Data(**({"x": torch.rand(nodes, 4, generator=g), "edge_index": index, "y": torch.arange(nodes) % 3} | more))


def test_structure_counts_what_networkx_counts():
    graph = random_graph(edge_index=torch.tensor([[0, 1, 0, 1, 5, 7, 7], [1, 0, 1, 0, 5, 8, 9]]))
    found = structure([Batch(graph.x, graph.edge_index, graph.y)])
    theirs = nx.MultiDiGraph(graph.edge_index.t().tolist())
    theirs.add_nodes_from(range(60))
    assert (found.nodes, found.edges, found.directed) == (60, 7, True)
    assert (found.loops, found.duplicates) == (nx.number_of_selfloops(theirs), 2)
    assert found.isolated == 60 - len({0, 1, 7, 8, 9})
    assert found.components == nx.number_weakly_connected_components(theirs)
    assert found.largest == 3
    degrees = [degree for _, degree in theirs.in_degree()]
    assert (found.least, found.median, found.most) == (min(degrees), np.median(degrees), max(degrees))
    assert math.isclose(found.mean, np.mean(degrees), rel_tol=1e-6)


def test_homophily_is_that_of_pyg_and_chance_is_zero():
    graph = random_graph(3000)
    batch = Batch(graph.x, graph.edge_index, graph.y)
    loops = graph.edge_index[0] == graph.edge_index[1]
    found = homophily([batch], [graph.y])
    assert found is not None
    assert math.isclose(found.edge, pyg_homophily(graph.edge_index[:, ~loops], graph.y, method="edge"), rel_tol=1e-5)
    assert abs(found.adjusted) < 0.05
    inside = Batch(graph.x, graph.edge_index[:, graph.y[graph.edge_index[0]] == graph.y[graph.edge_index[1]]], graph.y)
    found = homophily([inside], [graph.y])
    assert found is not None
    assert (found.edge, found.adjusted) == (1, pytest.approx(1))
    two = Batch(graph.x[:4], torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), graph.y[:4])
    found = homophily([two], [torch.tensor([0, 1, 0, 1])])
    assert found is not None
    assert (found.edge, found.adjusted) == (0, -1)  # (0 - 1/2) / (1 - 1/2)
    assert homophily([two], [torch.tensor([0, -1, 0, -1])]) is None


def test_kinds_of_columns():
    columns = [[0, 1, 1], [0, 2, -3], [0.5, 1, 0], [7, 7, 7]]
    found = kinds([torch.tensor(columns).t()])
    assert (found.binary, found.whole, found.real, found.constant, found.one_hot) == (1, 1, 1, 1, False)
    assert found.filled == pytest.approx(9 / 12)
    assert kinds([torch.eye(3)[:, :3]]).one_hot
    assert not kinds([torch.eye(3), torch.ones(1, 3)]).one_hot


def hashed(graph: nx.Graph) -> int:
    index = torch.tensor([*graph.to_directed().edges]).reshape(-1, 2).t()
    return int(graph_hashes(Batch(torch.ones(len(graph), 1), index, torch.zeros(1)))[0])


def test_isomorphic_graphs_have_equal_hashes_and_others_do_not():
    rng = np.random.default_rng(0)
    graphs = [nx.gnp_random_graph(6, 0.4, seed=seed) for seed in range(40)]
    hashes = [hashed(graph) for graph in graphs]
    for i, graph in enumerate(graphs):
        order = dict(enumerate(rng.permutation(6).tolist()))
        assert hashed(nx.relabel_nodes(graph, order)) == hashes[i]
        assert all((hashes[i] == hashes[k]) == nx.is_isomorphic(graph, graphs[k]) for k in range(i))


def test_an_inspection_of_nodes(ring):
    found = inspect(load(ring(30, 3, class_names=["a", "b", "c"]), split="random"))
    assert [output.name for output in found.outputs] == ["a", "b", "c"]
    assert found.outputs[0].counts == {"train": 6, "valid": 2, "test": 2}
    assert found.items == {"train": 18, "valid": 6, "test": 6}
    assert (found.graphs, found.sizes, found.unscored, found.structure.directed) == (1, (30, 30, 30), 0, False)
    assert found.homophily is not None
    assert found.homophily.edge == 0


def test_an_inspection_of_graphs_and_numbers(ring):
    graphs = [ring(3 + i % 3, y=torch.tensor([i / 2])) for i in range(20)]
    found = inspect(load(graphs))
    (output,) = found.outputs
    assert (found.level, found.target, found.graphs, found.sizes) == ("graph", "regression", 20, (3, 4, 5))
    assert (output.least, output.most, output.mean) == (0, 9.5, 4.75)
    assert output.total == 20
    assert found.homophily is None


def test_an_inspection_of_links(ring):
    found = inspect(load(ring(40), task="link"))
    assert found.level == "link"
    assert [output.name for output in found.outputs] == ["a link"]
    assert found.seen == ()


def twice(graph: Data) -> Data:
    """Two copies of a graph side by side, whose halves train and test."""
    nodes = graph.num_nodes
    half = torch.arange(2 * nodes) // nodes
    valid = torch.arange(2 * nodes) % nodes == 0
    return Data(
        x=graph.x.repeat(2, 1),
        edge_index=torch.cat([graph.edge_index, graph.edge_index + nodes], 1),
        y=graph.y.repeat(2),
        train_mask=(half == 0) & ~valid,
        val_mask=valid,
        test_mask=(half == 1) & ~valid,
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (twice(random_graph()), "leakage: 59 of 59 test nodes (100%) have the same features as one of training, and"),
        (
            random_graph(edge_index=torch.tensor([[0, 1, 2] * 57, [i for i in range(3, 60) for _ in "abc"]])),
            "have the same 3 or more neighbours as one of training",
        ),
        (random_graph(y=(torch.arange(60) > 50).long()), "classes are unequal: training has 31 items of 0 and 5 of 1"),
        (random_graph(y=(torch.arange(60) > 57).long()), "class 1 has no item in the validation and test splits"),
        (random_graph(), "the test split has 12 items: one of them is 8.3 points"),
        (random_graph(edge_index=torch.tensor([[0, 1], [1, 0]])), "58 of 60 nodes (96.7%) are isolated"),
        (random_graph(edge_index=torch.zeros(2, 0).long()), "there are no edges: networks see each node by itself"),
        (random_graph(edge_index=torch.tensor([[0, 0], [1, 1]])), "1 of 2 edges are there a second time and count"),
        (random_graph(edge_index=torch.tensor([[0, 2], [1, 2]])), "1 edges lead from a node to itself"),
        (random_graph(x=torch.ones(60, 2)), "2 of 2 features tell nothing: they are the same everywhere"),
        (random_graph(y=torch.tensor([[0, 1.0], [0, math.nan]]).repeat(30, 1)), "30 labels are missing"),
        (random_graph(y=torch.tensor([[0, 1.0], [0, 0]]).repeat(30, 1)), "question 0: all of 36 known ones are no in"),
        ([random_graph(6, y=torch.tensor([i // 5 % 2])) for i in range(40)], "test graphs (100%) have the same"),
    ],
)  # fmt: skip
def test_what_deserves_attention_is_said(data, message):
    warnings = inspect(load(data)).warnings
    assert any(message in warning for warning in warnings), warnings


def test_many_nodes_with_the_same_few_features_are_no_leakage():
    few = random_graph(x=(torch.arange(240).reshape(60, 4) % 2).float())
    assert not any("leakage" in warning for warning in inspect(load(few)).warnings)


def test_duplicates_of_chameleon_are_found(nas_data, cache):
    found = inspect(load("chameleon", root=nas_data))
    assert found.warnings[0].startswith("leakage: 199 of 456 test nodes (44%) have the same 3 or more neighbours")
