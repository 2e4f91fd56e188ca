"""npz files in both layouts, against PyG's own readers where the real files are, and each mistake by its message."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch_geometric.utils import coalesce

from nas.data import load
from nas.data.catalogue import CATALOGUE
from nas.data.readers import limits, read
from nas.data.sources import read as read_named
from nas.searchspace.errors import BadInput
from tests.nas.data.readers.test_saved import Hostile

EDGES = {"edges": [[0, 1], [1, 2], [2, 3]], "node_features": np.eye(4), "node_labels": [0, 1, 0, 1]}
SPARSE = {
    **{"adj_data": [1, 1, 1.0], "adj_indices": [1, 2, 0], "adj_indptr": [0, 1, 2, 3], "adj_shape": [3, 3]},
    **{"attr_data": [5, 7.0], "attr_indices": [1, 0], "attr_indptr": [0, 1, 1, 2], "attr_shape": [3, 2]},
    "labels": [0, 1, 1],
}


def save(path, arrays, **more):
    np.savez(path, **{**arrays, **more})
    return path


def test_both_layouts_are_read(tmp_path):
    (sparse,) = read(save(tmp_path / "a.npz", SPARSE, class_names=np.array(["x", "y"]))).graphs
    assert sparse.x.tolist() == [[0, 5], [0, 0], [7, 0]]
    assert coalesce(sparse.edge_index).tolist() == [[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]]
    assert (sparse.y.tolist(), sparse.class_names) == ([0, 1, 1], ["x", "y"])
    masks = {f"{word}_masks": np.eye(4, dtype=bool)[:2] for word in ("train", "val", "test")}
    (edges,) = read(save(tmp_path / "b.npz", EDGES, **masks)).graphs
    assert edges.num_edges == 6
    assert edges.train_mask.tolist() == [[True, False], [False, True], [False, False], [False, False]]


def test_weights_numbers_of_nodes_and_directions(tmp_path):
    arrays = {**SPARSE, "adj_data": [0.5, 1, 2], "idx_train": [0, 1], "idx_val": [2], "idx_test": [2], "directed": True}
    found = read(save(tmp_path / "a.npz", arrays, other=1))
    (graph,) = found.graphs
    assert graph.edge_index.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert graph.edge_weight.tolist() == [0.5, 1, 2]
    assert graph.train_mask.tolist() == [True, True, False]
    assert found.notes == ("arrays that were not used: other",)
    with pytest.raises(BadInput, match=r"a.npz: .*the valid and test sets overlap in 1 nodes"):
        load(tmp_path / "a.npz")


def test_a_label_of_minus_one_is_none(tmp_path):
    arrays = {**EDGES, "edges": [[i, i + 1] for i in range(19)], "node_features": np.ones((20, 1))}
    task = load(save(tmp_path / "a.npz", arrays, node_labels=[-1, *(i % 2 for i in range(19))]))
    assert sum(len(task.batches(split)[0].y) for split in ("train", "valid", "test")) == 19
    assert "1 of 20 nodes have no label and are in no split" in task.notes


@pytest.mark.parametrize(
    ("name", "file"),
    [("photo", "amazon_electronics_photo"), ("minesweeper", "minesweeper"), ("tolokers", "tolokers")],
)
def test_published_files_read_as_pyg_reads_them(nas_data, cache, name, file):
    entry = CATALOGUE[name]
    theirs = read_named(entry, nas_data)[0]
    (ours,) = read(nas_data / entry.folder / "raw" / f"{file}.npz").graphs
    assert torch.equal(ours.x, theirs.x)
    assert torch.equal(ours.y, theirs.y)
    nodes = len(theirs.x)
    plain = coalesce(ours.edge_index[:, ours.edge_index[0] != ours.edge_index[1]], num_nodes=nodes)
    assert torch.equal(plain, coalesce(theirs.edge_index, num_nodes=nodes))
    if "train_mask" in theirs:
        assert torch.equal(ours.train_mask, theirs.train_mask)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [[1]]}, "a.npz has no edges; give it adj_data, .* it has x"),
        ({**EDGES, "edges": [[0, 1, 2]]}, r"edges has the shape \[1, 3\]; it must be \[2, edges\] or \[edges, 2\]"),
        ({**EDGES, "edges": [[0, 9]]}, r"1 edges name nodes that there are not, first edge 0 \(0 -> 9\); nodes are 0"),
        ({**EDGES, "edges": [[0, -1]]}, "1 edges name nodes that there are not"),
        ({**EDGES, "edges": [[0, 0.5]]}, "edges must hold whole numbers; it is float64"),
        ({**EDGES, "edges": [["a", "b"]]}, "edges must hold numbers; it is <U1"),
        ({**EDGES, "node_labels": ["a", "b", "a", "b"]}, "node_labels holds text; number the classes from 0"),
        ({**EDGES, "node_labels": 1}, "node_labels is a single number"),
        ({**EDGES, "node_labels": [0, 1]}, r"x must have the shape|y has 2 rows"),
        ({**EDGES, "node_features": np.full((4, 2), np.nan)}, "x has 8 NaN or infinite values, first in row 0"),
        ({**EDGES, "node_features": np.ones((4, 2, 2))}, r"node_features has the shape \[4, 2, 2\]"),
        ({**EDGES, "edge_weight": [1, 2]}, "edge_weight has 2 rows; there are 3 edges"),
        ({**EDGES, "train_masks": np.ones(4) * 0.5}, "train_masks must hold true and false; it is float64"),
        ({**EDGES, "train_masks": np.ones((4, 1), bool)}, "has masks but no val_mask and no test_mask"),
        ({**EDGES, "idx_train": [7]}, "idx_train names the nodes 7 to 7; nodes are 0 to 3"),
        ({"edge_index": [[0], [10**9]]}, "there are 1,000,000,001 nodes by their highest number"),
        ({"edge_index": [[0], [2**63 - 1]]}, "edge_index holds 9223372036854775807; that is no number of a node"),
        ({**SPARSE, "adj_shape": [10**7, 10**7]}, "there are 3 rows of features|claims 10,000,000 rows and adj_indptr"),
        ({**SPARSE, "attr_shape": [10**7, 2]}, "attr_shape claims 10,000,000 rows and attr_indptr has 4 entries"),
        ({**SPARSE, "attr_shape": [3, 10**12]}, "3 nodes with 1,000,000,000,000 features would take 11,444,092 MiB"),
        ({**SPARSE, "adj_shape": [3, 4]}, r"adj_shape is \[3, 4\]; an adjacency matrix is square"),
        ({**SPARSE, "adj_shape": [3]}, "adj_shape must be two numbers, rows and columns"),
        ({**SPARSE, "adj_indptr": [0, 2, 1, 3]}, "adj_indptr, adj_indices .* do not fit each other"),
        ({**SPARSE, "adj_indices": [1, 2, 3]}, "adj_indices are 1 to 3 and there are 3 columns"),
        ({k: v for k, v in SPARSE.items() if k != "attr_data"}, "a.npz has no array attr_data; it has"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path, arrays, message):
    with pytest.raises(BadInput, match=message):
        load(save(tmp_path / "a.npz", arrays))


def test_a_hostile_file_is_refused_and_never_run(tmp_path):
    mark = tmp_path / "ran"
    held = np.array([Hostile(mark)], dtype=object)
    mark.unlink(missing_ok=True)
    with pytest.raises(BadInput, match="the array node_labels holds Python objects, which could run code"):
        read(save(tmp_path / "a.npz", EDGES, node_labels=held))
    names = read(save(tmp_path / "b.npz", EDGES, class_names=held, spare=held))
    assert names.class_names == ()
    assert "class_names are Python objects, which could run code, so they were not read" in names.notes[-2]
    assert not mark.exists()


def header(shape, dtype="<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("(10000000, 100)") + bytes(40), r"claims \[10000000, 100\] items of 4 bytes and has 40 bytes"),
        (header("(10000000000000,)", "|V0"), "claims .* items of 0 bytes and has 0 bytes"),
        (header("(-4, 1)"), r"claims the shape \[-4, 1\]; the file is damaged"),
        (header("(4, 1)", "<q9"), "the array node_features is damaged"),
        (header("(2, 'x')"), "the array node_features is damaged"),
        (header("(4, 1"), r"the array node_features is damaged \(TokenError"),  # no Python: the bracket stays open
        (header("(4, 1),\n  }\n }"), r"the array node_features is damaged \((TokenError|IndentationError)"),
        (b"\x93NUMPY\x03\x00" + bytes(100), r"is of the format version \(3, 0\), which is not read"),
        (b"hello", "the array node_features is damaged"),
        (b"", "the array node_features is damaged"),
    ],
)
def test_an_array_that_claims_what_it_has_not_is_refused(tmp_path, content, message):
    path = save(tmp_path / "a.npz", {k: v for k, v in EDGES.items() if k != "node_features"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("node_features.npy", content)
    with pytest.raises(BadInput, match=message):
        read(path)


def test_a_zip_bomb_is_never_opened(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npz", {k: v for k, v in EDGES.items() if k != "node_features"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("node_features.npy", "w") as file:
        file.write(header("(10000000, 1)"))
        for _ in range(40):
            file.write(bytes(10**6))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(limits, "memory_limit", lambda: 2**24)
    with pytest.raises(
        BadInput, match=r"a.npz: the array node_features would take 38 MiB and half of the free memory is 16"
    ):
        read(path)


def test_a_file_that_is_cut_short_or_none_at_all(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{**EDGES, "node_features": np.random.default_rng(0).random((4, 50))})
    whole = buffer.getvalue()
    for size in (1, 50, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"cut.npz is damaged or no .npz file"):
            read(tmp_path / "cut.npz")
    middle = bytearray(whole)
    middle[len(whole) // 3 : len(whole) // 3 + 60] = bytes(60)
    (tmp_path / "hole.npz").write_bytes(middle)
    with pytest.raises(BadInput, match=r"hole.npz.* damaged"):
        read(tmp_path / "hole.npz")
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(BadInput, match=r"none.npz holds no arrays"):
        read(tmp_path / "none.npz")
