"""The table of NAS-Bench-Graph from the files of the package ``nas-bench-graph`` (Apache License 2.0).

The files are pickles, which could run anything when they are read: here they are read by an unpickler that knows
numbers, text, lists and dicts alone. No code of the package runs.
"""

from __future__ import annotations

import importlib.util
import pickle
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
LINKS = ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 2), (0, 1, 3), (1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 3))
"""Inputs of the last three nodes of the nine shapes, in the order of the benchmark's numbers; the first reads 0."""
KEYS = {"valid": "valid_perf", "test": "perf", "latency": "latency", "params": "para"}
NUMBERS = ("f4", "f8", "i4", "i8")


def installed() -> Path | None:
    """Where the files of the installed package are; None if it is not installed. It is not imported."""
    try:
        spec = importlib.util.find_spec("nas_bench_graph")
    except ImportError:
        return None
    places = [Path(place) / "light" for place in (spec.submodule_search_locations or ())] if spec else []
    return next((place for place in places if place.is_dir()), None)


def read(folder: Path) -> dict[str, NDArray[Any]]:
    """The arrays of :class:`nas.evaluation.tables.nasbench_graph.Arrays`.

    Raises:
        BadInput: if a file is missing, or is not what the package has.
    """
    bench = {data: _bench(folder / f"{data}.bench") for data in DATASETS}
    keys = sorted(bench["cora"])
    row = {key: i for i, key in enumerate(keys)}
    arrays = {name: np.full((len(keys), len(DATASETS)), np.nan, np.float32) for name in KEYS}
    for column, data in enumerate(DATASETS):
        for key, found in bench[data].items():
            for name, theirs in KEYS.items():
                arrays[name][row[key], column] = found[theirs]
    return {"datasets": np.array(DATASETS), "op_names": np.array(OPS), **arrays, "raw_to_row": _rows(keys)}


def _bench(file: Path) -> dict[int, dict[str, Any]]:
    try:
        with file.open("rb") as handle:
            found = _Plain(handle).load()
    except Exception as error:  # a damaged pickle raises anything
        raise BadInput(f"{file} cannot be read as a file of nas-bench-graph: {error}") from error
    if not isinstance(found, dict) or not all(
        type(key) is int and isinstance(value, dict) and set(KEYS.values()) <= set(value)
        for key, value in found.items()
    ):
        raise BadInput(f"{file} is not a file of nas-bench-graph")
    return found


class _Plain(pickle.Unpickler):
    """Reads numbers, text, lists and dicts; numpy's numbers are made here, by none of numpy's own functions."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return _Kind
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _scalar
        raise pickle.UnpicklingError(f"it calls {module}.{name}, and none but numbers, text, lists and dicts is read")


class _Kind:
    """Stands for a numpy type of numbers."""

    def __init__(self, kind: str, *_: object) -> None:
        if kind not in NUMBERS:
            raise pickle.UnpicklingError(f"it holds values of the type {kind!r}, which is no number")
        self.kind = "<" + kind

    def __setstate__(self, state: Any) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError("its numbers are in another byte order")


def _scalar(kind: Any, raw: Any) -> float:
    if not isinstance(kind, _Kind) or not isinstance(raw, bytes):
        raise pickle.UnpicklingError("a number in it is none")
    return float(np.frombuffer(raw, kind.kind, 1)[0])


def _described(key: int) -> NASBenchGraph:
    """The network of the benchmark's own number: decimal digits of its shape and its four operations."""
    shape, *ops = (int(digit) for digit in f"{key:05}")
    return _network(LINKS[shape], ops)


def _rows(keys: list[int]) -> NDArray[Any]:
    """The row of every description: that of the same network."""
    row_of = {_described(key): row for row, key in enumerate(keys)}
    found = np.full((2, 3, 4, *(len(OPS),) * 4), -1, np.int32)
    skip = OPS.index("skip")
    for inputs in product(range(2), range(3), range(4)):
        for ops in product(range(len(OPS)), repeat=4):
            if any(op != skip for op in ops):
                found[(*inputs, *ops)] = row_of[_network(inputs, ops)]
    return found


def _network(inputs: Any, ops: Any) -> NASBenchGraph:
    nodes = tuple(Node(input=i, op=OPS[op]) for i, op in zip((0, *inputs), ops, strict=True))
    return NASBenchGraph(nodes=nodes).canonical(None)
