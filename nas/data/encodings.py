"""Numbers for nodes, made of categories or of edges alone.

It needs torch only (and scipy for eigenvectors of large graphs, and for speed), so that an exported ``predict.py`` can
treat a new graph as those of the training were treated. Edges are taken to go both ways and count once; self-loops do
not count. A component is a world of its own: graphs side by side get what each of them gets alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

WORDS = ("own", "degree", "laplacian", "random-walk")
"""What ``encoded`` knows, in the order in which it puts them."""
DENSE = 400
"""Nodes of a component up to which all its eigenvectors are computed."""
AT_ONCE, IN_CACHE = 2**24, 2**19
"""Numbers of the largest table that is made on the way, and of one that is read often."""
LONGEST = 2 * 10**11
"""Products of a random walk from everywhere that are begun: a minute or two."""


def encoded(words: Sequence[str], x: Any, edge_index: Tensor, nodes: int) -> Tensor:
    """``[nodes, features]``, the parts that the words name side by side; other words are passed over.

    Args:
        words: of ``Task.transforms``: ``own`` is ``x`` itself, ``degree:65`` the in-degree one-hot in 65 columns,
            ``laplacian:8`` and ``random-walk:16`` as below.
        x: ``[nodes, own features]``; None where no word asks for it.
        edge_index: ``[2, edges]``, of edges that messages pass.
    """
    parts = []
    for word in words:
        kind, _, number = word.partition(":")
        if kind == "own":
            parts.append(x.float())
        elif kind == "degree":
            parts.append(one_hot_degree(edge_index, nodes, int(number)))
        elif kind == "laplacian":
            parts.append(laplacian(edge_index, nodes, int(number)))
        elif kind == "random-walk":
            parts.append(random_walk(edge_index, nodes, int(number)))
    return torch.cat(parts, dim=1)


def one_hot_columns(values: Tensor, categories: Sequence[Sequence[int]]) -> Tensor:
    """``[rows, all categories]``: of each column a place for each of its categories; one that is not there has none.

    Args:
        values: ``[rows, columns]`` whole numbers.
        categories: of each column.
    """
    known = [torch.tensor(list(column), dtype=torch.long, device=values.device) for column in categories]
    return torch.cat([values[:, i, None].long() == column for i, column in enumerate(known)], dim=1).float()


def one_hot_degree(edge_index: Tensor, nodes: int, width: int) -> Tensor:
    """``[nodes, width]``, the number of edges into each node; the last place is for all larger ones too."""
    degree = torch.bincount(edge_index[1], minlength=nodes).clamp(max=width - 1)
    return torch.nn.functional.one_hot(degree, width).float()


def laplacian(edge_index: Tensor, nodes: int, count: int) -> Tensor:
    """``[nodes, count]``, the eigenvectors of the normalised Laplacian with the smallest eigenvalues but zero.

    Of each component on its own, scaled to a mean square of one; columns that a small component does not have are
    zero. The sign is such that the cubes have a positive sum, or else that the first entry which is not zero is
    positive. Of equal eigenvalues the vectors are not unique: they depend on the order of the nodes.

    Dwivedi et al., "Benchmarking Graph Neural Networks" (JMLR 2023), section 3, without the scale.

    Raises:
        ImportError: if a component is large and scipy is not installed.
    """
    edges, (place, local, sizes) = neighbours(edge_index, nodes), components(edge_index, nodes)
    order = torch.argsort(place, stable=True)
    first = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    weights = _normalised(edges, nodes)
    out = torch.zeros(nodes, count, dtype=torch.float64)
    for size in torch.unique(sizes).tolist():
        if size == 1:
            continue
        found = (sizes == size).nonzero().flatten()
        for some in found.split(max(1, AT_ONCE // size**2) if size <= DENSE else 1):
            rows = torch.stack([order[first[i] : first[i] + size] for i in some.tolist()])  # [components, size]
            slot = torch.full((len(sizes),), -1).index_put((some,), torch.arange(len(some)))[place]
            inside = slot[edges[0]] >= 0
            at = torch.stack([slot[edges[0, inside]], local[edges[0, inside]], local[edges[1, inside]]])
            if size <= DENSE:
                matrix = torch.zeros(len(some), size, size, dtype=torch.float64)
                matrix[at[0], at[1], at[2]] = weights[inside]
                vectors = torch.linalg.eigh(-matrix).eigenvectors[..., 1 : count + 1]
            else:
                vectors = _largest(at[1:], weights[inside], size, count)[None]
            out[rows.flatten(), : vectors.size(-1)] = _signed(vectors).flatten(0, 1) * size**0.5
    return out.float()


def random_walk(edge_index: Tensor, nodes: int, steps: int) -> Tensor:
    """``[nodes, steps]``, the probability that a random walk is back where it began after 1, 2, ... steps.

    Dwivedi et al., "Graph Neural Networks with Learnable Structural and Positional Representations" (ICLR 2022),
    equation 14. ``D^-1 A`` has the diagonal of the symmetric ``S = D^-1/2 A D^-1/2``, and of ``S`` half the powers
    are enough: entry i of the diagonal of ``S^(a + b)`` is row i of ``S^a`` times row i of ``S^b``.

    Raises:
        ValueError: if it would take more than a minute or two.
    """
    edges, (_, local, sizes) = neighbours(edge_index, nodes), components(edge_index, nodes)
    width = int(sizes.max()) if nodes else 0
    if edges.size(1) * width * steps / 2 > LONGEST:
        raise ValueError(
            f"{steps} steps of random walks on {nodes:,} nodes and {edges.size(1):,} edges would take long; use fewer "
            "steps, or laplacian or degree"
        )
    step, out = _product(edges, _normalised(edges, nodes).float(), nodes), torch.zeros(nodes, steps)
    columns = min(width, max(16, IN_CACHE // max(1, nodes)))
    for begin in range(0, width, max(1, columns)):  # of each component so many nodes, where a walk may begin
        here = (local >= begin) & (local < begin + columns)
        before = torch.zeros(nodes, columns)
        before[here, local[here] - begin] = 1
        for done in range(0, steps, 2):
            after = step(before)
            out[:, done] += (before * after).sum(1)
            if done + 1 < steps:
                out[:, done + 1] += (after * after).sum(1)
            before = after
    return out


def neighbours(edge_index: Tensor, nodes: int) -> Tensor:
    """``[2, edges]``, each edge in both directions, once, in order; no self-loops."""
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    keys = torch.unique(torch.cat([source * nodes + target, target * nodes + source]))
    return torch.stack([keys.div(max(1, nodes), rounding_mode="floor"), keys.remainder(max(1, nodes))])


def components(edge_index: Tensor, nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """The component of each node, the place of each node in it, and the nodes of each component."""
    source, target = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    label = torch.arange(nodes)
    while True:
        low = label.scatter_reduce(0, target, label[source], "amin")
        low = low.scatter_reduce(0, label, low, "amin")  # whoever leads the others follows too
        low = low[low]
        if torch.equal(low, label):
            break
        label = low
    _, place = torch.unique(label, return_inverse=True)
    sizes = torch.bincount(place)
    order = torch.argsort(place, stable=True)
    local = torch.empty_like(place)
    local[order] = torch.arange(nodes) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    return place, local, sizes


def _normalised(edges: Tensor, nodes: int) -> Tensor:
    """Of each edge its entry in ``D^-1/2 A D^-1/2``."""
    degree = torch.bincount(edges[0], minlength=nodes).double()
    return (degree[edges[0]] * degree[edges[1]]).rsqrt()


def _product(edges: Tensor, weights: Tensor, nodes: int) -> Callable[[Tensor], Tensor]:
    """The sparse matrix times what it is given; by scipy if it is there, which is three times as fast."""
    try:
        from scipy.sparse import csr_matrix
    except ImportError:
        sparse = torch.sparse_coo_tensor(edges, weights, (nodes, nodes), check_invariants=False)
        return lambda dense: sparse @ dense
    matrix = csr_matrix((weights.numpy(), (edges[0].numpy(), edges[1].numpy())), shape=(nodes, nodes))
    return lambda dense: torch.from_numpy(matrix @ dense.numpy())


def _largest(edges: Tensor, weights: Tensor, size: int, count: int) -> Tensor:
    """``[size, count]``, the eigenvectors of the largest eigenvalues but the first, from a fixed start."""
    try:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import eigsh
    except ImportError as error:
        raise ImportError(f"laplacian features of a component of {size} nodes need scipy: pip install scipy") from error
    matrix = csr_matrix((weights.numpy(), (edges[0].numpy(), edges[1].numpy())), shape=(size, size))
    start = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    wanted = min(count + 1, size - 1)
    values, vectors = eigsh(matrix, k=wanted, which="LA", v0=start, ncv=min(size, max(4 * wanted, 40)))
    best = values.argsort()[::-1][1:].copy()
    return torch.from_numpy(vectors[:, best])


def _signed(vectors: Tensor) -> Tensor:
    """``[..., size, count]``, each with the sign of the docstring of ``laplacian``."""
    cubes = vectors**3
    total, least = cubes.sum(-2), 1e-6 * cubes.abs().sum(-2)
    there = vectors.abs() > 1e-4 * vectors.abs().amax(-2, keepdim=True)
    first = torch.take_along_dim(vectors, there.long().argmax(-2, keepdim=True), -2).squeeze(-2)
    negative = torch.where(total.abs() > least, total < 0, first < 0)
    return vectors * torch.where(negative, -1.0, 1.0)[..., None, :]
