"""The table of NAS-Bench-Graph from the files of the package ``nas-bench-graph`` (Apache License 2.0).

The files are pickles, which could run anything when they are read: here they are read by an unpickler that knows
numbers, text, lists and dicts alone. No code of the package runs.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.data import pickles
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node

DATASETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
LINKS = ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 2), (0, 1, 3), (1, 1, 1), (1, 1, 2), (1, 2, 2), (1, 2, 3))
"""Inputs of the last three nodes of the nine shapes, in the order of the benchmark's numbers; the first reads 0."""
KEYS = {"valid": "valid_perf", "test": "perf", "latency": "latency", "params": "para"}


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
    if other := [data for data in DATASETS if bench[data].keys() != bench["cora"].keys()]:
        raise BadInput(f"{folder}: {other[0]}.bench and cora.bench have other networks; install the package again")
    row = {key: i for i, key in enumerate(keys)}
    arrays = {name: np.full((len(keys), len(DATASETS)), np.nan, np.float32) for name in KEYS}
    for column, data in enumerate(DATASETS):
        for key, found in bench[data].items():
            for name, theirs in KEYS.items():
                arrays[name][row[key], column] = found[theirs]
    return {"datasets": np.array(DATASETS), "op_names": np.array(OPS), **arrays, "raw_to_row": _rows(keys)}


def _bench(file: Path) -> dict[int, dict[str, Any]]:
    try:
        found = _Plain(io.BytesIO(pickles.content(file))).load()
    except Exception as error:  # a damaged pickle raises anything
        raise BadInput(f"{file} cannot be read as a file of nas-bench-graph: {error}") from error
    if not isinstance(found, dict) or not all(
        type(key) is int and isinstance(value, dict) and all(type(value.get(k)) in (int, float) for k in KEYS.values())
        for key, value in found.items()
    ):
        raise BadInput(f"{file} is not a file of nas-bench-graph")
    return found


class _Plain(pickle.Unpickler):
    """Reads numbers, text, lists and dicts; numpy's numbers are made here, by none of numpy's own functions."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return pickles.Kind
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return pickles.scalar
        raise pickle.UnpicklingError(f"it calls {module}.{name}, and none but numbers, text, lists and dicts is read")


def _described(key: int) -> NASBenchGraph:
    """The network of the benchmark's own number: decimal digits of its shape and its four operations."""
    shape, *ops = (int(digit) for digit in f"{key:05}")
    return _network(LINKS[shape], ops)


def _rows(keys: list[int]) -> NDArray[Any]:
    """The row of every description: that of the same network."""
    found = np.full((2, 3, 4, *(len(OPS),) * 4), -1, np.int32)
    skip = OPS.index("skip")
    try:
        row_of = {_described(key): row for row, key in enumerate(keys)}
        for inputs in product(range(2), range(3), range(4)):
            for ops in product(range(len(OPS)), repeat=4):
                if any(op != skip for op in ops):
                    found[(*inputs, *ops)] = row_of[_network(inputs, ops)]
    except (ValueError, IndexError, KeyError) as error:
        raise BadInput(f"the files of nas-bench-graph lack a network, or have a number of none ({error})") from error
    return found


def _network(inputs: Any, ops: Any) -> NASBenchGraph:
    nodes = tuple(Node(input=i, op=OPS[op]) for i, op in zip((0, *inputs), ops, strict=True))
    return NASBenchGraph(nodes=nodes).canonical(None)
