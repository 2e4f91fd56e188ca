"""What every reader returns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch_geometric.data import Data


def name_of(path: Path) -> str:
    """The stem of a file or the name of a folder, in characters that a run's name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().stem).strip("-._")[:60] or "data"


@dataclass(frozen=True, eq=False)
class Read:
    """Graphs as they were found, with what was assumed or repaired on the way.

    Attributes:
        name: of the data, for tables and runs.
        graphs: one graph or several, or a dict from ``train``, ``valid`` and ``test`` to lists of them. A graph's
            ``class_names`` are the names of its classes, or of its questions, where it has names.
        notes: sentences for the user.
        metric: the customary one, where it is not the target's default.
    """

    name: str
    graphs: Sequence[Data] | Mapping[str, Sequence[Data]]
    notes: tuple[str, ...] = ()
    metric: str | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, or of the questions; empty where there are none."""
        lists = self.graphs.values() if isinstance(self.graphs, Mapping) else [self.graphs]
        first = next((graph for graphs in lists for graph in graphs), None)
        return tuple(getattr(first, "class_names", None) or ())
