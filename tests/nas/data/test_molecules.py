"""Molecules: their categories one-hot, their scaffolds, what is missing said."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

from nas.data import load, molecules
from nas.data.encodings import one_hot_columns
from nas.searchspace.errors import BadInput, MissingExtra

SMILES = ("CCO", "c1ccccc1", "Cc1ccccc1O", "C1CCCCC1N", "CC(=O)O", "c1ccc2ccccc2c1", "N")


def made(smiles: str, y: float) -> Data:
    """A molecule as torch_geometric reads it."""
    graph = import_module("torch_geometric.utils.smiles").from_smiles(smiles)
    graph.y = torch.tensor([[y]])
    return graph


def some(count: int) -> list[Data]:
    pytest.importorskip("rdkit")
    return [made(SMILES[i % 7], i / 3 + 0.25) for i in range(count)]


def test_categories_become_places():
    graphs = some(40)
    task = load(graphs)
    assert (task.level, task.target, task.metric) == ("graph", "regression", "rmse")
    assert task.transforms == ("one-hot columns", "one-hot edge columns")
    assert task.categories[0] == (6, 7, 8)
    assert task.features == sum(map(len, task.categories))
    assert task.edge_features == sum(map(len, task.edge_categories))
    first = task.train[0]
    assert bool((first.x.sum(1) == 9).all())
    again = torch.cat([one_hot_columns(graph.x, task.categories) for graph in graphs])
    every = torch.cat([task.batches(split)[0].x for split in ("train", "valid", "test")])
    assert torch.equal(every.sum(0), again.sum(0))
    assert graphs[0].x.dtype == torch.long  # the user's graphs stay as they are


def test_numbers_stay_numbers():
    graphs = some(20)
    for graph in graphs:
        graph.x = graph.x.float()
        del graph.smiles
    task = load(graphs)
    assert (task.features, task.categories, task.transforms) == (9, (), ())


def test_scaffolds_are_those_of_bemis_and_murcko():
    pytest.importorskip("rdkit")
    assert molecules.scaffolds(SMILES, "data") == ["", "c1ccccc1", "c1ccccc1", "C1CCCCC1", "", "c1ccc2ccccc2c1", ""]
    with pytest.raises(BadInput, match="data: rdkit cannot read the smiles 'C1CC' of graph 1"):
        molecules.scaffolds(["C", "C1CC"], "data")


def test_molecules_of_a_scaffold_stay_together():
    task = load(some(70), split="scaffold")
    assert task.split == "scaffold"
    assert task == load(some(70), split="scaffold", seed=7)
    assert [len(task.batches(split)[0].y) for split in ("train", "valid", "test")] == [50, 10, 10]
    tested = task.test[0]
    assert torch.bincount(tested.batch).tolist() == [10] * 10  # naphthalene, the last of the scaffolds


def test_other_graphs_have_no_scaffolds(ring):
    with pytest.raises(BadInput, match="graph 0 of data has no smiles"):
        load([ring(6, y=torch.tensor([i % 2])) for i in range(20)], split="scaffold")
    with pytest.raises(BadInput, match="split scaffold divides molecules, and data is one graph"):
        load(ring(12), split="scaffold")
    with pytest.raises(BadInput, match="divided at random"):
        load(ring(40), task="link", split="scaffold")


def esol(folder: Path) -> Path:
    raw = folder / "esol" / "raw"
    raw.mkdir(parents=True)
    rows = [f"name,{i}.5,{text}" for i, text in enumerate([*SMILES * 4, "C1CC"])]
    (raw / "delaney-processed.csv").write_text("id,value,smiles\n" + "\n".join(rows) + "\n")
    return folder


def test_what_rdkit_cannot_read_is_said(tmp_path, cache):
    pytest.importorskip("rdkit")
    root = esol(tmp_path / "data")
    for _ in range(2):  # processed, and from the cache
        task = load("ESOL", root=root)
        assert sum(len(task.batches(split)[0].y) for split in ("train", "valid", "test")) == 28
        assert any("could not read 1 of 29 molecules; they were left out" in note for note in task.notes)


def test_without_rdkit_the_extra_is_named(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(molecules, "find_spec", lambda name: None)
    for call in (
        lambda: load("esol", root=esol(tmp_path)),
        lambda: molecules.scaffolds(["C"], "data"),
    ):
        with pytest.raises(MissingExtra, match=r"needs rdkit: pip install 'gnn-nas\[molecules\]'"):
            call()


def test_files_that_lack_are_named(tmp_path, cache):
    pytest.importorskip("rdkit")
    (esol(tmp_path) / "esol" / "raw" / "delaney-processed.csv").unlink()
    with pytest.raises(BadInput, match=r"lacks delaney-processed\.csv"):
        load("esol", root=tmp_path)
