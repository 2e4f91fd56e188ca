"""Data sets of the Open Graph Benchmark by name, with their splits and metric; needs the extra ``ogb``."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from nas.data.places import cache_folder, data_folders
from nas.data.readers.base import Read
from nas.data.readers.saved import safe
from nas.metrics import METRICS
from nas.searchspace.errors import BadInput, MissingExtra, NasError, RunError
from nas.searchspace.task import SPLITS

KINDS = {
    "ogbn-": ("ogb.nodeproppred", "PygNodePropPredDataset"),
    "ogbg-": ("ogb.graphproppred", "PygGraphPropPredDataset"),
    "ogbl-": ("ogb.linkproppred", "PygLinkPropPredDataset"),
}
EXAMPLES = "ogb:ogbn-arxiv, ogb:ogbg-molhiv and ogb:ogbl-collab"
_METRICS = {"acc": "accuracy", "rocauc": "roc-auc", "ap": "average-precision", "F1": "macro-f1"}
_MASKS = ("train_mask", "val_mask", "test_mask")


def read_ogb(name: str, root: str | os.PathLike[str] | None = None) -> Read:
    """The graphs of a data set of OGB, which the package ``ogb`` downloads into the user's cache if need be.

    Args:
        name: such as ``ogbn-arxiv``.
        root: a folder that holds it already; else ``NAS_DATA``.

    Raises:
        BadInput: if it has no such name, or cannot be used.
        MissingExtra: if the package ``ogb`` is not installed.
        RunError: if it cannot be downloaded.
    """
    kind = next((kind for kind in KINDS if name.startswith(kind)), None)
    if kind is None:
        raise BadInput(f"ogb:{name} is no data set of OGB; their names are like {EXAMPLES}")
    try:
        loader = getattr(import_module(KINDS[kind][0]), KINDS[kind][1])
    except ImportError as error:
        raise MissingExtra(
            f"ogb:{name} needs the package ogb; install it with: pip install 'gnn-nas[ogb]' ({error})"
        ) from error
    dataset, division = _opened(loader, name, _place(name, root))
    notes: list[str] = []
    graphs = [_graph(dataset[i], dataset, name, notes) for i in range(len(dataset))]
    metric = _METRICS.get(str(getattr(dataset, "eval_metric", "")), str(getattr(dataset, "eval_metric", "")).lower())
    known = metric if metric in METRICS else None
    if kind == "ogbl-":
        notes.append("links are divided anew at random: the division and the negatives of OGB are not used")
        return Read(name, graphs, tuple(notes))
    parts = {split: _rows(division[word]) for split, word in zip(SPLITS, ("train", "valid", "test"), strict=True)}
    if kind == "ogbn-":
        graph = graphs[0]
        for mask, split in zip(_MASKS, SPLITS, strict=True):
            graph[mask] = torch.zeros(graph.num_nodes, dtype=torch.bool).index_fill(0, parts[split], True)
        return Read(name, [graph], tuple(notes), known)
    divided: dict[str, list[Data]] = {split: [graphs[i] for i in rows.tolist()] for split, rows in parts.items()}
    return Read(name, divided, tuple(dict.fromkeys(notes)), known)


def _place(name: str, root: str | os.PathLike[str] | None) -> Path:
    """The folder that has the data set below it, else that of our own downloads."""
    below = name.replace("-", "_")
    for folder in data_folders(root):
        if (folder / below).is_dir():
            return folder
    return cache_folder() / "data" / "ogb"


def _opened(loader: Any, name: str, place: Path) -> tuple[Any, Any]:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with safe():  # what its processed files hold, which it does not say itself
            dataset = loader(name=name, root=str(place))
            return dataset, None if name.startswith("ogbl-") else dataset.get_idx_split()
    except NasError:
        raise
    except SystemExit as error:  # ogb leaves where a large download is declined
        raise RunError(f"ogb:{name} was not downloaded") from error
    except Exception as error:  # what its loaders raise without a network is theirs
        raise RunError(
            f"ogb:{name} cannot be read or downloaded into {place} ({type(error).__name__}: {error}); look at its name "
            "and the network, or download it elsewhere and set NAS_DATA (or --data-root) to its folder"
        ) from error


def _graph(held: Any, dataset: Any, name: str, notes: list[str]) -> Data:
    kept = {key: held[key] for key in ("x", "edge_index", "edge_attr", "edge_weight", "y") if held.get(key) is not None}
    if (weight := kept.get("edge_weight")) is not None:
        kept["edge_weight"] = weight.flatten().float()
    y = kept.get("y")
    if isinstance(y, Tensor):
        if "binary" in str(getattr(dataset, "task_type", "")):
            kept["y"] = y.float()  # a yes/no question for each column, NaN where it is not known
        elif y.dim() == 2 and y.size(1) == 1 and not name.startswith("ogbg-"):
            kept["y"] = y[:, 0]
    if kept.get("edge_index") is None:
        raise BadInput(f"ogb:{name} is no graph with one kind of nodes and edges, and others are not searched")
    if left := [key for key in ("node_species", "node_year", "edge_year") if held.get(key) is not None]:
        notes.append(f"not used: {', '.join(left)}")
    if name.startswith("ogbg-mol"):
        kept["categorical"] = True  # the columns of atoms and bonds are numbers of categories
    return Data(num_nodes=held.num_nodes, **kept)


def _rows(rows: Any) -> Tensor:
    return torch.as_tensor(rows).long()
