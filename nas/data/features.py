"""Node features, and what is done to them and to the edges before anything is learned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import is_undirected, to_undirected

from nas.data import checks, encodings
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

DEGREE_CAP = 64
COUNTS = {"laplacian": 8, "random-walk": 16}
"""Columns where the user does not say how many; those of Dwivedi et al., JMLR 2023 and ICLR 2022, about."""
MOST = 1024
CATEGORIES_ONE_HOT, EDGE_CATEGORIES_ONE_HOT = "one-hot columns", "one-hot edge columns"


@dataclass(frozen=True, eq=False)
class Features:
    """Features of nodes.

    Attributes:
        xs: ``[nodes, features]`` of each graph, equally wide.
        transforms: the words by which a new graph gets the same.
        exact: columns that come out alike on every machine: all but eigenvectors and probabilities.
    """

    xs: list[Tensor]
    transforms: tuple[str, ...]
    exact: int


def parse(text: str | None) -> tuple[str, ...] | None:
    """The words of ``--features`` in the order of their columns, such as ``("own", "laplacian:8")``; None for None.

    Raises:
        BadInput: if a word is none of ``own``, ``degree``, ``laplacian[:K]`` and ``random-walk[:K]``, or comes twice.
    """
    if text is None:
        return None
    found: dict[str, str] = {}
    for word in text.lower().split(","):
        kind, colon, number = word.strip().partition(":")
        if kind not in encodings.WORDS:
            raise unknown("feature", word.strip(), ["own", "degree", "laplacian:K", "random-walk:K"])
        if colon and (kind not in COUNTS or not re.fullmatch(r"\d{1,6}", number) or not 1 <= int(number) <= MOST):
            raise BadInput(
                f"features {word.strip()!r} cannot be read; write own, degree, laplacian:K or random-walk:K with K "
                f"from 1 to {MOST}"
            )
        if kind in found:
            raise BadInput(f"features name {kind} twice: {text}")
        found[kind] = f"{kind}:{int(number) if colon else COUNTS[kind]}" if kind in COUNTS else kind
    return tuple(found[kind] for kind in encodings.WORDS if kind in found)


def node_features(
    graphs: Sequence[Data],
    sizes: Sequence[int],
    edges: Sequence[Tensor],
    names: Sequence[str],
    notes: list[str],
    wanted: Sequence[str] | None = None,
) -> Features:
    """The features that are wanted; else those of the graphs themselves, and one-hot degrees if no graph has any.

    Args:
        edges: those that messages pass; degrees and positions are of them.
        wanted: what ``parse`` returns.

    Raises:
        BadInput: if only some graphs have features, or their widths differ, or they are not finite; or if features of
            their own are wanted and there are none.
    """
    without = [name for name, graph in zip(names, graphs, strict=True) if graph.x is None]
    words = list(wanted or (("degree",) if len(without) == len(graphs) else ("own",)))
    own: list[Tensor] | None = None
    if "own" in words:
        if without and len(without) == len(graphs):
            raise BadInput(f"{names[0]} has no features of its own (no x); leave own out of features {','.join(words)}")
        own = _own(graphs, sizes, names, without, notes)
        if words == ["own"]:
            return Features(own, (), own[0].size(1))
    elif not without:
        notes.append("the features of its own were left out")
    if "degree" in words:
        width = _degree_width(edges, sizes, notes, alone=wanted is None)
        words[words.index("degree")] = f"degree:{width}"
    starts = torch.tensor([0, *sizes]).cumsum(0)
    every = torch.cat([index + start for index, start in zip(edges, starts.tolist(), strict=False)], dim=1)
    try:
        x = encodings.encoded(words, None if own is None else torch.cat(own), every, int(starts[-1]))
    except ValueError as error:
        raise BadInput(f"features {','.join(wanted or words)}: {error}") from error
    exact = x.size(1) - sum(int(word.partition(":")[2]) for word in words if word.partition(":")[0] in COUNTS)
    notes.extend(_said(word) for word in words if word.partition(":")[0] in COUNTS)
    alone = len(words) == 1 and words[0].startswith("degree")
    return Features(list(torch.split(x, list(sizes))), ("one-hot degree",) if alone else tuple(words), exact)


def _own(
    graphs: Sequence[Data], sizes: Sequence[int], names: Sequence[str], without: Sequence[str], notes: list[str]
) -> list[Tensor]:
    if without:
        raise BadInput(f"{len(without)} of {len(graphs)} graphs have no x, first {without[0]}; give it to all or none")
    out = [checks.features(g.x, n, name, notes) for g, n, name in zip(graphs, sizes, names, strict=True)]
    for x, name in zip(out, names, strict=True):
        if x.size(1) != out[0].size(1):
            raise BadInput(
                f"{name} has {x.size(1)} features a node and {names[0]} has {out[0].size(1)}; make them equal"
            )
    return out


def _degree_width(edges: Sequence[Tensor], sizes: Sequence[int], notes: list[str], alone: bool) -> int:
    degrees = [torch.bincount(e[1], minlength=n) for e, n in zip(edges, sizes, strict=True)]
    largest = max(int(d.max()) if len(d) else 0 for d in degrees)
    width = min(largest, DEGREE_CAP) + 1
    text = f"the in-degree of each node was used, one-hot in {width} columns"
    text = f"there are no node features: {text}" if alone else text
    notes.append(text + (f" (degrees from {DEGREE_CAP} to {largest} share one)" if largest > DEGREE_CAP else ""))
    return width


def _said(word: str) -> str:
    kind, _, number = word.partition(":")
    what = {
        "laplacian": "places in the graph were added: {} eigenvectors of the normalised Laplacian of each component",
        "random-walk": "places in the graph were added: the chance to be back after 1 to {} steps of a random walk",
    }
    return what[kind].format(number)


Graphs = Sequence[Data] | Mapping[str, Sequence[Data]]


def one_hot_categories(
    data: Graphs,
) -> tuple[Graphs, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """Graphs of molecules with the numbers of their categories one-hot; any other graphs as they are.

    Molecules are graphs that each have ``smiles``, or ``categorical`` set; their ``x`` and ``edge_attr`` are categories
    where they hold whole numbers, as torch_geometric's ``from_smiles`` makes them.

    Returns:
        The graphs, the categories of each column of ``x`` and of ``edge_attr`` (empty where they stay as they are), and
        the words for ``Task.transforms``.
    """
    graphs = [graph for part in data.values() for graph in part] if isinstance(data, Mapping) else list(data)
    if not graphs or not all(isinstance(g, Data) and ("smiles" in g or g.get("categorical")) for g in graphs):
        return data, (), (), ()
    made, words = list(map(copy, graphs)), list[str]()
    found: dict[str, tuple[tuple[int, ...], ...]] = {"x": (), "edge_attr": ()}
    for key, word in (("x", CATEGORIES_ONE_HOT), ("edge_attr", EDGE_CATEGORIES_ONE_HOT)):
        values = [graph.get(key) for graph in graphs]
        if not all(isinstance(value, Tensor) and value.dim() == 2 and _whole(value) for value in values):
            continue
        if len({value.size(1) for value in values}) > 1 or not sum(value.numel() for value in values):
            continue
        every = torch.cat(values)
        found[key] = tuple(tuple(torch.unique(column).tolist()) for column in every.t())
        parts = torch.split(encodings.one_hot_columns(every, found[key]), [len(value) for value in values])
        for graph, part in zip(made, parts, strict=True):
            graph[key] = part
        words.append(word)
    again = iter(made)
    kept: Graphs = {k: [next(again) for _ in v] for k, v in data.items()} if isinstance(data, Mapping) else made
    return kept, found["x"], found["edge_attr"], tuple(words)


def _whole(values: Tensor) -> bool:
    return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)


def normalised(data: Data) -> Data:
    """The same graph with each row of ``x`` divided by its sum; rows of zeros stay so."""
    # float64 sums come out alike on every machine, which float32 sums do not: the data's hash depends on them
    sums = data.x.sum(1, keepdim=True, dtype=torch.float64)
    out = copy(data)
    out.x = data.x / sums.where(sums > 0, 1).float()
    return out


def both_ways(data: Data, notes: list[str]) -> Data:
    """The same graph with every edge going both ways, and a note if that added edges."""
    nodes = data.num_nodes
    if is_undirected(data.edge_index, num_nodes=nodes):
        return data
    out = copy(data)
    out.edge_index = to_undirected(data.edge_index, num_nodes=nodes)
    notes.append(
        f"the graph is directed: its edges were made to go both ways ({data.num_edges} became {out.num_edges})"
    )
    return out
