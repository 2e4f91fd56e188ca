"""The Planetoid citation graphs, read without trusting their files.

The raw files are Python pickles, and a pickle can run any code. They are read here by an unpickler that knows plain
containers, numpy arrays and a sparse matrix, and refuses everything else.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from scipy.sparse import csr_matrix
from torch import Tensor
from torch_geometric import datasets
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, index_to_mask, remove_self_loops

from nas.searchspace.errors import BadInput

VALID = 500
_PARTS = ("tx", "allx", "y", "ty", "ally", "graph", "test.index")  # `x` repeats the first rows of `allx`


class Planetoid(datasets.Planetoid):  # type: ignore[misc, unused-ignore]
    """PyG's data set, downloads and all, with the reader below."""

    def process(self) -> None:
        self.save([read(Path(self.raw_dir), self.name)], self.processed_paths[0])


class _Sparse:
    """Takes the place of scipy's matrix while a file is read, so that the file never sets attributes of ours."""

    def dense(self) -> Any:
        parts: list[Any] = [getattr(self, name, None) for name in ("data", "indices", "indptr")]
        if not all(isinstance(part, np.ndarray) for part in parts):
            raise ValueError("a sparse matrix lacks its arrays")
        matrix: Any = csr_matrix((parts[0], parts[1], parts[2]), shape=getattr(self, "_shape", None))
        matrix.check_format(full_check=True)
        return matrix.toarray()


# `numpy.core` and `scipy.sparse.csr` are the paths of old releases, which the published files name.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("scipy.sparse.csr", "csr_matrix"): _Sparse,
    ("scipy.sparse._csr", "csr_matrix"): _Sparse,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("builtins", "list"): list,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise BadInput(
                f"it asks Python for '{module}.{name}', which a graph does not need and which could run any code; "
                "do not trust it: get the file again from its source"
            )
        return _ALLOWED[module, name]


def unpickle(path: Path) -> Any:
    """What a Planetoid pickle holds: a dense array, or the dict of neighbours.

    Raises:
        BadInput: if the file is damaged, or asks for anything but arrays, a sparse matrix and plain containers.
    """
    try:
        with path.open("rb") as file:
            held = _Reader(file, encoding="latin1").load()
        return held.dense() if isinstance(held, _Sparse) else held
    except BadInput as error:
        raise BadInput(f"{path} was refused: {error}") from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise BadInput(f"{path} is damaged ({type(error).__name__}: {error}); get the file again") from error


def _array(path: Path) -> Tensor:
    held = unpickle(path)
    if not isinstance(held, np.ndarray) or held.ndim != 2 or held.dtype.kind not in "iuf":
        raise BadInput(f"{path} must hold a table of numbers; it holds {type(held).__name__}")
    return torch.from_numpy(held).float()


def read(folder: Path, name: str) -> Data:
    """The graph with the public split of Yang et al. (ICML 2016): 20 nodes a class, 500 and 1,000 nodes.

    Args:
        folder: holds ``ind.<name>.allx`` and its companions.

    Raises:
        BadInput: if a file is damaged or hostile.
    """
    path = {part: folder / f"ind.{name.lower()}.{part}" for part in _PARTS}
    allx, tx, y, ally, ty = (_array(path[part]) for part in ("allx", "tx", "y", "ally", "ty"))
    test = torch.from_numpy(np.loadtxt(path["test.index"], dtype=np.int64))
    if name.lower() == "citeseer":  # some test nodes are isolated and missing from the files: rows of zeros
        tx, ty = _spread(tx, test), _spread(ty, test)
    x, y_all = torch.cat([allx, tx]), torch.cat([ally, ty]).argmax(1)
    ordered = test.sort().values
    x[test], y_all[test] = x[ordered], y_all[ordered]
    nodes = len(x)
    return Data(
        x=x,
        edge_index=_edges(unpickle(path["graph"]), nodes, path["graph"]),
        y=y_all,
        train_mask=index_to_mask(torch.arange(len(y)), nodes),
        val_mask=index_to_mask(torch.arange(len(y), len(y) + VALID), nodes),
        test_mask=index_to_mask(test, nodes),
    )


def _spread(rows: Tensor, test: Tensor) -> Tensor:
    out = rows.new_zeros(int(test.max() - test.min()) + 1, rows.size(1))
    out[test.sort().values - test.min()] = rows
    return out


def _edges(graph: Any, nodes: int, path: Path) -> Tensor:
    try:
        pairs = np.array([(source, target) for source, near in graph.items() for target in near], dtype=np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadInput(f"{path} must hold a dict from node to neighbours ({error}); get the file again") from error
    if len(pairs) and not (pairs.min() >= 0 and pairs.max() < nodes):
        raise BadInput(f"{path} links nodes {pairs.min()} to {pairs.max()}, but there are {nodes}; get the file again")
    edge_index, _ = remove_self_loops(torch.from_numpy(pairs.reshape(-1, 2)).t())
    ordered: Tensor = coalesce(edge_index, num_nodes=nodes, sort_by_row=False)
    return ordered
