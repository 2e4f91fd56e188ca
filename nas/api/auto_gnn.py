"""The front for whoever wants a good model of their own graph and has a few minutes: fit, predict, score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor

from nas.api.searching import data_label, default_name, label, run_new
from nas.data.called import in_place
from nas.data.graphs import graphs_of, side_by_side
from nas.evaluation.train import measure
from nas.export.predict import prepare
from nas.metrics import resolve_metric
from nas.result import Result
from nas.searchspace.errors import BadInput
from nas.study.automatic import automatic_plan
from nas.study.folder import runs_root

if TYPE_CHECKING:
    import pandas as pd

    from nas.study.watching import Watcher

AUTO = "auto"


class AutoGNN(BaseEstimator):  # type: ignore[misc, unused-ignore]
    """A graph neural network for your data, found within a given time; in the manner of scikit-learn.

        model = nas.AutoGNN(seconds=120).fit("cora")
        model.score(), model.predict(), model.export("cora-model")

    Validation chooses: the search runs for a part of the time, its best architectures are trained again with other
    seeds, and the one with the best mean is taken. The run lies in a folder like that of any search.

    Args:
        task: ``auto``, ``node``, ``graph`` or ``link``; ``auto`` is what the labels say, and links where one graph has
            none.
        space: ``auto``, or as in :func:`nas.search`.
        controller: likewise.
        seconds: for everything, reading and writing included. A little more is taken where one training is long.
        metric: what validation chooses by; None is customary for the task.
        seed: of everything but the split.
        split: how the items are divided, see :func:`nas.load`; None is customary for the data.
        split_seed: of a random split.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: trainings at the same time; None is chosen by the machine.
        name: of the run; None makes one of the data's name.
        runs: folder of the runs, ``$NAS_RUNS`` or ``runs`` if it is None.
        settings: other fields of :class:`nas.settings.Settings`, such as ``{"class_weights": True}``.

    Attributes:
        result_: the run, a :class:`nas.result.Result`.
        module_: the trained ``torch.nn.Module``, in inference mode.
        task_: what was understood of the data, a :class:`nas.Task`.
        why_: what was chosen automatically, in sentences.
        classes_: the classes in the order of ``predict_proba``; None for a regression.
    """

    def __init__(
        self,
        task: str = AUTO,
        space: Any = AUTO,
        controller: Any = AUTO,
        seconds: float = 300,
        metric: str | None = None,
        seed: int = 0,
        split: str | None = None,
        split_seed: int = 0,
        device: str = AUTO,
        workers: int | None = None,
        name: str | None = None,
        runs: str | os.PathLike[str] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.task = task
        self.space = space
        self.controller = controller
        self.seconds = seconds
        self.metric = metric
        self.seed = seed
        self.split = split
        self.split_seed = split_seed
        self.device = device
        self.workers = workers
        self.name = name
        self.runs = runs
        self.settings = settings

    def fit(self, X: Any, y: Any = None, *, watcher: Watcher | None = None) -> AutoGNN:
        """Search, confirm and keep the best network.

        Args:
            X: whatever :func:`nas.load` takes: a name, a path, a torch_geometric ``Data`` or list of graphs, ...
            y: labels, if they are not in the data: one for each node of one graph, or for each graph of a list;
                numbers, or texts, which are names of classes.
            watcher: hears of each trial.

        Raises:
            BadInput: for anything that does not exist or does not fit.
            RunError: if no network could be trained, or the run cannot be written.
        """
        data = X if y is None else labelled(X, y, self._root)
        own = {"data": data, "space": self.space, "controller": self.controller}
        objects = {name: value for name, value in own.items() if not isinstance(value, str)}
        plan = automatic_plan(self.seconds, self._given(data), **objects)
        self.why_ = plan.why
        root = runs_root(self.runs)
        self.result_: Result = run_new(plan, self.name or default_name(plan, root), self.runs, watcher)
        self._data, task = data, plan.task
        self.task_ = task
        self.module_ = self.result_.module()
        self.n_features_in_ = task.features
        self.classes_ = self._classes()
        return self

    def _given(self, data: Any) -> dict[str, Any]:
        """What the user said, as settings."""
        given: dict[str, Any] = {
            "data": data_label(data),
            "task": self.task,
            "seed": self.seed,
            "split": self.split,
            "split_seed": self.split_seed,
            "device": self.device,
        }
        for name in ("space", "controller"):
            if (value := getattr(self, name)) != AUTO:
                given[name] = label(value)
        for name in ("metric", "workers"):
            if getattr(self, name) is not None:
                given[name] = getattr(self, name)
        return given | (self.settings or {})

    def _classes(self) -> np.ndarray[Any, Any] | None:
        task = self.task_
        if task.target == "regression":
            return None
        if task.target == "multiclass":
            return np.array(task.classes) if task.classes else np.arange(task.outputs)
        return np.array([0, 1]) if task.outputs == 1 else np.array(task.classes or range(task.outputs))

    @property
    def _root(self) -> Any:
        """The folder with the data sets that a name is looked for in."""
        return (self.settings or {}).get("data_root")

    def _fitted(self) -> None:
        if not hasattr(self, "module_"):
            raise NotFittedError("this AutoGNN is not fitted yet; call fit with your data first")

    def scores(self, data: Any = None, pairs: Any = None) -> Tensor:
        """``[items, outputs]`` as the network returns them: before softmax or sigmoid, or the values of a regression.

        Args:
            data: what to predict on, whatever ``fit`` takes, labels or not; None is the data of ``fit``, all of it.
            pairs: ``[2, links]``, the pairs of nodes to score where links are predicted.

        Raises:
            BadInput: if the data do not fit the network.
        """
        self._fitted()
        described = {**self.task_.describe(), "inputs": self.task_.inputs}
        graphs = graphs_of(self._data if data is None else data, self._root)
        graphs, _ = in_place(graphs, described, "the data")
        whole = side_by_side(graphs, self.task_.level)
        try:
            wanted = None if pairs is None else torch.as_tensor(np.asarray(pairs), dtype=torch.long)
            arguments = prepare(whole, described, wanted)
        except SystemExit as error:  # as the program of the export says it
            raise BadInput(str(error)) from None
        with torch.no_grad():
            out: Tensor = self.module_(*arguments)
        return out

    def predict(self, data: Any = None, pairs: Any = None) -> np.ndarray[Any, Any]:
        """The class of each item (its name, where classes have names), 0 or 1 for each question, or the value.

        ``[items]``; ``[items, outputs]`` for several questions or values. See ``scores`` for the arguments.
        """
        scores, target = self.scores(data, pairs), self.task_.target
        if target == "multiclass":
            assert self.classes_ is not None
            found: np.ndarray[Any, Any] = self.classes_[scores.argmax(1).numpy()]
            return found
        out = (scores > 0).long() if target == "multilabel" else scores
        return out[:, 0].numpy() if out.size(1) == 1 else out.numpy()

    def predict_proba(self, data: Any = None, pairs: Any = None) -> np.ndarray[Any, Any]:
        """``[items, classes]``; for one question ``[items, 2]``, for several the probability of yes to each.

        Raises:
            BadInput: for a regression.
        """
        scores, target = self.scores(data, pairs), self.task_.target
        if target == "regression":
            raise BadInput("a regression has no probabilities; use predict")
        if target == "multiclass":
            return scores.softmax(1).numpy()
        yes = scores.sigmoid()
        return torch.cat([1 - yes, yes], 1).numpy() if yes.size(1) == 1 else yes.numpy()

    def score(self, data: Any = None, y: Any = None) -> float:
        """The metric, with a minus where smaller is better, as scikit-learn has it.

        On the test split of ``fit`` if no data are given; else on all labelled items of the data. Links are scored on
        the test split alone.

        Raises:
            BadInput: if there are no labels, or not one for each item.
        """
        self._fitted()
        metric = resolve_metric(self.task_.metric, self.task_.target)
        if data is None and y is None:
            value = measure(self.module_, self.task_, "test", [metric])[f"test_{metric.name}"]
        elif self.task_.level == "link":
            raise BadInput("links are scored on the test split of fit: call score without data")
        else:
            value = metric(*self._beside(self._data if data is None else data, y))
        return value if metric.larger_is_better else -value

    def _beside(self, data: Any, y: Any) -> tuple[Tensor, Tensor]:
        """What the network says of the labelled items of the data, and their labels."""
        scores, names = self.scores(data), self.task_.classes
        graphs = graphs_of(data, self._root) if y is None else graphs_of(labelled(data, y, self._root, names))
        if any(graph.y is None for graph in graphs):
            raise BadInput("score needs labels: give them in the data, or as y")
        width = 1 if self.task_.target == "multiclass" else self.task_.outputs
        found = torch.cat([graph.y.flatten() for graph in graphs])
        if len(found) != len(scores) * width:
            items = f"{len(scores)} {self.task_.level}s" + ("" if width == 1 else f" with {width} outputs")
            raise BadInput(f"there are {items} and {len(found)} labels; give one to each")
        if self.task_.target != "multiclass":
            return scores, found.reshape(-1, width).float()
        known = found >= 0
        return scores[known], found[known].long()

    def leaderboard(self) -> pd.DataFrame:
        """One row for each architecture that was trained, best first: numbers on validation, size, time, its text.

        ``seeds`` says how many trainings with fresh seeds the mean of validation is of; 0 is the one of the search.
        """
        self._fitted()
        import pandas as pd

        from nas.study.confirming import board

        return pd.DataFrame(board(self.result_))

    def export(self, to: str | os.PathLike[str]) -> list[Path]:
        """Write the network as files that need only torch and torch_geometric, see :meth:`nas.Result.export`."""
        self._fitted()
        return self.result_.export(Path(to))


def labelled(data: Any, y: Any, root: Any = None, names: Sequence[str] = ()) -> Any:
    """The graphs with these labels: a graph with one for each node, or a list with one for each graph.

    Args:
        root: see ``graphs_of``.
        names: of the classes, where they are known; labels that are texts are numbered by them, else in order.

    Raises:
        BadInput: if their number is another, or one is not among the names.
    """
    graphs, values = graphs_of(data, root), np.asarray(y)
    if values.dtype.kind in "USO":
        values, names = _numbered(values, names)
    given = torch.as_tensor(values)
    if given.dim() == 0:
        raise BadInput(f"labels are one for each item; got {y!r}")
    made = [graph.clone() for graph in graphs]
    if len(graphs) == 1 and len(given) == graphs[0].num_nodes:
        made[0].y = given
    elif len(given) == len(graphs):
        for graph, value in zip(made, given, strict=True):
            graph.y = value.reshape(1, -1) if value.dim() else value.reshape(1)
    else:
        many = len(graphs) > 1 or _listed(data)
        items = f"{len(graphs)} graphs" if many else f"{graphs[0].num_nodes} nodes"
        raise BadInput(f"there are {items} and {len(given)} labels; give one to each")
    for graph in made if names else ():
        graph.class_names = list(names)
    return made if len(made) > 1 or _listed(data) else made[0]


def _listed(data: Any) -> bool:
    return isinstance(data, Sequence) and not isinstance(data, str)


def _numbered(values: np.ndarray[Any, Any], names: Sequence[str]) -> tuple[np.ndarray[Any, Any], Sequence[str]]:
    """Texts as numbers of classes, and the names of these."""
    texts = [str(value) for value in values.flatten()]
    known = list(names) or sorted(set(texts))
    if unknown := sorted(set(texts) - set(known)):
        raise BadInput(f"there is no class {unknown[0]!r}; the classes are {', '.join(known)}")
    number = {name: place for place, name in enumerate(known)}
    return np.array([number[one] for one in texts]).reshape(values.shape), known
