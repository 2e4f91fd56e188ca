"""Data sets of OGB, with a stand-in for its package: nothing can be downloaded in a test."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch_geometric.data import Data

from nas.data import load
from nas.searchspace.errors import BadInput, MissingExtra, RunError


def module(monkeypatch, name: str, loader: type) -> None:
    made = ModuleType(f"ogb.{name}")
    setattr(made, f"Pyg{name.removesuffix('proppred').title()}PropPredDataset", loader)
    monkeypatch.setitem(sys.modules, "ogb", ModuleType("ogb"))
    monkeypatch.setitem(sys.modules, made.__name__, made)


class Nodes:
    """As PygNodePropPredDataset of ogbn-arxiv."""

    eval_metric, task_type = "acc", "multiclass classification"

    def __init__(self, name, root):
        self.name, self.root = name, root

    def __len__(self):
        return 1

    def __getitem__(self, _):
        index = torch.stack([torch.arange(30), (torch.arange(30) + 1) % 30])
        years = torch.arange(30)[:, None]
        return Data(torch.rand(30, 4), index, y=years % 3, node_year=years, num_nodes=30)

    def get_idx_split(self):
        return {"train": torch.arange(20), "valid": torch.arange(20, 25), "test": torch.arange(25, 30)}


class Graphs(Nodes):
    """As PygGraphPropPredDataset of ogbg-molhiv."""

    eval_metric, task_type = "rocauc", "binary classification"

    def __len__(self):
        return 30

    def __getitem__(self, i):
        index = torch.tensor([[0, 1], [1, 0]])
        return Data(torch.ones(2, 9).long(), index, torch.ones(2, 3).long(), torch.tensor([[i % 2]]))


class Links(Nodes):
    """As PygLinkPropPredDataset of ogbl-collab."""

    eval_metric, task_type = "hits@50", "link prediction"

    def __getitem__(self, i):
        graph = super().__getitem__(i)
        graph.edge_weight = torch.ones(30, 1).long()
        del graph.y
        return graph

    def get_idx_split(self):
        raise AttributeError("links have another division")


def test_nodes_come_with_their_division(monkeypatch, cache):
    module(monkeypatch, "nodeproppred", Nodes)
    task = load("ogb:ogbn-arxiv")
    assert (task.name, task.level, task.target, task.outputs) == ("ogbn-arxiv", "node", "multiclass", 3)
    assert task.metric == "accuracy"
    assert (task.split, len(task.train[0].y), len(task.test[0].y)) == ("given", 20, 5)
    assert "not used: node_year" in task.notes


def test_graphs_come_with_their_division_and_metric(monkeypatch, cache):
    module(monkeypatch, "graphproppred", Graphs)
    allowed = set(torch.serialization.get_safe_globals())
    task = load("ogb:ogbg-molhiv")
    assert set(torch.serialization.get_safe_globals()) == allowed
    assert task.transforms == ("one-hot columns", "one-hot edge columns")
    assert (task.level, task.target, task.outputs, task.metric) == ("graph", "multilabel", 1, "roc-auc")
    assert (task.split, task.edge_features, len(task.valid[0].y)) == ("given", 3, 5)


def test_links_are_divided_anew(monkeypatch, cache):
    module(monkeypatch, "linkproppred", Links)
    task = load("ogb:ogbl-collab")
    assert (task.level, task.edge_weights) == ("link", True)
    assert any("links are divided anew at random" in note for note in task.notes)


def test_what_cannot_be_had_is_said(monkeypatch, cache, tmp_path):
    with pytest.raises(BadInput, match="ogb:arxiv is no data set of OGB; their names are like ogb:ogbn-arxiv"):
        load("ogb:arxiv")
    monkeypatch.setitem(sys.modules, "ogb", None)
    with pytest.raises(MissingExtra, match=r"ogb:ogbn-arxiv needs the package ogb; .*pip install 'gnn-nas\[ogb\]'"):
        load("ogb:ogbn-arxiv")

    class Unreachable:
        def __init__(self, name, root):
            raise OSError("no network")

    module(monkeypatch, "nodeproppred", Unreachable)
    with pytest.raises(RunError, match=r"ogb:ogbn-arxiv cannot be read or downloaded into .*\(OSError: no network\)"):
        load("ogb:ogbn-arxiv")
