"""What is written reads back equal, and whatever a file holds, only our errors come out and no file changes."""

from __future__ import annotations

import io
import random
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas.data import load
from nas.data.readers import read
from nas.searchspace.errors import NasError
from tests.nas.data.readers.written import as_csv, as_npz, folder, graphs, same

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def content(path: Path) -> dict[str, bytes]:
    """Every file below a path."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {str(file): file.read_bytes() for file in files}


def only_our_errors(path: Path) -> None:
    before = content(path.parent)
    with suppress(NasError):
        load(path)
    assert content(path.parent) == before


@given(graphs())
@SLOW
def test_an_undirected_graph_reads_back_equal(graph):
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        paths = [as_npz(graph, base / f"{layout}.npz", layout) for layout in ("edges", "sparse")]
        torch.save(graph, base / "g.pt")
        for path in (*paths, base / "g.pt", as_csv(graph, base / "once"), as_csv(graph, base / "twice", once=False)):
            (back,) = read(path).graphs
            same(back, graph)


@given(graphs(directed=True))
@SLOW
def test_a_directed_graph_reads_back_equal_where_the_file_says_so(graph):
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        as_csv(graph, base / "csv", once=False)
        lines = (base / "csv" / "edges.csv").read_text().splitlines()
        (base / "csv" / "edges.csv").write_text("\n".join([lines[0] + ",directed", *(f"{row},1" for row in lines[1:])]))
        np.savez(base / "a.npz", edge_index=graph.edge_index, x=graph.x, y=graph.y, directed=True)
        torch.save(graph.to_dict(), base / "g.pt")
        for path in (base / "csv", base / "a.npz", base / "g.pt"):
            (back,) = read(path).graphs
            same(back, graph)


cells = st.one_of(
    st.sampled_from([*"ab012", "", "-1", "1.5", "nan", "inf", "1e400", "true", '"', '"x"', "x,y", " ", "é", "\x00"]),
    st.text(max_size=4),
)
NAMES = ["id", "graph", "label", "label:a", "split", "source", "target", "weight", "directed", "f", "g", "", "ID"]
headers = st.lists(st.sampled_from(NAMES), max_size=5)


@st.composite
def tables(draw: st.DrawFn) -> str:
    width = len(names := draw(headers))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width + draw(st.integers(0, 1))), max_size=6))
    mark = draw(st.sampled_from([",", ",", ",", ";"]))
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(mark.join(row) for row in [names, *rows])


@given(tables(), tables(), st.none() | tables())
@settings(max_examples=300, deadline=None)
def test_any_folder_of_tables(nodes, edges, graphs):
    with tempfile.TemporaryDirectory() as name:
        written = [None if text is None else text.encode("utf-8", "replace") for text in (nodes, edges, graphs)]
        only_our_errors(folder(Path(name) / "d", *written))


@given(st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_a_folder_with_a_few_bytes_changed(seed):
    rng = random.Random(seed)
    nodes = "id,age,hue,label,split\n" + "".join(
        f"n{i},{i},{'rgb'[i % 3]},{'xy'[i % 2]},{['train', 'valid', 'test', 'train'][i // 2 % 4]}\n" for i in range(16)
    )
    texts = [nodes, "source,target,weight\n" + "".join(f"n{i},n{(i * 7 + 1) % 16},{i / 2}\n" for i in range(16))]
    for _ in range(rng.randint(1, 4)):
        which, piece = rng.randrange(2), rng.choice([",", "\n", '"', "x", "9", "", "-", "\ufeff", ",,", "nan", ";"])
        at = rng.randrange(len(texts[which]))
        texts[which] = texts[which][:at] + piece + texts[which][at + rng.randint(0, 2) :]
    with tempfile.TemporaryDirectory() as name:
        only_our_errors(folder(Path(name) / "d", *texts))


@given(st.binary(max_size=200), st.sampled_from([".pt", ".npz"]))
@settings(max_examples=100, deadline=None)
def test_any_bytes(held, suffix):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"g{suffix}"
        path.write_bytes(held)
        only_our_errors(path)


arrays = st.one_of(
    st.lists(st.integers(-1, 4), max_size=6).map(np.array),
    st.lists(st.lists(st.integers(-1, 3), min_size=2, max_size=2), min_size=0, max_size=5).map(np.array),
    st.lists(st.floats(width=32), min_size=0, max_size=4).map(np.array),
    st.sampled_from(
        [np.array(3), np.array("a"), np.zeros((0, 2), int), np.eye(4), np.ones((2, 2), bool), np.array(1j)]
    ),
    st.just(np.array([2**62, -(2**62)])),
)
KEYS = ["edges", "edge_index", "x", "y", "labels", "train_mask", "val_mask", "test_mask", "idx_train", "edge_attr"]
KEYS += ["edge_weight", "class_names", "directed", "train_masks", "attr_matrix", "attr_indptr", "attr_shape"]
KEYS += ["adj_data", "adj_indices", "adj_indptr", "adj_shape", "attr_data", "attr_indices"]


@given(st.dictionaries(st.sampled_from(KEYS), arrays, max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_arrays(held):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "g.npz"
        np.savez(path, **held)
        only_our_errors(path)


things = st.one_of(
    arrays.filter(lambda a: a.dtype.kind in "biufc").map(torch.from_numpy),
    st.none() | st.integers(-2, 10**7) | st.text(max_size=3) | st.floats() | st.booleans(),
    st.lists(st.text(max_size=2), max_size=2),
)
ATTRIBUTES = ["edge_index", "x", "y", "train_mask", "val_mask", "test_mask", "edge_attr", "edge_weight", "num_nodes"]
ATTRIBUTES += ["class_names", "labelled", "keys", "batch", "ptr", "size", "to", "self"]
mappings = st.dictionaries(st.sampled_from(ATTRIBUTES), things, max_size=8)


divided = st.dictionaries(st.sampled_from(["train", "val", "test"]), st.lists(mappings, max_size=2))


@given(mappings | st.lists(mappings, max_size=3) | divided)
@settings(max_examples=300, deadline=None)
def test_any_saved_things(held):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "g.pt"
        torch.save(held, path)
        only_our_errors(path)


@pytest.mark.parametrize("suffix", [".pt", ".npz"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_a_file_with_a_few_bytes_changed(suffix, seed):
    rng = random.Random(seed)
    graph = {
        "edge_index": torch.arange(20).reshape(2, 10) % 10,
        "x": torch.rand(10, 2, generator=torch.Generator().manual_seed(0)),
        "y": torch.arange(10) % 2,
    }
    buffer = io.BytesIO()
    if suffix == ".pt":
        torch.save(graph, buffer)
    else:
        np.savez(buffer, **{key: value.numpy() for key, value in graph.items()})
    held = bytearray(buffer.getvalue())
    for _ in range(rng.randint(1, 6)):
        held[rng.randrange(len(held))] = rng.randrange(256)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / f"g{suffix}"
        path.write_bytes(held)
        only_our_errors(path)
