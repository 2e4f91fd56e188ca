"""Files: where they are looked for, that they are only read, and that nothing half-made is ever left."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric import datasets

from nas.data import CATALOGUE, load, planetoid
from nas.data.sources import read
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.task import SPLITS


def airports(raw: Path) -> None:
    """Raw files of a ring of 30 airports with 3 classes."""
    raw.mkdir(parents=True)
    labels = "".join(f"\n{100 + i} {i % 3}" for i in range(30)) + "\n"
    (raw / "labels-brazil-airports.txt").write_text("node label" + labels)
    (raw / "brazil-airports.edgelist").write_text("".join(f"{100 + i} {100 + (i + 1) % 30}\n" for i in range(30)))


def tree(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(p.relative_to(folder)), p.stat().st_mtime_ns) for p in folder.rglob("*"))


@pytest.fixture
def root(tmp_path, cache) -> Path:
    airports(tmp_path / "data" / "brazil" / "raw")
    return tmp_path / "data"


def test_the_data_folder_is_only_read_and_found_both_ways(root, cache, monkeypatch):
    before = tree(root)
    task = load("Brazil", root=root)
    assert (task.features, task.outputs) == (3 + 8 + 16, 3)
    assert "30 became 60" in task.notes[1]
    assert task.transforms == ("undirected", "degree:3", "laplacian:8", "random-walk:16")
    assert load("brazil", root=root, features="own").transforms == ("undirected",)
    assert load("brazil", root=root, features="own").features == 30
    monkeypatch.setenv("NAS_DATA", str(root))
    assert load("brazil") == task
    assert tree(root) == before
    assert not list(cache.rglob("*.partial"))


def test_changed_files_are_read_again(root):
    first = load("brazil", root=root)
    labels = root / "brazil" / "raw" / "labels-brazil-airports.txt"
    labels.write_text(labels.read_text().replace("100 0", "100 1"))
    os.utime(labels, ns=(1, 1))
    assert load("brazil", root=root).identity != first.identity


def test_processes_at_once_prepare_once(root, monkeypatch):
    made = []
    process = datasets.Airports.process
    monkeypatch.setattr(datasets.Airports, "process", lambda self: (made.append(1), process(self))[1])
    with ThreadPoolExecutor(4) as pool:
        tasks = list(pool.map(lambda _: load("brazil", root=root), range(4)))
    assert len(made) == 1
    assert all(task == tasks[0] for task in tasks)


def test_what_a_killed_process_left_is_no_harm(root, cache, monkeypatch):
    def killed(self):
        Path(self.processed_paths[0]).write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(datasets.Airports, "process", killed)
        with pytest.raises(KeyboardInterrupt):
            load("brazil", root=root)
    home = next(cache.rglob("*.lock")).with_suffix("")
    assert not home.exists()
    leftover = home.with_name(home.name + ".partial")
    leftover.mkdir()
    (leftover / "brazil").write_text("junk")
    assert load("brazil", root=root).outputs == 3


def test_files_that_are_nowhere_are_downloaded_once(cache, monkeypatch):
    asked = []

    def download(self):
        asked.append(self.raw_dir)
        Path(self.raw_dir).rmdir()
        airports(Path(self.raw_dir))

    monkeypatch.setattr(datasets.Airports, "download", download)
    assert load("brazil") == load("brazil")
    assert len(asked) == 1
    assert (cache / "data" / "downloads" / "brazil" / "raw").is_dir()


def test_no_files_and_no_network_says_where_it_looked(tmp_path, cache, monkeypatch):
    def download(self):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets.Airports, "download", download)
    with pytest.raises(RunError) as caught:
        load("brazil", root=tmp_path)
    text = str(caught.value)
    assert str(tmp_path / "brazil" / "raw") in text
    assert str(cache / "data" / "downloads") in text
    assert "no route to host" in text
    assert "NAS_DATA" in text
    assert "--data-root" in text
    assert not list(cache.rglob("raw"))


def test_missing_and_damaged_files_are_named(root):
    raw = root / "brazil" / "raw"
    (raw / "brazil-airports.edgelist").write_text("100 what\n")
    with pytest.raises(BadInput, match=r"brazil could not be read from .*ValueError.*get them again"):
        load("brazil", root=root)
    (raw / "brazil-airports.edgelist").unlink()
    with pytest.raises(BadInput, match=r"raw lacks brazil-airports\.edgelist; add what is missing"):
        load("brazil", root=root)


def test_a_cache_that_cannot_be_written_says_what_to_set(root, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"cannot be written .*set NAS_CACHE"):
        load("brazil", root=root)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, cache, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "Cora" / "raw"
    raw.mkdir(parents=True)
    for part in ("x", "tx", "allx", "y", "ty", "ally", "graph"):
        (raw / f"ind.cora.{part}").write_bytes(pickle.dumps(Hostile(), protocol=2))
    (raw / "ind.cora.test.index").write_text("0\n")
    with pytest.raises(BadInput, match=r"ind\.cora\.allx was refused: it asks Python for 'posix\.mkdir'|'nt\.mkdir'"):
        load("cora", root=tmp_path)
    assert not (tmp_path / "owned").exists()


def test_damaged_and_unfit_pickles_are_named(tmp_path):
    path = tmp_path / "ind.cora.x"
    for content, message in [
        (b"", "is damaged .ValueError: pickle exhausted"),
        (b"\x80\x02garbage", "is damaged"),
        (pickle.dumps([1, 2]), "must hold a table of numbers; it holds list"),
        (pickle.dumps(np.array([[None]])), "it holds values of the type 'O8', which is no number"),
        (
            sparse(np.array([0, 9], dtype=np.int32)),
            "is damaged .ValueError: the entries of a sparse matrix lie outside",
        ),
        (sparse(pointer=np.array([0, 2**30, 2])), "the rows of a sparse matrix do not fit its entries"),
        (sparse(pointer=np.array([0.0, 1.0, 2.0])), "are not lists of numbers"),
        (sparse(data=np.ones(1)), "the entries of a sparse matrix lie outside of it"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "numbers an object 2,147,483,647, and there are 9 bytes"),
        (pickle.dumps(np.zeros(3)), "must hold a table of numbers"),
    ]:
        path.write_bytes(content)
        with pytest.raises(BadInput, match=message):
            planetoid._array(path)
    for graph, message in [
        ([1], "must hold a dict"),
        ({0: ["a"]}, "must hold a dict"),
        ({0: [7]}, "links nodes 0 to 7, but"),
    ]:
        with pytest.raises(BadInput, match=message):
            planetoid._edges(graph, 3, path)


def test_frames_of_a_pickle_do_not_hide_operations(tmp_path):
    """In the second frame, which begins within the first, Python's reader would find a number that claims 256 MiB."""
    hidden = b"\x8c\x05" + b"r\x00\x00\x00\x01"  # a text of five characters, or the operation that they are
    content = b"\x80\x04\x95" + (12).to_bytes(8, "little") + b"N\x95" + (7).to_bytes(8, "little") + hidden + b"\x94."
    (tmp_path / "a").write_bytes(content)
    assert planetoid.unpickle(tmp_path / "a") == "r\0\0\0\1"


def test_a_pickle_that_would_be_hashed_for_years(tmp_path):
    twice = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(80))
    (tmp_path / "a").write_bytes(b"\x80\x02}K\x01\x85" + twice + b"K\x01s.")
    with pytest.raises(BadInput, match=r"is damaged .ValueError: an object in it repeats others [\d,]+ times"):
        planetoid.unpickle(tmp_path / "a")


class Again:
    """An array of bytes that others have, too."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __reduce__(self):
        array = np.zeros(0, np.uint8)
        return array.__reduce__()[0], array.__reduce__()[1], (1, (len(self.raw),), array.dtype, False, self.raw)


def test_what_a_pickle_names_again_is_not_copied_again(tmp_path):
    raw = bytes(2**20)
    (tmp_path / "a").write_bytes(pickle.dumps([Again(raw) for _ in range(500)]))
    tracemalloc.start()
    held = planetoid.unpickle(tmp_path / "a")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(held) == 500
    assert most < 8 * 2**20
    assert held[499].numbers().shape == (2**20,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cbuiltins\nlist\n(]tR.", "is damaged .TypeError: 'str' object is not callable"),
        (b"ccollections\ndefaultdict\n(]tR.", "it makes a dict of something else than lists"),
        (b"cnumpy.core.multiarray\n_reconstruct\n}Vx\nNsb.", "it sets attributes of a function"),
        (b"ccollections\ndefaultdict\n(N}V_function\nNstb.", "it sets attributes of a function"),
        (b"cscipy.sparse._csr\ncsr_matrix\n(N}Vdense\nNstb.", "is damaged .TypeError"),
        (b"cscipy.sparse._csr\ncsr_matrix\n)\x81.", "a sparse matrix lacks its arrays"),
    ],
)
def test_a_pickle_copies_and_changes_nothing_of_ours(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        planetoid.unpickle(tmp_path / "a")
    (tmp_path / "b").write_bytes(sparse())
    assert planetoid.unpickle(tmp_path / "b").shape == (2, 3)


def sparse(
    indices: np.ndarray | None = None, pointer: np.ndarray | None = None, data: np.ndarray | None = None
) -> bytes:
    """A pickled 2 x 3 sparse matrix, whose parts may be others than they should be."""
    from scipy.sparse import csr_matrix

    matrix = csr_matrix((np.ones(2), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 3))
    for name, part in (("indices", indices), ("indptr", pointer), ("data", data)):
        if part is not None:
            setattr(matrix, name, part)
    return pickle.dumps(matrix)


def test_a_sparse_matrix_is_read_dense(tmp_path):
    (tmp_path / "a").write_bytes(sparse(np.array([2, 0], dtype=np.int32)))
    assert planetoid._array(tmp_path / "a").tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("name", ["Cora", "CiteSeer", pytest.param("PubMed", marks=pytest.mark.slow)])
def test_planetoid_equals_what_pyg_reads(name, nas_data):
    from torch_geometric.io import read_planetoid_data

    raw = nas_data / name / "raw"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = planetoid.read(raw, name)
    with warnings.catch_warnings():  # PyG's reader goes through scipy's deprecated path
        theirs = read_planetoid_data(str(raw), name)
    assert set(ours.keys()) == set(theirs.keys())
    for key in ("x", "y", "edge_index", "train_mask", "val_mask", "test_mask"):
        assert torch.equal(ours[key], theirs[key]), key


SLOW = {"lipo", "tox21", "cs", "chameleon", "computers", "tolokers", "nci1", "pubmed"}
SIZES = {
    "digits": (50, 100, 1647),
    "cora": (140, 500, 1000),
    "citeseer": (120, 500, 1000),
    "pubmed": (60, 500, 1000),
    "photo": (160, 240, 7250),
    "computers": (200, 300, 13252),
    "cs": (300, 450, 17583),
    "texas": (87, 59, 37),
    "wisconsin": (120, 80, 51),
    "chameleon": (1092, 729, 456),
    "actor": (3648, 2432, 1520),
    "minesweeper": (5000, 2500, 2500),
    "tolokers": (5879, 2939, 2940),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in CATALOGUE])
def test_every_data_set_is_as_the_catalogue_says(name, nas_data, shared_cache, monkeypatch):
    monkeypatch.setenv("NAS_CACHE", str(shared_cache))
    entry = CATALOGUE[name]
    of_molecules = entry.loader == "MoleculeNet"
    if of_molecules:
        pytest.importorskip("rdkit")
    graphs = read(entry, nas_data)
    assert len(graphs) == entry.graphs
    assert sum(graph.num_nodes for graph in graphs) == entry.nodes
    assert sum(graph.num_edges for graph in graphs) == entry.edges
    assert graphs[0].num_features == entry.features
    task = load(name, root=nas_data)
    assert (task.level, task.outputs, task.split) == (entry.level, entry.classes, entry.split)
    assert task.metric == (entry.metric or "accuracy")
    places = sum(map(len, task.categories))
    assert task.features == (65 + 8 + 16 if entry.described else places or entry.features or 65)
    assert (places > 0) == of_molecules
    sizes = tuple(len(task.batches(split)[0].y) for split in SPLITS)
    if name in SIZES:
        assert sizes == SIZES[name]
    else:
        items = entry.nodes if entry.level == "node" else entry.graphs
        share = 0.2 if entry.level == "node" else 0.1
        assert sum(sizes) == items
        assert all(abs(size - share * items) <= entry.classes for size in sizes[1:])
    assert ("row-normalise" in task.transforms) == entry.normalise
    if entry.normalise:
        sums = task.train[0].x.sum(1)
        assert bool(((sums - 1).abs() < 1e-4).logical_or(sums == 0).all())
