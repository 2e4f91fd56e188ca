"""The way in: a name, a graph, a data set or graphs for each split become a task."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nas.data.catalogue import CATALOGUE, Entry, find
from nas.data.naming import OGB, is_path, unknown_name
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.task import Task

if TYPE_CHECKING:
    from torch_geometric.data import Data, Dataset

    from nas.data.readers import Read

TASKS = ("auto", "node", "graph", "link")


def load(
    data: str | os.PathLike[str] | Data | Dataset | Sequence[Data] | Mapping[str, Sequence[Data]] | Any,
    *,
    root: str | os.PathLike[str] | None = None,
    split: str | None = None,
    seed: int = 0,
    metric: str | None = None,
    task: str = "auto",
    features: str | None = None,
) -> Task:
    """Read, check and divide a data set.

    Args:
        data: a name of the catalogue in upper or lower case; the path of a ``.pt`` or ``.npz`` file, or of a folder
            with ``nodes.csv`` and ``edges.csv``, see ``nas.data.readers``; ``ogb:NAME``; a NetworkX graph or a list of
            them; a PyG ``Data`` whose nodes are labelled; a PyG ``Dataset`` or list of graphs, labelled each or, if
            there is only one, by node; or a dict from ``train``, ``valid`` and ``test`` to graphs.
        root: folder with raw files, only read; else ``NAS_DATA``; else PyG downloads to the user's cache folder.
        split: ``public`` (of Planetoid), ``given`` (masks in the data), ``random`` (stratified, 60/20/20 of nodes,
            80/10/10 of graphs), ``random:T,V`` (T training and V validation items of each class, the rest tests) or
            ``fold:K`` (test on the K-th of ten, counted from 0, validate on the next; or the K-th given split),
            ``cv:K`` (a tenth tests, of the rest each K-th part validates once; the mean over these folds counts) or
            ``scaffold`` (of molecules, see ``nas.data.splits.by_groups``).
            None is the data set's customary one, else given masks, else ``random``.
        seed: of random splits.
        metric: see ``nas.metrics``; None is the customary one.
        task: what is predicted: ``node``, ``graph`` or ``link``; ``auto`` is what the labels say, and links where
            one graph has none. Links are those of one graph, hidden at random.
        features: what a node is described by: a list, joined by commas, of ``own``, ``degree``, ``laplacian[:K]`` and
            ``random-walk[:K]``, see ``nas.data.encodings``; None is the data set's own, else degrees.

    Raises:
        BadInput: if the name, split or metric is unknown or unfit, or the data are.
        RunError: if the files are nowhere and cannot be downloaded.
    """
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    if isinstance(data, str) and not is_path(data) and not data.startswith(OGB):
        if data.lower() not in CATALOGUE:
            raise unknown_name(data)
        return _named(find(data), root, split, seed, metric, task, features)
    if (own := read_own(data, root)) is not None:
        return _of_own(own, data, split, seed, metric, task, features)
    from torch_geometric.data import Data, Dataset

    from nas.data.assemble import assemble

    if isinstance(data, Data):
        return assemble([data], name="data", split=_own(split), seed=seed, metric=metric, task=task, features=features)
    if isinstance(data, Mapping):
        return assemble(
            {k: list(v) for k, v in data.items()},
            name="data",
            split=_own(split),
            seed=seed,
            metric=metric,
            task=task,
            features=features,
        )
    if isinstance(data, Dataset):
        graphs: list[Any] = [data[i] for i in range(len(data))]
        name = getattr(data, "name", None) or type(data).__name__
        return assemble(
            graphs, name=str(name), split=_own(split), seed=seed, metric=metric, task=task, features=features
        )
    if isinstance(data, Sequence):
        return assemble(
            list(data), name="data", split=_own(split), seed=seed, metric=metric, task=task, features=features
        )
    raise BadInput(
        "data must be the name of a data set, a torch_geometric Data or Dataset, a path, a NetworkX graph, a list of "
        "graphs, or a dict of lists; "
        f"got {type(data).__name__}"
    )


def read_own(data: Any, root: str | os.PathLike[str] | None) -> Read | None:
    """What a path, a name of OGB or NetworkX graphs hold; None for anything else."""
    if isinstance(data, str) and data.startswith(OGB):
        from nas.data.readers.ogb import read_ogb

        return read_ogb(data.removeprefix(OGB), root)
    if isinstance(data, str | os.PathLike):
        from nas.data.readers import read

        return read(data)
    from nas.data.readers.networkx_graphs import are_networkx, read_networkx

    return read_networkx(data) if are_networkx(data) else None


def _of_own(
    own: Read, data: Any, split: str | None, seed: int, metric: str | None, task: str, features: str | None
) -> Task:
    from nas.data.assemble import assemble

    try:
        return assemble(
            own.graphs,
            name=own.name,
            split=_own(split),
            seed=seed,
            metric=metric or (None if task == "link" else own.metric),
            task=task,
            features=features,
            notes=own.notes,
        )
    except BadInput as error:
        if not isinstance(data, str | os.PathLike) or os.fspath(data) in str(error):
            raise
        raise BadInput(f"{os.fspath(data)}: {error}") from error


def _own(split: str | None) -> str | None:
    if split == "public":
        raise BadInput("only cora, citeseer and pubmed have a public split; use 'given' for the masks in your data")
    return split


def _named(
    entry: Entry, root: Any, split: str | None, seed: int, metric: str | None, task: str, features: str | None
) -> Task:
    from nas.data.assemble import assemble
    from nas.data.features import both_ways, normalised
    from nas.data.sources import read
    from nas.data.splits import parse

    links = task == "link"
    plan = parse(split or ("random" if links else entry.split))  # before the work of reading
    if plan.kind == "public" and entry.split != "public":
        raise BadInput(f"{entry.name} has no public split; its default is {entry.split}")
    notes = [entry.caution] if entry.caution else []
    transforms = []
    graphs = read(entry, root, notes)
    if entry.normalise:
        graphs = [normalised(graph) for graph in graphs]
        transforms.append("row-normalise")
    if entry.level == "node":
        before, graphs = graphs, [both_ways(graph, notes) for graph in graphs]
        if any(new is not old for new, old in zip(graphs, before, strict=True)):
            transforms.append("undirected")
    return assemble(
        graphs,
        name=entry.name,
        split=str(plan),
        seed=seed,
        metric=metric or (None if links else entry.metric),
        task=task,
        features=features or entry.described or None,
        notes=notes,
        transforms=transforms,
    )
