"""Numbers of single nodes, and of a graph, that do not depend on how nodes, features and classes are numbered."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.searchspace.task import Task

PLAIN = ("log degree", "log degree of neighbours", "log share of features", "cosine with neighbours")
LABEL = ("own class", "other classes", "margin", "own class, near", "other classes, near", "margin, near")
NODE = (*PLAIN, *LABEL, "neighbours of its class", "neighbours with a label")
"""What is said of a node: cosines with the means of classes, ``near`` of the mean over the node and its neighbours."""
GRAPH = (
    "log training items",
    "deviation of log degree",
    "log share of features",
    "cosine with neighbours",
    "homophily",
)
LOOKED_AT = 1024
"""Nodes of which the mean cosine is taken."""
TINY = 1e-12

Array = NDArray[Any]


class Labelled:
    """The graphs of a training split side by side, with classes where each node has one and the split tells it.

    Cosines are those of features from which their mean over all nodes was taken: of features that are never negative
    all else would be alike.
    """

    def __init__(self, task: Task) -> None:
        from scipy.sparse import csr_array, diags_array, eye_array

        sizes = [len(batch.x) for batch in task.train]
        first = [sum(sizes[:i]) for i in range(len(sizes))]
        features = [_numpy(batch.x) for batch in task.train]
        self.x = features[0] if len(features) == 1 else np.concatenate(features)
        target, source = np.concatenate(
            [_numpy(b.edge_index)[::-1] + at for b, at in zip(task.train, first, strict=True)], axis=1
        )
        shape = len(self.x), len(self.x)
        self.links = csr_array((np.ones(len(target), np.float32), (target, source)), shape=shape)
        self.degrees: Array = np.asarray(self.links.sum(1)).ravel()
        self.near: Any = diags_array(1 / (self.degrees + 1)) @ (self.links + eye_array(len(self.x), dtype=np.float32))
        self.centre: Array = self.x.mean(0, dtype=np.float64).astype(np.float32)
        self.share = np.log(np.maximum(np.count_nonzero(self.x, axis=1) / max(self.x.shape[1], 1), 1e-6))
        self.items, self.names, self.numbers = _labels(task, first)

    def statistics(self) -> list[float]:
        """Those of ``GRAPH``."""
        each = len(self.items) / max(len(self.names), 1)
        cosine = self._agreement(self._even(np.arange(len(self.x)), LOOKED_AT)).mean()
        spread = np.log1p(self.degrees).std()
        said = math.log(max(each, 1)), float(spread), float(self.share.mean()), float(cosine)
        return [*said, self._homophily() if len(self.names) else math.nan]

    def classes(self, most: int) -> list[Array]:
        """For each class, or once for all nodes where there are none, ``[nodes, len(NODE)]``; the largest first.

        Args:
            most: nodes of each, chosen evenly over what they are like.
        """
        if not len(self.names):
            chosen = self._even(self.items, most)
            return [np.concatenate([self._plain(chosen), np.zeros((len(chosen), len(NODE) - len(PLAIN)))], axis=1)]
        found = []
        for number, count in enumerate(self._counts):
            chosen = self._even(self.items[self.numbers == number], most)
            said = np.concatenate([self._plain(chosen), self._of_class(chosen, number)], axis=1)
            found.append((-int(count), tuple(said.mean(0).round(4)), said))
        return [said for _, _, said in sorted(found, key=lambda each: each[:2])]

    @cached_property
    def _counts(self) -> Array:
        return np.bincount(self.numbers, minlength=len(self.names))

    @cached_property
    def _norms(self) -> Array:
        return np.asarray(np.sqrt(np.einsum("nf,nf->n", self.x, self.x))).round(3)

    @cached_property
    def _known(self) -> Any:
        """``[nodes, classes]``, 1 where a training label says so."""
        from scipy.sparse import csr_array

        ones = np.ones(len(self.items), np.float32)
        return csr_array((ones, (self.items, self.numbers)), shape=(len(self.x), len(self.names)))

    @cached_property
    def _means(self) -> tuple[Array, Array]:
        """``[classes, features]``, means of the training nodes, as they are and near."""
        weights = (self._known / self._counts).T.tocsr()
        return weights @ self.x - self.centre, (weights @ self.near) @ self.x - self.centre

    def _plain(self, nodes: Array) -> Array:
        """``[nodes, len(PLAIN)]``."""
        logs, degrees = np.log1p(self.degrees), self.degrees[nodes]
        around = np.where(degrees > 0, self.links[nodes] @ logs / np.maximum(degrees, 1), logs[nodes])
        return np.stack([logs[nodes], around, self.share[nodes], self._agreement(nodes)], axis=1)

    def _agreement(self, nodes: Array) -> Array:
        """``[nodes]``, cosines with the mean of the neighbours."""
        degrees = self.degrees[nodes]
        around = self.links[nodes] @ self.x / np.maximum(degrees, 1)[:, None] - self.centre
        return np.where(degrees > 0, _cosines(self.x[nodes] - self.centre, around), 0)

    def _of_class(self, nodes: Array, number: int) -> Array:
        """``[nodes, len(NODE) - len(PLAIN)]``, of nodes of that class; its mean is taken without the node itself."""
        count, columns = self._counts[number], list[Array]()
        for mean, values in zip(self._means, (self.x[nodes], self.near[nodes] @ self.x), strict=True):
            centred = values - self.centre
            own = (
                _cosines(centred, (count * mean[number] - centred) / (count - 1)) if count > 1 else np.zeros(len(nodes))
            )
            others = [_cosines(centred, other) for other in np.delete(mean, number, axis=0)] or [np.zeros(len(nodes))]
            columns += [own, np.mean(others, axis=0), own - np.max(others, axis=0)]
        told = (self.links[nodes] @ self._known).toarray()
        known, chance = told.sum(1), 1 / len(self.names)
        same = np.where(known > 0, told[:, number] / np.maximum(known, 1), chance) - chance
        return np.stack([*columns, same, known / np.maximum(self.degrees[nodes], 1)], axis=1)

    def _homophily(self) -> float:
        """How much oftener than by chance links join nodes of one class, 1 for always (Platonov et al., NeurIPS 2023,
        "adjusted homophily", with shares of nodes); where no label is known, of the class whose mean is nearest."""
        mean = self._means[1] / np.maximum(np.linalg.norm(self._means[1], axis=1, keepdims=True), TINY)
        told = (self.near @ (self.x @ mean.T) - self.centre @ mean.T).argmax(1)
        told[self.items] = self.numbers
        target, source = self.links.nonzero()
        chance = float(((np.bincount(told) / len(told)) ** 2).sum())
        same = float((told[target] == told[source]).mean()) if len(target) else chance
        return (same - chance) / max(1 - chance, TINY)

    def _even(self, nodes: Array, count: int) -> Array:
        """So many of the nodes, evenly spaced in an order that does not depend on how they are numbered."""
        around = self.links @ self.degrees
        order = np.lexsort((self._norms[nodes], around[nodes], self.share[nodes].round(4), self.degrees[nodes]))
        places = np.unique(np.linspace(0, len(nodes) - 1, min(count, len(nodes))).round().astype(int))
        return np.asarray(nodes[order[places]])


def _labels(task: Task, first: list[int]) -> tuple[Array, Array, Array]:
    """Rows of nodes that are learned from, the names of classes, and the number of each row's; no names where nodes do
    not have one class each."""
    classes = task.level == "node" and (
        task.target == "multiclass" or (task.target == "multilabel" and task.outputs == 1)
    )
    rows, labels = list[Array](), list[Array]()
    for batch, at in zip(task.train, first, strict=True):
        scored = task.level == "node" and batch.index is not None
        rows.append(at + (_numpy(batch.index) if scored else np.arange(len(batch.x))))
        if classes:
            labels.append(_numpy(batch.y).reshape(len(rows[-1])).astype(np.float64))
    items = np.concatenate(rows)
    if not classes:
        return items, np.zeros(0), np.zeros(0, int)
    told = np.concatenate(labels)
    names, numbers = np.unique(told[~np.isnan(told)], return_inverse=True)
    return items[~np.isnan(told)], names, numbers


def _numpy(tensor: Any) -> Array:
    found: Array = tensor.detach().cpu().numpy()
    return found


def _cosines(a: Array, b: Array) -> Array:
    """``[items]`` of two ``[items, features]``, or of those and ``[features]``."""
    sizes = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(np.where(sizes > TINY, (a * b).sum(-1) / np.maximum(sizes, TINY), 0))
