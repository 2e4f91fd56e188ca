"""A large graph that comes a portion at a time, so that no step sees all of it.

Three ways to cut portions:

- ``neighbours``: some of the scored nodes and a sample of those around them, as far as the network sees (Hamilton et
  al., NeurIPS 2017: GraphSAGE). Needs PyG's native sampler.
- ``clusters``: the graph is cut once into clusters with few edges between them; an epoch deals them out into parts and
  keeps the edges within a part (Chiang et al., KDD 2019: Cluster-GCN, section 3.2). Needs METIS.
- ``random``: the same with every node a cluster of its own, as PyG's ``RandomNodeLoader`` has it. Needs nothing. Of P
  parts one edge in P remains, others in every epoch: with a few parts this is a strong dropout of edges, with many the
  network hardly sees the graph (Chiang et al., table 2, at 10 to 50 parts: 1 point below clusters on PubMed, 4 on
  Cora, 25 on PPI).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from nas.evaluation.engine.features import SparseFeatures
from nas.evaluation.engine.graph import Edges
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.job import BATCHES
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.task import Batch, Task

Way = Literal["neighbours", "clusters", "random"]
FANOUT = 10
"""Neighbours sampled around each node in each hop."""
CLUSTER = 256
"""Nodes of a cluster, about."""
SEEDS = 1024
"""The most scored nodes of a portion of neighbours."""


class Cutter:
    """Cuts portions of one graph; what needs the whole graph is computed once and shared by its splits."""

    def __init__(self, batch: Batch, way: Way, hops: int) -> None:
        self._edges, self._nodes = batch.edge_index.as_subclass(Tensor), batch.x.size(0)
        self._way, self._hops = way, hops

    @property
    def working_bytes(self) -> int:
        """What it takes to cut, about."""
        return 0 if self._way == "neighbours" else 24 * (self._nodes + self._edges.size(1))

    def bounds(self, batch: Batch) -> tuple[int, int]:
        """The fewest and the most portions that make sense."""
        if self._way == "neighbours":
            return -(-len(batch.y) // SEEDS), max(1, len(batch.y) // 2)
        return 2, self._nodes // 2 if self._way == "random" else self._count

    def size(self, batch: Batch, parts: int) -> tuple[float, float]:
        """Nodes and edges of one of so many portions, about; as if clusters kept all of their edges."""
        if self._way == "neighbours":
            nodes, edges, *_ = next(self._around(scored_nodes(batch), parts, 0))
            return len(nodes), len(edges)
        kept = parts**2 if self._way == "random" else parts
        return self._nodes / parts, self._edges.size(1) / kept

    def cut(self, scored: Tensor, parts: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor, int]]:
        """Nodes, edges, their ``edge_index``, and how many of the nodes are scored (the first ones), of each portion.

        Args:
            scored: ``[items]`` nodes; each comes in one portion as one of the scored, other nodes may too.
        """
        if self._way == "neighbours":
            yield from self._around(scored, parts, seed)
        else:
            yield from self._dealt(parts, torch.Generator().manual_seed(seed))

    def _around(self, scored: Tensor, parts: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor, int]]:
        device, order = scored.device, torch.randperm(len(scored), generator=torch.Generator().manual_seed(seed))
        for number, chosen in enumerate(torch.tensor_split(scored.cpu()[order], parts)):
            with torch.random.fork_rng(devices=[]):  # the native samplers draw from the global generator
                torch.manual_seed(seed + number)
                found = self._loader(chosen)
            nodes, edges, edge_index = (t.to(device) for t in (found.n_id, found.e_id, found.edge_index))
            yield nodes, edges, edge_index, len(chosen)

    @cached_property
    def _loader(self) -> Any:
        from torch_geometric.data import Data
        from torch_geometric.loader import NeighborLoader

        graph = Data(edge_index=self._edges.cpu(), num_nodes=self._nodes)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*without a 'pyg-lib' installation is deprecated")
            return NeighborLoader(graph, [FANOUT] * max(1, self._hops))

    def _dealt(self, parts: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor, int]]:
        cluster = self._clusters
        part = (torch.randperm(self._count, generator=generator) * parts // self._count).to(cluster.device)[cluster]
        order, sizes = part.argsort(stable=True), part.bincount(minlength=parts)
        position = torch.empty_like(order)
        position[order] = torch.arange(len(order), device=order.device)
        start = sizes.cumsum(0) - sizes
        source = part[self._edges[0]]
        inside = (source == part[self._edges[1]]).nonzero().squeeze(1)
        source = source[inside]
        inside = inside[source.argsort(stable=True)]
        counts = source.bincount(minlength=parts)
        portions = zip(
            torch.split(order, sizes.tolist()), torch.split(inside, counts.tolist()), start.tolist(), strict=True
        )
        for nodes, edges, first in portions:
            yield nodes, edges, position[self._edges[:, edges]] - first, len(nodes)

    @cached_property
    def _clusters(self) -> Tensor:
        """``[nodes]`` cluster of each node."""
        if self._way == "random":
            return torch.arange(self._nodes, device=self._edges.device)
        return _metis(self._edges, self._nodes, self._count)

    @property
    def _count(self) -> int:
        """How many clusters there are."""
        return self._nodes if self._way == "random" else max(2, self._nodes // CLUSTER)


@dataclass(frozen=True, eq=False)
class Portioned(Batch):
    """A node-level batch that is trained on and predicted a portion at a time.

    Attributes:
        task: what the batch belongs to.
        cutter: cuts the portions.
        parts: portions of an epoch.
        views: portions of an evaluation; 1 shows the whole graph, so that its numbers are exact.
    """

    task: Task = field(kw_only=True)
    cutter: Cutter = field(kw_only=True)
    parts: int = field(kw_only=True)
    views: int = field(kw_only=True)

    def map(self, f: Any) -> Batch:
        return replace(self, **{k.name: f(v) for k in fields(Batch) if (v := getattr(self, k.name)) is not None})

    def steps(self, shuffle: torch.Generator) -> Iterator[Batch]:
        """The portions of an epoch: each scored node is scored once."""
        yield from self._portions(self.parts, int(torch.randint(2**31, (1,), generator=shuffle)))

    def chunks(self) -> Iterator[Batch]:
        """The portions of an evaluation, the same every time."""
        if self.views > 1:
            yield from self._portions(self.views, 0)
        else:
            whole = Batch(**{k.name: getattr(self, k.name) for k in fields(Batch)})
            yield self._like_the_whole(replace(whole, edge_index=self.edge_index.as_subclass(Tensor)))

    def _portions(self, parts: int, seed: int) -> Iterator[Batch]:
        for nodes, edges, edge_index, first in self.cutter.cut(scored_nodes(self), parts, seed):
            item = self._item[nodes[:first]]
            index = (item >= 0).nonzero().squeeze(1)
            if len(index):
                weight = None if self.edge_weight is None else self.edge_weight[edges]
                attr = None if self.edge_attr is None else self.edge_attr[edges]
                y = self.y[item[index]]
                x = self.x.rows(nodes) if isinstance(self.x, SparseFeatures) else self.x[nodes]
                yield self._like_the_whole(Batch(x, edge_index, y, index, None, weight, attr))

    def _like_the_whole(self, portion: Batch) -> Batch:
        """Prepared for the engine if the whole is; it lives as long as its step."""
        if not isinstance(self.edge_index, Edges):
            return portion
        return prepare(replace(self.task, train=(portion,), valid=(), test=())).train[0]

    @cached_property
    def _item(self) -> Tensor:
        """``[nodes]`` row of ``y`` for each node, -1 where it is not scored."""
        item = torch.full((self.x.size(0),), -1, device=self.y.device)
        item[scored_nodes(self)] = torch.arange(len(self.y), device=self.y.device)
        return item


def scored_nodes(batch: Batch) -> Tensor:
    """``[items]`` node of each scored item."""
    return torch.arange(batch.x.size(0), device=batch.y.device) if batch.index is None else batch.index


def check_batches(batches: str, task: Task) -> None:
    """Whether this task can be trained this way on this machine.

    Raises:
        BadInput: if not; the message says what to install, or which other way there is.
    """
    if batches not in BATCHES:
        raise unknown("way to make batches", batches, BATCHES)
    if batches in ("auto", "full"):
        return
    if task.level != "node":
        raise BadInput(f"batches {batches!r} are portions of a graph whose nodes are predicted; {task.name} has a "
                       f"{task.level}-level target. Use 'auto'")  # fmt: skip
    if batches == "neighbours" and not can_sample():
        raise BadInput(
            "batches 'neighbours' need the native sampler of pyg-lib or torch-sparse, and neither is installed. "
            f"{_HOW} Or use 'random', which needs neither, or 'auto'"
        )
    if batches == "clusters" and not can_cluster():
        raise BadInput(
            "batches 'clusters' need METIS, which comes with pyg-lib or with a torch-sparse that was built with it, "
            f"and neither is installed. {_HOW} Or use 'random', which needs neither, or 'auto'"
        )


_HOW = (
    "Install one of them: pip install pyg-lib torch-scatter torch-sparse "
    f"-f https://data.pyg.org/whl/torch-{torch.__version__}.html"
)


def can_sample() -> bool:
    """Whether PyG finds a native neighbour sampler."""
    from torch_geometric import typing

    return bool(typing.WITH_PYG_LIB or typing.WITH_TORCH_SPARSE)


@lru_cache(maxsize=1)
def can_cluster() -> bool:
    """Whether PyG finds METIS; torch-sparse says so only when asked to cut a graph."""
    try:
        _metis(torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), 4, 2)
    except ImportError:
        return False
    return True


def _metis(edges: Tensor, nodes: int, clusters: int) -> Tensor:
    from torch_geometric.data import Data
    from torch_geometric.loader import ClusterData

    cut = ClusterData(Data(edge_index=edges.cpu(), num_nodes=nodes), clusters, log=False).partition
    cluster = torch.empty(nodes, dtype=torch.long)
    cluster[cut.node_perm] = torch.arange(clusters).repeat_interleave(cut.partptr.diff())
    return cluster.to(edges.device)
