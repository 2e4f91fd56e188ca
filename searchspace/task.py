"""What is to be learned, and the tensors to learn it from.

Every task is lists of batches, one list per split: node classification on one graph is a single batch shared by
the three splits with another ``index`` each; inductive tasks hold other graphs per split; graph-level tasks hold
collated graphs; link prediction scores the node pairs of ``edge_label_index``, of which a step of training hides some
links from messages and draws the absent ones anew. Whoever trains, ranks or builds a supernet sees only this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Level = Literal["node", "graph", "link"]
Target = Literal["multiclass", "multilabel", "regression"]
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Batch:
    """One graph, or several side by side, and what is to be predicted on it.

    Attributes:
        x: ``[nodes, features]``, float.
        edge_index: ``[2, edges]``, int64; row 0 is the source, row 1 the target of a message.
        y: the targets of the scored items: ``[items]`` int64 for ``multiclass``, else ``[items, outputs]`` float
            in which NaN is a missing label.
        index: ``[items]`` rows of the module's output that are scored; None scores all of them.
        batch: ``[nodes]`` graph of each node, for graph-level tasks; None elsewhere.
        edge_weight: ``[edges]`` or None.
        edge_attr: ``[edges, edge_features]`` or None.
        edge_label_index: ``[2, items]`` node pairs to score, for link-level tasks; None elsewhere.
    """

    x: Tensor
    edge_index: Tensor
    y: Tensor
    index: Tensor | None = None
    batch: Tensor | None = None
    edge_weight: Tensor | None = None
    edge_attr: Tensor | None = None
    edge_label_index: Tensor | None = None

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What was computed once of this batch and is of use to whoever comes next, by what it is.

        It travels with the batch to other processes; a batch made from this one starts with nothing.
        """
        return {}

    def arguments(self, names: Sequence[str]) -> tuple[Tensor, ...]:
        """The tensors a generated module's ``forward`` takes, in the order of ``Task.inputs``."""
        return tuple(getattr(self, name) for name in names)

    def map(self, f: Any) -> Batch:
        """The same batch with ``f`` applied to each of its tensors."""
        return replace(self, **{k.name: f(v) for k in fields(self) if (v := getattr(self, k.name)) is not None})

    def to(self, device: torch.device | str) -> Batch:
        return self.map(lambda tensor: tensor.to(device))


@dataclass(frozen=True)
class Task:
    """A data set with its question, splits and metric. Two tasks are equal when their descriptions are.

    Attributes:
        name: what the user called the data.
        level: whether nodes, graphs or links are predicted.
        target: ``multiclass`` (one of ``outputs`` classes), ``multilabel`` (``outputs`` yes/no questions, of which
            one is the binary case) or ``regression`` (``outputs`` numbers).
        features: width of a node's features.
        outputs: numbers the module returns for each item.
        metric: name of the metric that validation selects by, see ``nas.metrics``.
        split: how the items were divided, in the words of ``--split``.
        identity: hash of the data, so that a run is never resumed on other data.
        edge_features: width of ``edge_attr``; 0 where there is none.
        edge_weights: whether edges have an ``edge_weight``.
        classes: names of the classes, or of the yes/no questions or numbers; empty where they have none.
        feature_names, edge_feature_names: what the columns of the graph's own ``x`` and ``edge_attr`` are called; empty
            where they have no names.
        transforms: what was done to the raw graph and must be done to a new one: ``row-normalise``, ``undirected``,
            ``one-hot columns`` and ``one-hot edge columns`` (of the categories below), ``one-hot degree``, and the
            words of ``nas.data.encodings``.
        categories, edge_categories: of each column of ``x`` and of ``edge_attr`` the whole numbers that became a place
            each; empty where columns are numbers.
        centre, spread: of a regression the mean and the deviation of each number over the training labels; a network
            gives its outputs in these, so that it is trained on numbers around 0 and 1. Empty elsewhere.
        notes: what the user should know of how the data was read (repairs, added features).
        train, valid, test: the batches.
        folds: for cross-validation, a task for each fold, of which this one is the first; their mean counts.
    """

    name: str
    level: Level
    target: Target
    features: int
    outputs: int
    metric: str
    split: str
    identity: str
    edge_features: int = 0
    edge_weights: bool = False
    classes: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    edge_feature_names: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    categories: tuple[tuple[int, ...], ...] = ()
    edge_categories: tuple[tuple[int, ...], ...] = ()
    centre: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    train: tuple[Batch, ...] = field(default=(), compare=False, repr=False)
    valid: tuple[Batch, ...] = field(default=(), compare=False, repr=False)
    test: tuple[Batch, ...] = field(default=(), compare=False, repr=False)
    folds: tuple[Task, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        for name, allowed in (("level", get_args(Level)), ("target", get_args(Target))):
            if getattr(self, name) not in allowed:
                raise BadInput(f"a task's {name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the arguments of a generated module's ``forward``, in order."""
        there = {
            "edge_weight": self.edge_weights,
            "edge_attr": self.edge_features > 0,
            "batch": self.level == "graph",
            "edge_label_index": self.level == "link",
        }
        return ("x", "edge_index", *(name for name, is_there in there.items() if is_there))

    def batches(self, split: Split) -> tuple[Batch, ...]:
        return {"train": self.train, "valid": self.valid, "test": self.test}[split]

    def to(self, device: torch.device | str) -> Task:
        """The task with its tensors on ``device``; a graph shared by the splits is moved once."""
        moved: dict[int, Tensor] = {}

        def move(tensor: Tensor) -> Tensor:
            return moved.setdefault(id(tensor), tensor.to(device))

        return self.map(lambda batch: batch.map(move))

    def map(self, f: Callable[[Batch], Batch]) -> Task:
        """The task with ``f`` applied to each of its batches, and to those of its folds."""
        train, valid, test = (tuple(map(f, self.batches(split))) for split in SPLITS)
        return replace(self, train=train, valid=valid, test=test, folds=tuple(fold.map(f) for fold in self.folds))

    def describe(self) -> dict[str, Any]:
        """The description alone, ready for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    @classmethod
    def of(cls, description: Any) -> Task:
        """The inverse of :meth:`describe`, also from JSON: the task without its data.

        Raises:
            BadInput: if it describes no task.
        """
        known = {f.name: f for f in fields(cls) if f.compare}
        if not isinstance(description, Mapping) or not description.keys() <= known.keys():
            raise BadInput(f"a task is described by {', '.join(known)}; got {str(description)[:200]!r}")
        for name, value in description.items():
            kind = str(known[name].type)
            allowed = {"int": (int,), "bool": (bool,)}.get(kind, (list, tuple) if kind.startswith("tuple") else (str,))
            if type(value) not in allowed:
                raise BadInput(f"a task's {name} cannot be {str(value)[:200]!r}")
        try:
            return cls(**{name: _tuples(value) for name, value in description.items()})
        except TypeError as error:
            raise BadInput(f"the description of a task is not whole: {error}") from error

    def fingerprint(self) -> str:
        """A short hash that changes when the data, its splits, the target or the metric do."""
        # fields that runs of earlier versions did not have
        tuples = ("classes", "feature_names", "edge_feature_names", "categories", "edge_categories", "centre", "spread")
        later = {"edge_weights": False, **dict.fromkeys(tuples, ())}
        described = {k: v for k, v in self.describe().items() if k != "notes" and later.get(k, ...) != v}
        text = json.dumps(described, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
