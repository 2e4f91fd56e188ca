"""Graphs saved by ``torch.save``, read without running any code of the file."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import GlobalStorage

from nas.data.readers.base import Read, name_of
from nas.data.readers.limits import affordable, openable
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS

SAFE = [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]
"""All that a file may name besides tensors and plain containers; ``predict.py`` of an export allows the same."""
WANTED = "save a torch_geometric Data, a list of them, a dict of lists for train, valid and test, or a dict of tensors"
_SPLITS = {"train": "train", "valid": "valid", "val": "valid", "validation": "valid", "test": "test"}


def safe() -> Any:
    """Files may name ``SAFE`` while a block runs; what they might name before, as files of PyG do, they still may."""
    allowed = torch.serialization.get_safe_globals()
    return torch.serialization.safe_globals([one for one in SAFE if one not in allowed])


def read_saved(path: Path) -> Read:
    """A PyG ``Data``, a list of them, a dict from split to lists, or a dict with the tensors of one graph.

    Raises:
        BadInput: if the file holds something else, is damaged, or asks Python for anything but tensors.
    """
    openable(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                affordable(sum(info.file_size for info in archive.infolist()), f"{path}: its content")
    except BadInput:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    try:
        with warnings.catch_warnings(), safe():
            warnings.simplefilter("ignore")
            held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises nearly anything
        text = str(error)
        if "weights_only" in text or "Unsupported" in text:
            raise BadInput(
                f"{path} holds something else than tensors and graphs and could run code, so it was not read; if it is "
                f"yours, {WANTED}"
            ) from None
        raise _damaged(path, error) from error
    return Read(name_of(path), _graphs(held, path))


def _damaged(path: Path, error: Exception) -> BadInput:
    lines = str(error).splitlines() or [""]
    return BadInput(f"{path} is damaged or was not written by torch.save ({type(error).__name__}: {lines[0]})")


def _graphs(held: Any, path: Path) -> list[Data] | dict[str, list[Data]]:
    if isinstance(held, Data):
        return [_graph(held, str(path))]
    if isinstance(held, list | tuple):
        return [_graph(one, f"{path}, graph {i}") for i, one in enumerate(held)]
    if isinstance(held, dict) and held and all(isinstance(key, str) and key in _SPLITS for key in held):
        out: dict[str, list[Data]] = {}
        for key, part in held.items():
            graphs = [part] if isinstance(part, Data) else part
            if not isinstance(graphs, list | tuple):
                raise BadInput(f"{path}: {key} holds a {type(part).__name__}; it must be a list of Data")
            if _SPLITS[key] in out:
                raise BadInput(f"{path}: two of its keys stand for the {_SPLITS[key]} split; keep one")
            out[_SPLITS[key]] = [_graph(one, f"{path}, {key} graph {i}") for i, one in enumerate(graphs)]
        return {split: out[split] for split in SPLITS if split in out}
    if isinstance(held, dict):
        return [_graph(held, str(path))]
    raise BadInput(f"{path} holds a {type(held).__name__}; {WANTED}")


def _graph(held: Any, where: str) -> Data:
    """A graph of its own making from what the file holds, for a file can put anything into an object."""
    if isinstance(held, Data):
        try:
            held = dict(held.to_dict())
        except Exception as error:  # the file may leave the object half-made
            raise BadInput(f"{where}: its Data is damaged ({type(error).__name__}: {error})") from error
    if not isinstance(held, dict):
        raise BadInput(f"{where} is a {type(held).__name__}; {WANTED}")
    kept: dict[str, Any] = {}
    for key, value in held.items():
        if not isinstance(key, str) or not key.isidentifier():
            raise BadInput(f"{where}: the name {key!r} is no attribute of a graph; use names such as x and edge_index")
        if value is None:
            continue
        if isinstance(value, Tensor):
            affordable(value.numel() * value.element_size(), f"{where}: {key} of shape {list(value.shape)}")
        kept[key] = value
    if "edge_index" not in kept:
        named = ", ".join(kept) or "nothing"
        raise BadInput(f"{where} has no edge_index; it has {named}: {WANTED}")
    if "num_nodes" in kept:
        kept["num_nodes"] = _count(kept["num_nodes"], where)
    if "class_names" in kept:
        kept["class_names"] = list(_texts(kept["class_names"], where))
    try:
        return Data(**kept)
    except Exception as error:  # an attribute may have the name of a method
        raise BadInput(f"{where}: its attributes make no graph ({type(error).__name__}: {error})") from error


def _count(value: Any, where: str) -> int:
    if isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadInput(f"{where}: num_nodes must be a whole number; it is {value!r:.80}")
    return value


def _texts(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise BadInput(f"{where}: class_names must be a list of texts; it is {value!r:.80}")
    yield from value
