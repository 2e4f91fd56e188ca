"""The column ``split`` as masks of nodes, or as a split for each graph."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from nas.data.readers.table import Table
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS

SPLIT = "split"
_WORDS = {
    **{"train": 0, "training": 0},
    **{"valid": 1, "val": 1, "validation": 1, "dev": 1},
    **{"test": 2, "testing": 2},
}
_MASKS = ("train_mask", "val_mask", "test_mask")


def split_of(table: Table) -> NDArray[np.int64] | None:
    """For each row the position of its split among train, valid and test, -1 for an empty cell; None without a column.

    Raises:
        BadInput: for another word, naming the row.
    """
    if SPLIT not in table:
        return None
    texts = table.texts(SPLIT)
    lowered = texts.str.lower()
    wrong = ~lowered.isin([*_WORDS, ""]).to_numpy()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadInput(
            f"{table.first(wrong)}: the split is {texts.iloc[row]!r:.60}; write {', '.join(SPLITS)}, or leave it empty "
            "for what is in none of them"
        )
    if (lowered == "").all():
        return None
    return np.asarray(lowered.map({**_WORDS, "": -1}), dtype=np.int64)


def masks(split: NDArray[np.int64]) -> dict[str, Tensor]:
    """PyG's three masks."""
    return {name: torch.from_numpy(split == position) for position, name in enumerate(_MASKS)}


def label_some(data: Data, labelled: Tensor, notes: list[str]) -> None:
    """Keep nodes without a label out of every split, those that the graph brings and those that are made later.

    Args:
        labelled: ``[nodes]`` bool; if all are there is nothing to do.
    """
    if bool(labelled.all()):
        return
    data.labelled = labelled
    notes.append(f"{int((~labelled).sum()):,} of {len(labelled):,} nodes have no label and are in no split")
    for name in _MASKS:
        if (mask := data.get(name)) is not None and len(mask) == len(labelled):
            data[name] = mask & (labelled if mask.dim() == 1 else labelled[:, None])
