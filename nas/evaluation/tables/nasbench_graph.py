"""The table of NAS-Bench-Graph: 26,206 networks on nine data sets, each number the mean of three trainings.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022 Datasets and Benchmarks
(arXiv 2206.09166); the numbers are under the Apache License 2.0. Validation and test are accuracies, of ``proteins``
areas under the ROC curve, at the epoch of best validation; latency is that of one pass over the graph on the authors'
GPU. Of ``proteins`` there are the 2,021 networks of five operations.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data.places import cache_folder, data_folders
from nas.data.readers.arrays import Arrays as Archive
from nas.evaluation.tables.base import Column
from nas.evaluation.tables.nasbench_graph_package import OPS
from nas.searchspace.errors import BadInput, MissingExtra, RunError
from nas.searchspace.spaces.nasbench_graph import FIXED, OTHERS
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task

NAME, FILE = "nasbench-graph", "nasbench_graph.npz"
SIZES = {
    "cora": (1433, 7),
    "citeseer": (3703, 6),
    "pubmed": (500, 3),
    "cs": (6805, 15),
    "physics": (8415, 5),
    "photo": (745, 8),
    "computers": (767, 10),
    "arxiv": (128, 40),
    "proteins": (8, 112),
}
"""Node features and outputs of each data set; a file with others is taken for one like ``arxiv``."""
LINKS = {
    "cora": (2708, 5278),
    "citeseer": (3327, 4552),
    "pubmed": (19717, 44324),
    "cs": (18333, 81894),
    "physics": (34493, 247962),
    "photo": (7650, 119081),
    "computers": (13752, 245861),
    "arxiv": (169343, 1166243),
    "proteins": (132534, 39561252),
}
"""Nodes and undirected links of each data set: Yang, Cohen and Salakhutdinov 2016; Shchur et al., arXiv 1811.05868; Hu
et al., "Open Graph Benchmark", NeurIPS 2020."""
PUBLIC, OFFICIAL = ("cora", "citeseer", "pubmed"), ("arxiv", "proteins")
ARRAYS = ("datasets", "op_names", "valid", "test", "latency", "params", "raw_to_row")


def opened(root: str | None = None) -> Arrays:
    """The table of the data folder, else of the cache, else made there of the package ``nas-bench-graph``.

    Raises:
        MissingExtra: if it is nowhere.
        RunError: if the cache cannot be written.
    """
    for folder in data_folders(root):
        if (file := folder / "nasbench_graph" / FILE).is_file():
            return Arrays(file)
    cached = cache_folder() / "tables" / FILE
    if not cached.is_file():
        from nas.evaluation.tables.nasbench_graph_package import installed, read

        if (package := installed()) is None:
            raise MissingExtra(
                f"the table {NAME} is not here: pip install 'gnn-nas[nasbench]', or give --data-root or NAS_DATA the "
                f"folder that holds nasbench_graph/{FILE}, or --table the file itself"
            )
        _write(read(package), cached)
    return Arrays(cached)


class Arrays:
    """A table in one npz file: ``valid``, ``test``, ``latency`` (seconds) and ``params`` (millions).

    They are float32 [rows, data sets]; ``raw_to_row`` has the row of every description, by the inputs of the last
    three nodes and the operations of all four, numbered as in ``op_names``, and -1 where there is none.

    Raises:
        BadInput: if the file is not there, or is no such table.
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self._file = Path(file)
        if not self._file.is_file():
            raise BadInput(f"there is no table {str(file)!r}")
        try:
            arrays = Archive(self._file)
            self._arrays = {name: arrays.read(name) for name in ARRAYS}
        except BadInput as error:
            raise BadInput(f"{self._file} is no table of {NAME}: {error}") from error
        if wrong := next(self._wrong(), None):
            raise BadInput(f"{self._file} is no table of {NAME}: {wrong}")
        self._number = {str(op): i for i, op in enumerate(self._arrays["op_names"])}

    def _wrong(self) -> Iterator[str]:
        """What does not fit."""
        names, ops, rows = (self._arrays[name] for name in ("datasets", "op_names", "raw_to_row"))
        for name in ("datasets", "op_names"):
            if self._arrays[name].ndim != 1 or self._arrays[name].dtype.kind != "U":
                yield f"{name} must be a list of names"
        numbers = [self._arrays[name] for name in ARRAYS[2:-1]]
        if any(n.dtype.kind != "f" or n.ndim != 2 or n.shape != numbers[0].shape for n in numbers):
            yield f"{', '.join(ARRAYS[2:-1])} must be numbers of one shape"
        elif numbers[0].shape[1] != len(names):
            yield f"there are {len(names)} data sets and {numbers[0].shape[1]} columns of numbers"
        if sorted(map(str, ops)) != sorted(OPS):
            yield f"its operations are {', '.join(map(str, ops))[:200]}; they must be {', '.join(OPS)}"
        if rows.dtype.kind not in "iu" or rows.shape != (2, 3, 4, *(len(ops),) * 4):
            yield "raw_to_row must be a row number for each of the inputs and operations"
        elif rows.size and (rows.min() < -1 or rows.max() >= len(numbers[0])):
            yield f"raw_to_row names row {rows.max()}, and there are {len(numbers[0])}"

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Names, in the order of the columns."""
        return tuple(str(name) for name in self._arrays["datasets"])

    def column(self, data: str) -> Column:
        """What it holds of one data set."""
        at, metric = self.datasets.index(data), "roc-auc" if data == "proteins" else "accuracy"
        of = {name: self._arrays[name][:, at].astype(np.float64) for name in ("valid", "test", "params", "latency")}
        of["params"] = np.round(1e6 * of["params"])
        features, outputs = SIZES.get(data, SIZES["arxiv"])
        task = Task(
            name=data,
            level="node",
            target="multilabel" if metric == "roc-auc" else "multiclass",
            features=features,
            outputs=outputs,
            metric=metric,
            split="public" if data in PUBLIC else "official" if data in OFFICIAL else "random:20,30",
            identity=self._identity(at),
        )
        return Column(
            table=NAME,
            task=task,
            space=find("nasbench-graph-proteins" if data == "proteins" else "nasbench-graph"),
            numbers={f"valid_{metric}": of["valid"], f"test_{metric}": of["test"]}
            | {name: of[name] for name in ("params", "latency")},
            row=self._row,
            epochs=FIXED.get(data, OTHERS).epochs,
            about="the mean of three trainings",
            network=self._network,
            links=LINKS.get(data),
        )

    def _row(self, architecture: Any) -> int:
        nodes, number = architecture.nodes, self._number
        rows: NDArray[Any] = self._arrays["raw_to_row"]
        return int(rows[(*(n.input for n in nodes[1:]), *(number[n.op] for n in nodes))])

    def _network(self, row: int) -> Any:
        """One of the descriptions of a row."""
        from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node

        names = list(self._number)
        *inputs, first, second, third, fourth = self._descriptions[row]
        ops = (names[op] for op in (first, second, third, fourth))
        nodes = tuple(Node(input=int(i), op=op) for i, op in zip((0, *inputs), ops, strict=True))
        return NASBenchGraph(nodes=nodes)

    @cached_property
    def _descriptions(self) -> NDArray[Any]:
        """``[rows, 7]``, the first description of each row: three inputs, four operations."""
        rows = self._arrays["raw_to_row"]
        known, first = np.unique(rows, return_index=True)
        return np.stack(np.unravel_index(first[known >= 0], rows.shape), axis=1)

    def _identity(self, column: int) -> str:
        seen = hashlib.sha256(",".join(self._number).encode())
        for name in ARRAYS[2:]:
            values = self._arrays[name]
            seen.update(np.ascontiguousarray(values if name == "raw_to_row" else values[:, column]).tobytes())
        return seen.hexdigest()[:16]


def _write(arrays: dict[str, NDArray[Any]], file: Path) -> None:
    temporary = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
        temporary.replace(file)
    except OSError as error:
        raise RunError(f"the table cannot be written to {file.parent} ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
