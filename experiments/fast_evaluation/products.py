"""Sparse times dense: torch's product of a CSR matrix, its reduction of rows, and its bag of embeddings.

    python experiments/fast_evaluation/products.py [--data cora,pubmed] [--n 8]

One thread, CPU seconds. ``kernels``: each way on the features, on the features the other way round (their gradient), on
the adjacency and on the sums over incoming edges, the best of nine. ``trainings``: networks trained for some epochs
with the engine as it is, and as it was before bags (the first way on features and up to 32 columns, else the second),
alternating, the median ratio of three. Finished rows are not run again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from cases import fixed, sampled
from loops import alternating
from recording import append, origin, rows
from torch import Tensor

from nas.data import load
from nas.evaluation.engine import features, graph, products
from nas.evaluation.engine.memory import keep_freed_memory
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.engine.structure import Structure
from nas.searchspace.task import Task

HERE = Path(__file__).parent
WIDTHS = (1, 4, 8, 12, 16, 32, 64, 128, 256, 512)
LARGEST = 50_000_000
"""Numbers of the dense factor, at most."""
RUNS, EPOCHS = 3, 10
ROWWISE = 32
"""Up to this width the engine took the first way."""


def csr(matrix: Tensor, x: Tensor) -> Tensor:
    return matrix @ x.contiguous()


def reduced(matrix: Tensor, x: Tensor) -> Tensor:
    found: Tensor = torch.sparse.mm(matrix, x.contiguous(), "sum")
    return found


def bag(matrix: Tensor, x: Tensor) -> Tensor:
    ends, columns, values = matrix.crow_indices(), matrix.col_indices(), matrix.values()
    found: Tensor = torch.embedding_bag(
        x.contiguous(), columns, ends, per_sample_weights=values, include_last_offset=True
    )[0]
    return found


def before(matrix: Tensor, x: Tensor) -> Tensor:
    return (csr if x.size(1) <= ROWWISE else reduced)(matrix, x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cora,pubmed,photo")
    parser.add_argument("--n", type=int, default=8, help="architectures sampled from each space")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    for data in options.data.split(","):
        task = load(data)
        kernels(data, task)
        trainings(data, task, options.n)


def kernels(data: str, task: Task) -> None:
    table = HERE / "products.csv"
    known = {(row["data"], row["matrix"], int(row["width"])) for row in rows(table)}
    for name, matrix in matrices(task).items():
        for width in WIDTHS:
            if (data, name, width) in known or width * matrix.size(1) > LARGEST:
                continue
            x = torch.randn(matrix.size(1), width, generator=torch.Generator().manual_seed(0))
            took = {way.__name__: _best(way, matrix, x) for way in (csr, reduced, bag)}
            row = {"data": data, "matrix": name, "entries": len(matrix.values()), "width": width}
            row |= {f"{way}_ms": f"{ms:.3f}" for way, ms in took.items()}
            print(row, flush=True)
            append(table, row | origin())


def matrices(task: Task) -> dict[str, Tensor]:
    (batch,) = task.train
    source, target = batch.edge_index
    edges = Structure.of(source, target, len(batch.x))
    weights = torch.rand(len(source), generator=torch.Generator().manual_seed(0))
    dense = {"features": batch.x, "features transposed": batch.x.t()}
    return {
        **{name: _short(x.contiguous().to_sparse_csr()) for name, x in dense.items()},
        "adjacency": edges.matrix(weights),
        "incoming edges": edges.into,
    }


def _short(matrix: Tensor) -> Tensor:
    """With indices of 32 bits, as the engine has them."""
    parts = matrix.crow_indices().int(), matrix.col_indices().int(), matrix.values()
    return torch.sparse_csr_tensor(*parts, matrix.shape, check_invariants=False)


def _best(way: Callable[[Tensor, Tensor], Tensor], matrix: Tensor, x: Tensor) -> float:
    """Milliseconds."""
    took = []
    for _ in range(10):
        begin = time.process_time()
        way(matrix, x)
        took.append(time.process_time() - begin)
    return 1e3 * min(took[1:])


@contextmanager
def as_before() -> Iterator[None]:
    changed = (products, before), (graph, before), (features, csr)
    with ExitStack() as stack:
        for module, way in changed:
            stack.enter_context(patch.object(module, "product", way))
        yield


def trainings(data: str, task: Task, number: int) -> None:
    table, prepared = HERE / "products_trainings.csv", prepare(task)
    known = {(row["data"], row["network"]) for row in rows(table)}
    for case in (*fixed(task), *sampled("agnn", task, number), *sampled("design", task, number)):
        if (data, case.name) in known:
            continue
        slow, fast, ratio = alternating(prepared, case, as_before, EPOCHS, RUNS)
        row = {"data": data, "network": case.name, "before_ms": f"{slow:.1f}", "bags_ms": f"{fast:.1f}"}
        row["ratio"] = f"{ratio:.2f}"
        print(row, flush=True)
        append(table, row | {"epochs": EPOCHS, "runs": RUNS, "seed": 0} | origin())


if __name__ == "__main__":
    main()
