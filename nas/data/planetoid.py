"""The Planetoid citation graphs, read without trusting their files.

The raw files are Python pickles, and a pickle can run any code. They are read here by an unpickler that knows plain
containers, numpy arrays and a sparse matrix, and refuses everything else.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric import datasets
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, index_to_mask, remove_self_loops

from nas.data import pickles
from nas.data.readers.limits import affordable
from nas.searchspace.errors import BadInput

VALID = 500
_PARTS = ("tx", "allx", "y", "ty", "ally", "graph", "test.index")  # `x` repeats the first rows of `allx`


class Planetoid(datasets.Planetoid):  # type: ignore[misc, unused-ignore]
    """PyG's data set, downloads and all, with the reader below."""

    def process(self) -> None:
        self.save([read(Path(self.raw_dir), self.name)], self.processed_paths[0])


class _Sparse:
    """Takes the place of scipy's matrix while a file is read, so that the file never sets attributes of ours."""

    _held: Any = None

    def __setstate__(self, state: Any) -> None:
        self._held = state

    def dense(self) -> Any:
        if not isinstance(self._held, dict):
            raise ValueError("a sparse matrix lacks its arrays")
        named = [self._held.get(name) for name in ("data", "indices", "indptr")]
        found = [part.numbers() for part in named if isinstance(part, pickles.Array)]
        parts = [part for part in found if part is not None]
        if len(parts) < len(named):
            raise ValueError("a sparse matrix lacks its arrays")
        data, indices, pointer = parts
        shape: Any = self._held.get("_shape")
        rows, columns = (int(n) for n in shape)
        # scipy's own check lets some of these pass, and then reads beyond the arrays
        if any(part.ndim != 1 for part in parts) or indices.dtype.kind not in "iu" or pointer.dtype.kind not in "iu":
            raise ValueError("the arrays of a sparse matrix are not lists of numbers")
        indices, pointer = indices.astype(np.int64), pointer.astype(np.int64)
        if len(pointer) != rows + 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any() or pointer[-1] != len(indices):
            raise ValueError("the rows of a sparse matrix do not fit its entries")
        if len(data) != len(indices) or (len(indices) and not 0 <= indices.min() <= indices.max() < columns):
            raise ValueError("the entries of a sparse matrix lie outside of it")
        affordable(4 * rows * columns, f"a matrix of {rows:,} rows and {columns:,} columns")
        made = np.zeros((rows, columns), dtype=np.float32)
        np.add.at(made, (np.repeat(np.arange(rows), np.diff(pointer)), indices), data)
        return made


_LIST = "list"


@pickles.Called
def _neighbours(kind: Any) -> dict[Any, Any]:
    """Takes the place of ``defaultdict``: a list or a dict given to it would be copied as often as a file wants."""
    if kind != _LIST:
        raise pickle.UnpicklingError("it makes a dict of something else than lists")
    return {}


# `numpy.core` and `scipy.sparse.csr` are the paths of old releases, which the published files name.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): pickles.array,
    ("numpy._core.multiarray", "_reconstruct"): pickles.array,
    ("numpy", "ndarray"): pickles.Array,
    ("numpy", "dtype"): pickles.Kind,
    ("scipy.sparse.csr", "csr_matrix"): _Sparse,
    ("scipy.sparse._csr", "csr_matrix"): _Sparse,
    ("collections", "defaultdict"): _neighbours,
    ("__builtin__", "list"): _LIST,
    ("builtins", "list"): _LIST,
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
        held = _Reader(io.BytesIO(pickles.content(path)), encoding="latin1").load()
        if isinstance(held, pickles.Array):
            return held.numbers()
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
    test = _test_nodes(path["test.index"], len(allx))
    if allx.size(1) != tx.size(1) or ally.size(1) != ty.size(1) or len(allx) != len(ally) or len(tx) != len(ty):
        raise BadInput(f"{path['tx']} and its companions allx, ty and ally do not fit each other; get them again")
    span = int(test.max()) + 1 - len(allx)
    if len(test) != len(tx) or not len(test) <= span <= (2 if name.lower() == "citeseer" else 1) * len(test):
        raise BadInput(f"{path['test.index']} does not fit {path['tx']}, which has {len(tx)} rows; get both again")
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


def _test_nodes(path: Path, first: int) -> Tensor:
    try:
        test = torch.from_numpy(np.loadtxt(path, dtype=np.int64, ndmin=1))
    except (OSError, ValueError, OverflowError) as error:
        raise BadInput(f"{path} must hold the number of a node on each line ({error}); get it again") from error
    if not len(test) or int(test.min()) != first or len(set(test.tolist())) != len(test):
        raise BadInput(f"{path} must number the nodes from {first} on, each once; get it again")
    return test


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
