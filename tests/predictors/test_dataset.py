"""What a data set is like does not depend on names or numbers of nodes, features and classes, nor on hidden labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from nas.data import load
from nas.predictors.dataset import CLASSES, KNOWN, NODES, STATISTICS, Description, described
from nas.predictors.descriptors import NODE
from nas.searchspace.errors import BadInput
from tests.nas.toys import graph, graphs


def data(nodes: int = 90, classes: int = 3, alike: float = 0.8, seed: int = 0) -> Data:
    """Links join nodes of one class that often; masks say which labels are known."""
    rng = np.random.default_rng(seed)
    y = np.arange(nodes) % classes
    source = rng.integers(nodes, size=4 * nodes)
    other = (source + classes * rng.integers(1, nodes // classes, size=4 * nodes)) % (nodes - nodes % classes)
    target = np.where(rng.random(4 * nodes) < alike, other, rng.integers(nodes, size=4 * nodes))
    x = torch.from_numpy(rng.standard_normal((nodes, 7)).astype(np.float32)) + torch.eye(7)[y]
    edges = to_undirected(torch.from_numpy(np.stack([source, target])), num_nodes=nodes)
    train = torch.from_numpy(rng.random(nodes) < 0.5)
    masks = {"train_mask": train, "val_mask": ~train, "test_mask": ~train & (torch.arange(nodes) % 2 == 0)}
    masks["val_mask"] = masks["val_mask"] & ~masks["test_mask"]
    return Data(x=x, edge_index=edges, y=torch.from_numpy(y), **masks)


def same(a: Description, b: Description) -> None:
    assert a.statistics == pytest.approx(b.statistics, abs=1e-4, nan_ok=True)
    assert (a.there == b.there).all()
    assert sets(a) == pytest.approx(sets(b), abs=1e-3)


def sets(of: Description) -> Any:
    """Nodes of each class in an order of their own."""
    return np.stack([rows[np.lexsort(rows.round(3).T)] for rows in of.nodes])


def test_the_order_of_nodes_does_not_matter() -> None:
    plain = data()
    order = torch.randperm(90, generator=torch.Generator().manual_seed(1))
    place = torch.argsort(order)
    moved = {name: value[order] for name, value in plain if name != "edge_index"}
    same(described(load(plain)), described(load(Data(edge_index=place[plain.edge_index], **moved))))


def test_the_order_of_features_does_not_matter() -> None:
    plain, other = data(), data()
    other.x = other.x[:, torch.tensor([3, 1, 6, 0, 2, 5, 4])]
    same(described(load(plain)), described(load(other)))


def test_the_names_of_classes_do_not_matter() -> None:
    plain, other = data(), data()
    other.y = torch.tensor([2, 0, 1])[other.y]
    same(described(load(plain)), described(load(other)))


def test_labels_that_are_hidden_in_training_are_not_read() -> None:
    plain, other = data(), data()
    hidden = ~other.train_mask
    other.y[hidden] = (other.y[hidden] + 1) % 3
    first, second = described(load(plain)), described(load(other))
    for name in ("statistics", "nodes", "there"):
        assert (getattr(first, name) == getattr(second, name)).all()


def test_homophily_is_seen() -> None:
    at = STATISTICS.index("homophily")
    found = [described(load(data(alike=alike))).statistics[at] for alike in (0.0, 0.5, 1.0)]
    assert found == sorted(found)
    assert found[2] > found[0] + 0.3
    margin, own = NODE.index("margin, near"), NODE.index("neighbours of its class")
    low, high = (described(load(data(alike=alike))) for alike in (0.0, 1.0))
    for column in (margin, own):
        assert high.nodes[high.there][:, column].mean() > low.nodes[low.there][:, column].mean() + 0.1


def test_what_is_counted_is_counted() -> None:
    task = load(graph(nodes=40))
    found = described(task)
    edges = task.train[0].edge_index.shape[1]
    assert found.statistics[: len(KNOWN)] == pytest.approx(np.log([40, edges / 40, 5, 3]), abs=1e-6)
    assert found.nodes.shape == (CLASSES, NODES, len(NODE))
    assert found.there.any(1).sum() == 3
    assert np.isfinite(found.nodes).all()
    assert not found.nodes[~found.there].any()


def test_more_classes_and_nodes_than_are_described_are_sampled() -> None:
    found = described(load(graph(nodes=400, classes=20, features=20)))
    assert found.there.any(1).sum() == CLASSES
    few = described(load(graph(nodes=400, classes=2)))
    assert few.there.sum() == 2 * NODES


def test_whole_graphs_have_nodes_without_classes() -> None:
    found = described(load(graphs()))
    assert found.there.any(1).sum() == 1
    assert np.isnan(found.statistics[STATISTICS.index("homophily")])
    assert np.isfinite(found.nodes).all()


def test_without_a_graph_its_size_is_all_that_is_known() -> None:
    task = replace(load(graph()), train=(), valid=(), test=())
    found = described(task, (1000, 4000))
    assert found.statistics[: len(KNOWN)] == pytest.approx(np.log([1000, 8, 5, 3]), abs=1e-6)
    assert np.isnan(found.statistics[len(KNOWN) :]).all()
    assert not found.there.any()
    with pytest.raises(BadInput, match="what data is like cannot be said: it has no graph here"):
        described(task)


def test_nodes_alone_and_without_features_are_described() -> None:
    lonely = data()
    lonely.edge_index = lonely.edge_index[:, :0]
    lonely.x = torch.zeros_like(lonely.x)
    found = described(load(lonely))
    assert np.isfinite(found.statistics).all()
    assert np.isfinite(found.nodes).all()
