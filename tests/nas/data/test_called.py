"""Features of a new table stand where those of the training stood, whatever its columns and categories are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import nas
from nas.data import load
from nas.data.called import in_place
from nas.data.graphs import graphs_of
from nas.searchspace.errors import BadInput

ROWS = [f"n{i},{i}.5,{'rgb'[i % 3]},{'ab'[i % 2]}" for i in range(12)]
EDGES = [f"n{i},n{(i + 1) % 12},{'xy'[i % 2]}" for i in range(12)]


def folder(path: Path, rows: list[str], heading: str = "id,age,colour,label", edges: list[str] = EDGES) -> Path:
    path.mkdir()
    (path / "nodes.csv").write_text("\n".join([heading, *rows]))
    (path / "edges.csv").write_text("\n".join(["source,target,kind", *edges]))
    return path


@pytest.fixture
def described(tmp_path: Path) -> dict:
    return load(folder(tmp_path / "first", ROWS)).describe()


def test_names_are_part_of_the_task(described):
    assert described["feature_names"] == ("age", "colour=b", "colour=g", "colour=r")
    assert described["edge_feature_names"] == ("kind=x", "kind=y")


def test_the_same_table_stays_as_it_is(tmp_path, described):
    graphs = graphs_of(tmp_path / "first")
    found, notes = in_place(graphs, described, "it")
    assert found == graphs
    assert notes == []


def test_other_categories_and_another_order(tmp_path, described):
    rows = [f"n{i},{'rv'[i % 2]},{i}.5" for i in range(12)]  # no b and no g, and one that training did not know
    other = folder(tmp_path / "other", rows, "id,colour,age", [f"n{i},n{(i + 1) % 12},y" for i in range(12)])
    (graph,), notes = in_place(graphs_of(other), described, "it")
    assert graph.x[:, 0].tolist() == [i + 0.5 for i in range(12)]
    assert graph.x[:, 1:].tolist() == [[0, 0, float(i % 2 == 0)] for i in range(12)]
    assert graph.edge_attr.tolist() == [[0, 1]] * graph.num_edges
    assert notes == ["column 'colour': training did not know 'v', which counts as none of its categories"]


def test_a_column_too_many_and_one_that_is_lacking(tmp_path, described):
    more = folder(tmp_path / "more", [f"n{i},{i}.5,{'rgb'[i % 3]},7.0" for i in range(12)], "id,age,colour,height")
    (graph,), notes = in_place(graphs_of(more), described, "it")
    assert graph.x.shape == (12, 4)
    assert notes == ["column 'height' is not used: the network was trained without it"]
    less = folder(tmp_path / "less", [f"n{i},{'rgb'[i % 3]}" for i in range(12)], "id,colour")
    with pytest.raises(BadInput, match="it: the network was trained with a column 'age' of nodes, which is not there"):
        in_place(graphs_of(less), described, "it")


def test_predictions_follow_the_names(tmp_path):
    first = folder(tmp_path / "train", ROWS)
    model = nas.AutoGNN(seconds=3, workers=1, device="cpu", runs=tmp_path / "runs").fit(first)
    turned = folder(tmp_path / "turned", [f"n{i},{'rgb'[i % 3]},{i}.5" for i in range(12)], "id,colour,age")
    assert torch.equal(model.scores(turned), model.scores())
