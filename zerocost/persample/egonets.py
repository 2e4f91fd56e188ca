"""Labelled items side by side, each with its own copy of what it hears of, so that one pass serves all of them.

A node's prediction depends on its L-hop neighbourhood alone, so the ego-networks of all labelled nodes, put side by
side as one graph without links between them, give every node's gradients apart in one forward and one backward pass.
A pair of nodes depends on the neighbourhoods of both, which are one graph. On graph-level tasks the graphs are that
already. The union depends on the data, the items and L, not on the
architecture: it is built once, kept with the batch (``Batch.kept``), and travels with it to other processes.

Where neighbourhoods are most of a large graph, copies of it would be no cheaper than the graph itself: then the items
hear of the same rows, in one forward pass, and each takes a backward pass of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from nas.searchspace.task import Batch, Task
from nas.zerocost.items import Items
from nas.zerocost.persample.samples import Samples

ROWS = 20_000
"""Rows of one pass; more samples than fit are taken in several passes, which bounds the memory."""
KEPT = 200_000
"""Rows that are kept for the next architecture; larger unions are built each time."""
NEARER = 0.7
"""What is within fewer hops is set apart if it has no larger part of the rows."""
MOST = 0.5
"""Neighbourhoods with a larger part of the graph than this, and too large to be kept, are not copied."""
ASKED = 8
"""Items whose neighbourhoods say how large all of them are."""
CARRIED = ("edge_weight", "edge_attr")
"""What a batch may have of its edges."""


@dataclass(frozen=True, eq=False)
class _Part:
    """The neighbourhoods of some items of a batch: rows sorted by sample and node; edges between the rows.

    ``far`` says how many hops away from its item each row of a graph is whose edges are prepared; of a graph that is an
    item it is -1, so that edges go into all rows. ``edge`` says which of the batch each edge is. ``scored`` are the
    rows of the items, ``[2, items]`` for pairs.
    """

    node: Tensor
    sample: Tensor
    far: Tensor
    edge_index: Tensor
    edge: Tensor
    scored: Tensor


def samples(task: Task, items: Items, hops: int, prepared: bool, alone: bool = False) -> Iterator[Samples]:
    """The items in passes of ``ROWS`` rows, or of one item where that has more.

    Args:
        hops: how far the network hears.
        prepared: whether every layer computes on prepared edges, which know the degrees of the whole graph. Else each
            item also gets the edges by which its neighbourhood is linked to the rest, so that degrees are right.
        alone: whether each graph has a pass of its own.
    """
    for batch, where in items.of(task):
        key = "samples", items, hops, prepared, alone
        if key in batch.kept:
            yield from batch.kept[key]
            continue
        if _is_most(task, items, batch, where, hops):
            batch.kept[key] = [_shared(task, batch, where)]
            yield from batch.kept[key]
            continue
        made, rows = list[Samples](), 0
        for one in _passes(task, batch, where, hops, prepared, most=0 if alone else ROWS):
            rows += one.size
            if rows <= KEPT:
                made.append(one)
            yield one
        if rows <= KEPT:
            batch.kept[key] = made


def _is_most(task: Task, items: Items, batch: Batch, where: Tensor, hops: int) -> bool:
    """Whether the items hear of most of a graph that is too large for a copy each."""
    if task.level == "graph" or len(where) * len(batch.x) <= KEPT:
        return False
    key = "most", items, hops
    if key not in batch.kept:
        some = _targets(batch, where)[..., :ASKED]
        heard, _ = _heard(_links(batch)[0], _centres(some, len(batch.x)), len(batch.x), hops)
        batch.kept[key] = len(heard) > MOST * len(batch.x) * some.size(-1)
    return bool(batch.kept[key])


def _shared(task: Task, batch: Batch, where: Tensor) -> Samples:
    targets = _targets(batch, where)
    of = batch if task.level == "node" else replace(batch, edge_label_index=targets)
    scored = targets if task.level == "node" else None
    everyone = torch.zeros(len(batch.x), dtype=torch.int64, device=where.device)
    edges = batch.edge_index.as_subclass(Tensor)
    return Samples(of.arguments(task.inputs), batch.y[where], scored, everyone, edges, shared=True)


def _passes(task: Task, batch: Batch, where: Tensor, hops: int, prepared: bool, most: int) -> Iterator[Samples]:
    waiting, rows, first = list[_Part](), 0, 0
    for part in chain(_parts(task, batch, where, hops, prepared), [None]):
        if part is None or (waiting and rows + len(part.node) > most):
            joined = _joined(waiting)
            some = where[first : first + joined.scored.size(-1)]
            yield _samples(task, batch, some, joined, hops, prepared)
            waiting, rows, first = [], 0, first + len(some)
        if part is not None:
            waiting.append(part)
            rows += len(part.node)


def _joined(parts: list[_Part]) -> _Part:
    """Parts with other items each as one."""
    sizes, counts = [len(p.node) for p in parts], [p.scored.size(-1) for p in parts]
    shifts = [sum(sizes[:i]) for i in range(len(parts))]
    return _Part(
        node=torch.cat([p.node for p in parts]),
        sample=torch.cat([p.sample + sum(counts[:i]) for i, p in enumerate(parts)]),
        far=torch.cat([p.far for p in parts]),
        edge_index=torch.cat([p.edge_index + shift for p, shift in zip(parts, shifts, strict=True)], dim=1),
        edge=torch.cat([p.edge for p in parts]),
        scored=torch.cat([p.scored + shift for p, shift in zip(parts, shifts, strict=True)], dim=-1),
    )


def _samples(task: Task, batch: Batch, where: Tensor, part: _Part, hops: int, prepared: bool) -> Samples:
    """With nearer ones where the edges are prepared; elsewhere rows are told from edges by their number alone."""
    worth, rows = list[int](), len(part.node)
    for fewer in reversed(range(hops if prepared else 0)):
        count = int((part.far <= fewer).sum())
        if count <= NEARER * rows:
            worth.insert(0, fewer)
            rows = count
    made = None
    for fewer in worth:
        made = replace(_within(task, batch, where, _nearer(part, fewer), fewer, prepared), nearer=made)
    return replace(_within(task, batch, where, part, hops, prepared), nearer=made)


def _nearer(part: _Part, hops: int) -> _Part:
    """The rows within fewer hops, and the edges into those that are one hop nearer."""
    rows, edges = part.far <= hops, part.far[part.edge_index[1]] < hops
    place = rows.cumsum(0) - 1
    edge_index = place[part.edge_index[:, edges]]
    return _Part(part.node[rows], part.sample[rows], part.far[rows], edge_index, part.edge[edges], place[part.scored])


def _within(task: Task, batch: Batch, where: Tensor, part: _Part, hops: int, prepared: bool) -> Samples:
    x: Any = batch.x
    x = x.rows(part.node) if prepared and hasattr(x, "rows") else _plain(x).index_select(0, part.node)
    edges = part.edge_index
    if prepared:
        known: Any = batch.edge_index
        edges = known.copies(edges, part.node, part.sample, part.far < hops, x)
    found = {"x": x, "edge_index": edges, "batch": part.sample, "edge_label_index": part.scored}
    found |= {name: value[part.edge] for name in CARRIED if (value := getattr(batch, name)) is not None}
    arguments = tuple(found[name] for name in task.inputs)
    scored = part.scored if task.level == "node" else None
    key = None if task.level == "graph" else part.sample * len(batch.x) + part.node
    return Samples(arguments, batch.y[where], scored, part.sample, part.edge_index, key=key, hops=hops)


def _plain(x: Any) -> Tensor:
    """An ordinary tensor of features that may be kept sparse."""
    found: Tensor = x.dense() if hasattr(x, "values_stored") else x
    return found


def _parts(task: Task, batch: Batch, where: Tensor, hops: int, prepared: bool) -> Iterator[_Part]:
    """The items in groups that are small even where every item hears of the whole graph."""
    if task.level == "graph":
        yield from _graphs(batch, where)
        return
    nodes, links = len(batch.x), _links(batch)
    for some in torch.split(_targets(batch, where), max(1, ROWS // nodes), dim=-1):
        yield _egos(links, some, nodes, hops, ring=not prepared)


def _targets(batch: Batch, where: Tensor) -> Tensor:
    """The node of each item, ``[items]``, or the two of each pair, ``[2, items]``."""
    if batch.edge_label_index is not None:
        return batch.edge_label_index[:, where]
    return where if batch.index is None else batch.index[where]


End = tuple[Tensor, Tensor, Tensor]
Links = tuple[End, End]
"""For the edges into the nodes, and for those out of them: where each node's begin, their other ends, and their
numbers."""


def _links(batch: Batch) -> Links:
    if "links" not in batch.kept:
        edges, nodes = batch.edge_index.as_subclass(Tensor), len(batch.x)
        batch.kept["links"] = _ends(edges[1], edges[0], nodes), _ends(edges[0], edges[1], nodes)
    found: Links = batch.kept["links"]
    return found


def _ends(of: Tensor, other: Tensor, nodes: int) -> End:
    count, order = torch.bincount(of, minlength=nodes), of.argsort(stable=True)
    return torch.cat([count.new_zeros(1), count.cumsum(0)]), other[order], order


def _beside(keys: Tensor, links: End, nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """For every link of the keys (sample * nodes + node): the key itself, that of the other end, its number."""
    start, other, number = links
    node = keys.remainder(nodes)
    first, count = start[node], start.diff()[node]
    of = torch.repeat_interleave(torch.arange(len(keys), device=keys.device), count)
    link = torch.arange(len(of), device=keys.device) + (first - count.cumsum(0) + count)[of]
    return keys[of], (keys - node)[of] + other[link], number[link]


def _egos(links: Links, targets: Tensor, nodes: int, hops: int, ring: bool) -> _Part:
    """The ``hops``-hop neighbourhoods of the targets, ``[items]``, or of the two of each item, ``[2, items]``."""
    into, out_of = links
    centre = _centres(targets, nodes)
    found, far = _heard(into, centre, nodes, hops)
    to, of, number = _beside(found if ring else found[far < hops], into, nodes)
    if ring:
        core = found
        at, further, further_number = _beside(core, out_of, nodes)
        outside = ~_among(further, core)
        to, of = torch.cat([to, further[outside]]), torch.cat([of, at[outside]])
        number = torch.cat([number, further_number[outside]])
        found = torch.unique(torch.cat([of, to, core]))
        far = torch.zeros_like(found)
    to, order = to.sort(stable=True)
    edge_index = torch.stack([torch.searchsorted(found, of[order]), torch.searchsorted(found, to)])
    sample = found.div(nodes, rounding_mode="floor")
    scored = torch.searchsorted(found, centre)
    return _Part(found.remainder(nodes), sample, far, edge_index, number[order], scored)


def _centres(targets: Tensor, nodes: int) -> Tensor:
    """Keys, see ``_beside``."""
    return torch.arange(targets.size(-1), device=targets.device) * nodes + targets


def _heard(into: End, centre: Tensor, nodes: int, hops: int) -> tuple[Tensor, Tensor]:
    """The sorted keys of what is within so many hops, and how many hops away each of them is."""
    found = frontier = torch.unique(centre)
    far = torch.zeros_like(found)
    for hop in range(1, hops + 1):
        _, heard, _ = _beside(frontier, into, nodes)
        frontier = _without(torch.unique(heard), found)
        found, order = torch.cat([found, frontier]).sort()
        far = torch.cat([far, torch.full_like(frontier, hop)])[order]
    return found, far


def _among(keys: Tensor, known: Tensor) -> Tensor:
    """Which of the keys are among the known ones, which are sorted."""
    if not len(known):
        return torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    return known[place] == keys


def _without(keys: Tensor, known: Tensor) -> Tensor:
    return keys[~_among(keys, known)]


def _graphs(batch: Batch, where: Tensor) -> Iterator[_Part]:
    """The chosen graphs of a batch, one part each."""
    assert batch.batch is not None
    edges = batch.edge_index.as_subclass(Tensor)
    of_edge = batch.batch[edges[1]]
    first_node = torch.searchsorted(batch.batch, torch.arange(len(batch.y) + 1, device=edges.device)).tolist()
    order = of_edge.argsort(stable=True)
    first_edge = torch.searchsorted(of_edge[order], torch.arange(len(batch.y) + 1, device=edges.device)).tolist()
    for graph in where.tolist():
        begin, end = first_node[graph : graph + 2]
        node = torch.arange(begin, end, device=edges.device)
        number = order[first_edge[graph] : first_edge[graph + 1]]
        number = number[edges[1, number].argsort(stable=True)]
        mine, nowhere = edges[:, number] - begin, torch.full_like(node, -1)
        yield _Part(node, torch.zeros_like(node), nowhere, mine, number, node[:1] * 0)
