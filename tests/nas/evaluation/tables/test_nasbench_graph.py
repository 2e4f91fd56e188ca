"""The real table: numbers that its README states, one network in one row, and the same table from the package."""

from __future__ import annotations

import os
import pickle
import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.evaluation.tables import nasbench_graph, nasbench_graph_package
from nas.evaluation.tables.nasbench_graph import Arrays, opened
from nas.evaluation.tables.registry import column
from nas.searchspace.errors import BadInput, MissingExtra
from nas.searchspace.source import module, source
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node

ROOT = Path(os.environ.get("NAS_DATA", "."))
FILE = ROOT / "nasbench_graph" / "nasbench_graph.npz"
needs_table = pytest.mark.skipif(not FILE.is_file(), reason="set NAS_DATA to the folder that holds nasbench_graph/")


def cell(links: list[int], ops: str) -> NASBenchGraph:
    return NASBenchGraph(nodes=tuple(Node(input=i, op=op) for i, op in zip(links, ops.split("/"), strict=True)))


@needs_table
@pytest.mark.parametrize(
    ("data", "links", "ops", "best", "best_valid", "median"),
    [
        ("cora", [0, 1, 2, 2], "fc/gat/gcn/graph", 0.83133, 0.81933, 0.7853),
        ("citeseer", [0, 0, 1, 3], "fc/gin/gat/graph", 0.71567, 0.72800, 0.6540),
        ("pubmed", [0, 0, 1, 1], "gcn/arma/gcn/gin", 0.78600, 0.81133, 0.7403),
        ("arxiv", [0, 1, 2, 3], "gcn/cheb/sage/sage", 0.72386, 0.73667, 0.7046),
        ("proteins", [0, 1, 2, 3], "arma/sage/gcn/sage", 0.79263, 0.85333, 0.7689),
    ],
)
def test_known_numbers(data, links, ops, best, best_valid, median):
    found = column("nasbench-graph", data)
    metrics, metric = found.metrics(cell(links, ops)), found.task.metric
    assert metrics is not None
    assert metrics[f"test_{metric}"] == pytest.approx(best, abs=6e-6)
    assert found.regret("test", metrics[f"test_{metric}"]) == 0
    assert found.regret("valid", best_valid) == pytest.approx(0, abs=1e-3)
    assert found.regret("test", median) == pytest.approx(1, abs=5e-3)


@needs_table
def test_all_descriptions_of_a_network_are_one_look_up():
    found, rng = column("nasbench-graph", "cora"), random.Random(0)
    few = [Node(input=0, op=op) for op in ("gcn", "skip", "fc")]  # few operations: many equal networks
    rows: dict[NASBenchGraph, int] = {}
    for _ in range(1000):
        a = NASBenchGraph(nodes=(*(replace(rng.choice(few), input=rng.randint(0, k)) for k in range(3)), few[0]))
        assert rows.setdefault(a.canonical(None), found.row(a)) == found.row(a)
    assert len(set(rows.values())) == len(rows) < 300
    first = found.metrics(cell([0, 0, 0, 0], "gcn/gat/fc/sage"))
    assert first == found.metrics(cell([0, 0, 0, 0], "sage/fc/gat/gcn"))


@needs_table
def test_searches_on_every_data_set_have_networks_that_can_be_written():
    for data in nasbench_graph_package.DATASETS:
        result = nas.search(data, table="nasbench-graph", controller="random", trials=3, seed=1)
        assert result.complete
        assert all(r.trial.values is not None for r in result.records)
        assert "class Model" in source(result.best.architecture, result.plan.task)
        assert result.plan.task.metric == ("roc-auc" if data == "proteins" else "accuracy")


@needs_table
@pytest.mark.parametrize("data", nasbench_graph.SIZES)
def test_networks_have_as_many_parameters_as_in_the_table(data):
    """Features, outputs, width and the linear layers around the cell are right where they agree exactly.

    The benchmark has a norm for each of the four nodes, also where nothing reads it.
    """
    found, rng, unread = column("nasbench-graph", data), random.Random(0), 2 * nasbench_graph.FIXED[data].width
    space = found.space.for_task(found.task)
    for a in (space.sample(rng) for _ in range(4)):
        model, metrics = module(a, found.task), found.metrics(a)
        norms = sum(type(m).__name__ == "BatchNorm1d" for m in model.modules())
        assert metrics is not None
        ours = sum(p.numel() for p in model.parameters()) + (4 - norms) * unread
        assert np.float32(ours / 1e6) == np.float32(metrics["params"] / 1e6), a


def test_without_the_table_the_message_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(nasbench_graph_package, "installed", lambda: None)
    with pytest.raises(
        MissingExtra, match=re.escape("pip install 'gnn-nas[nasbench]', or give --data-root or NAS_DATA")
    ):
        opened()


# the package


def packed(folder: Path, keys: list[int]) -> Path:
    """Files as the package has them, numbers of numpy among them."""
    folder.mkdir(parents=True)
    for i, data in enumerate(nasbench_graph_package.DATASETS):
        bench = {
            key: {"valid_perf": key / 1e5, "perf": np.float64(i + key / 1e5), "latency": np.float32(0.5), "para": 1.5}
            for key in keys
        }
        (folder / f"{data}.bench").write_bytes(pickle.dumps(bench, protocol=3))
    return folder


def every_key() -> list[int]:
    """The benchmark's number of a description of each network."""
    found = {}
    for shape, links in enumerate(nasbench_graph_package.LINKS):
        for ops in np.ndindex(9, 9, 9, 9):
            if ops != (8, 8, 8, 8):
                key = int("".join(map(str, (shape, *ops))))
                found.setdefault(nasbench_graph_package._network(links, ops), key)
    return sorted(found.values())


@pytest.mark.slow
def test_the_table_is_made_once_of_the_package(tmp_path, monkeypatch):
    keys = every_key()
    assert len(keys) == 26_206
    folder = packed(tmp_path / "light", keys)
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(nasbench_graph_package, "installed", lambda: folder)
    made = opened().column("cora")
    (folder / "cora.bench").unlink()
    found = opened().column("cora")  # of the cache
    assert found.task == made.task
    a = cell([0, 1, 2, 2], "fc/gat/gcn/graph")
    key = keys[found.row(a)]
    assert found.metrics(a) == pytest.approx(
        {"valid_accuracy": key / 1e5, "test_accuracy": key / 1e5, "latency": 0.5, "params": 1.5e6}, rel=1e-6
    )


class Malicious:
    """Reading it makes a file, where whoever reads it lets it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (open, (str(self.file), "w"))


@pytest.mark.parametrize("hidden", [lambda m: m, lambda m: {0: m}, lambda m: {0: {"perf": [m]}}])
def test_a_file_that_calls_a_function_is_refused_and_does_not(tmp_path, hidden):
    trap = tmp_path / "trap"
    (tmp_path / "cora.bench").write_bytes(pickle.dumps(hidden(Malicious(trap))))
    with pytest.raises(BadInput, match=r"it calls (io|_io)\.open, and none but numbers, text, lists and dicts is read"):
        nasbench_graph_package._bench(tmp_path / "cora.bench")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "is not a file of nas-bench-graph"),
        ({"a": {}}, "is not a file of nas-bench-graph"),
        ({1: {"perf": 1.0}}, "is not a file of nas-bench-graph"),
        (np.array([print], dtype=object), "cannot be read as a file of nas-bench-graph: it calls numpy"),
        ({1: np.datetime64("2020-01-01")}, "it holds values of the type 'M8'"),
    ],
)
def test_other_pickles_are_no_files_of_the_package(tmp_path, value, message):
    (tmp_path / "cora.bench").write_bytes(pickle.dumps(value, protocol=3))
    with pytest.raises(BadInput, match=message):
        nasbench_graph_package._bench(tmp_path / "cora.bench")


def test_damaged_and_missing_files_of_the_package(tmp_path):
    (tmp_path / "cora.bench").write_bytes(pickle.dumps({1: {}})[:-3])
    for data in ("cora", "citeseer"):
        with pytest.raises(BadInput, match="cannot be read as a file of nas-bench-graph"):
            nasbench_graph_package._bench(tmp_path / f"{data}.bench")


def test_a_package_that_is_not_installed_is_no_folder(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert nasbench_graph_package.installed() is None


@needs_table
def test_the_arrays_of_the_file_are_what_the_benchmark_says():
    found = Arrays(FILE)
    assert found.datasets == nasbench_graph_package.DATASETS
    assert len(found.column("cora").numbers["params"]) == 26_206
    assert int(np.isfinite(found.column("proteins").numbers["params"]).sum()) == 2021
