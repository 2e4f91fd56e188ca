"""Files of torch.save: what is read, and that no code of a file ever runs."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

from nas.data import load
from nas.data.readers import limits, read, saved
from nas.export import predict
from nas.searchspace.errors import BadInput

NONE = torch.zeros(2, 0, dtype=torch.long)


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, mark) -> None:
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def save(held, path):
    torch.save(held, path)
    return path


def test_graphs_lists_splits_and_dicts_are_read(tmp_path, ring):
    graph = ring()
    found = read(save(graph, tmp_path / "one.pt"))
    assert found.name == "one"
    assert torch.equal(found.graphs[0].x, graph.x)
    plain = read(save({"x": graph.x, "edge_index": graph.edge_index, "y": graph.y}, tmp_path / "dict.pth"))
    assert torch.equal(plain.graphs[0].edge_index, graph.edge_index)
    assert load(tmp_path / "one.pt").fingerprint() != load(tmp_path / "dict.pth").fingerprint()  # the name counts
    assert load(tmp_path / "one.pt").identity == load(graph).identity
    several = [ring(4, y=torch.tensor([i % 2])) for i in range(20)]
    assert load(str(save(several, tmp_path / "list.pt"))).level == "graph"
    parts = {"train": several[:10], "val": several[10:14], "test": several[14:]}
    task = load(save(parts, tmp_path / "parts.pt"))
    assert (task.split, len(task.valid[0].y)) == ("given", 4)


def test_names_of_classes_are_kept(tmp_path, ring):
    assert load(save(ring(class_names=["a", "b"]), tmp_path / "g.pt")).classes == ("a", "b")


def test_predict_reads_the_same_kinds_of_files():
    source = Path(predict.__file__).read_text(encoding="utf-8")
    names = ", ".join(of.__name__ for of in saved.SAFE)
    assert f"add_safe_globals([{names}])" in source


def test_a_hostile_file_is_refused_and_never_run(tmp_path, ring):
    mark = tmp_path / "ran"
    for i, held in enumerate([Hostile(mark), {"x": Hostile(mark)}, ring(extra=Hostile(mark))]):
        with pytest.raises(BadInput, match="holds something else than tensors and graphs and could run code"):
            read(save(held, tmp_path / f"{i}.pt"))
    (tmp_path / "old.pt").write_bytes(pickle.dumps(Hostile(mark)))
    with pytest.raises(BadInput, match=r"old.pt (holds something else|is damaged)"):
        read(tmp_path / "old.pt")
    torch.save(Hostile(mark), tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(BadInput, match="holds something else than tensors"):
        read(tmp_path / "legacy.pt")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (5, "holds a int; save a torch_geometric Data"),
        (torch.zeros(3), "holds a Tensor; save a torch_geometric Data"),
        ([], "the list of graphs is empty"),
        ([torch.zeros(3)], r"g.pt, graph 0 is a Tensor; save"),
        ({"x": torch.zeros(3, 1)}, r"g.pt has no edge_index; it has x: save"),
        ({"train": [], "valid": 3}, "valid holds a int; it must be a list of Data"),
        ({"val": [], "valid": []}, "two of its keys stand for the valid split"),
        ({"train": [], "test": []}, "graphs for each split are a dict with the keys train, valid, test"),
        ({5: 5}, "the name 5 is no attribute of a graph"),
        ({"edge_index": NONE, "num_nodes": -1}, "num_nodes must be a whole number; it"),
        ({"edge_index": NONE, "num_nodes": "3"}, "num_nodes must be a whole number"),
        ({"edge_index": NONE, "class_names": "ab"}, "class_names must be a list of"),
        ({"edge_index": NONE, "num_nodes": 10**7}, "there are 10,000,000 nodes by"),
        ({"edge_index": torch.tensor([[0], [10**9]]), "y": torch.ones(1)}, "there are 1,000,000,001 nodes by their"),
        ({"edge_index": torch.tensor([[0], [10**15]]), "x": torch.ones(2, 1)}, "edge index out of bounds"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path, held, message):
    with pytest.raises(BadInput, match=message):
        load(save(held, tmp_path / "g.pt"))


def test_what_a_file_claims_is_looked_at_before_it_is_made(tmp_path, monkeypatch):
    path = save(Data(x=torch.zeros(1, 1).expand(10**7, 100), edge_index=torch.zeros(2, 0).long()), tmp_path / "a.pt")
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(limits, "memory_limit", lambda: 2**30)
    with pytest.raises(BadInput, match=r"a.pt: x of shape \[10000000, 100\] would take 3,815 MiB and half of the free"):
        read(path)
    bomb = tmp_path / "bomb.pt"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/data/0", "w") as file:
        for _ in range(40):
            file.write(bytes(2**20))
    monkeypatch.setattr(limits, "memory_limit", lambda: 2**24)
    with pytest.raises(BadInput, match=r"bomb.pt: its content would take 40 MiB"):
        read(bomb)


def test_a_file_that_is_cut_short_is_damaged(tmp_path, ring):
    whole = save(ring(300), tmp_path / "whole.pt").read_bytes()
    for size in (1, 10, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.pt").write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"cut.pt (is damaged|holds something else)"):
            read(tmp_path / "cut.pt")
    (tmp_path / "empty.pt").write_bytes(b"")
    with pytest.raises(BadInput, match=r"empty.pt is empty; write it again"):
        read(tmp_path / "empty.pt")
