"""What is measured on predictions, and the loss that stands in for it during training.

Everywhere ``logits`` is ``[items, outputs]`` as a module returns it, and ``y`` is ``[items]`` int64 for
``multiclass``, else ``[items, outputs]`` float in which NaN is a missing label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.task import Target

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Function = Callable[["Tensor", "Tensor"], float]


@dataclass(frozen=True)
class Metric:
    """A number by which predictions are judged; calling it gives that number in its natural sign.

    NaN comes back where the number is not defined: logits that are not finite, or labels of which none is known
    or, for the ranking metrics, of which no column has both classes.
    """

    name: str
    function: Function
    larger_is_better: bool
    targets: tuple[Target, ...]

    def __call__(self, logits: Tensor, y: Tensor) -> float:
        if not bool(logits.isfinite().all()):
            return float("nan")
        return self.function(logits.detach(), y)

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``; a number is better than NaN."""
        if a != a or b != b:
            return a == a and b != b
        return a > b if self.larger_is_better else a < b


def _accuracy(logits: Tensor, y: Tensor) -> float:
    if y.is_floating_point():
        known = ~y.isnan()
        right = ((logits > 0) == (y > 0.5)) & known
        return (right.sum() / known.sum()).item()
    return (logits.argmax(-1) == y).float().mean().item()


def _balanced_accuracy(logits: Tensor, y: Tensor) -> float:
    """The mean over the classes of the share of their items that are found; classes without items do not count."""
    if not y.is_floating_point():
        return _recall(logits.argmax(-1).cpu().numpy(), y.cpu().numpy())
    return _mean(
        [_recall((score > 0).astype(int), label.astype(int)) for label, score in _columns(logits, y) if len(label)]
    )


def _recall(found: np.ndarray, label: np.ndarray) -> float:
    import numpy as np

    items, right = np.bincount(label), np.bincount(label[found == label], minlength=label.max() + 1)
    return float((right[items > 0] / items[items > 0]).mean())


def _mae(logits: Tensor, y: Tensor) -> float:
    return (logits - y).abs().nanmean().item()


def _rmse(logits: Tensor, y: Tensor) -> float:
    return (logits - y).square().nanmean().sqrt().item()


def _columns(scores: Tensor, y: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``(labels, scores)`` of each yes/no question, restricted to the known labels.

    Two classes are one question, the positive class being 1; more classes are one question each (one against the
    rest).
    """
    import torch

    if not y.is_floating_point():
        classes = scores.size(-1)
        scores = scores.double().softmax(-1)
        if classes == 2:
            scores, y = scores[:, 1:], y[:, None].double()
        else:
            y = (y[:, None] == torch.arange(classes, device=y.device)).double()
    known = ~y.isnan()
    for column in range(y.size(-1)):
        rows = known[:, column]
        yield y[rows, column].cpu().numpy(), scores[rows, column].cpu().numpy()


def _f1(logits: Tensor, y: Tensor) -> float:
    from sklearn.metrics import f1_score

    if not y.is_floating_point():
        return float(f1_score(y.cpu().numpy(), logits.argmax(-1).cpu().numpy(), average="macro", zero_division=0))
    return _mean([f1_score(label, score > 0, zero_division=0) for label, score in _columns(logits, y) if len(label)])


def _ranking(name: str) -> Function:
    def measure(logits: Tensor, y: Tensor) -> float:
        import sklearn.metrics

        score = getattr(sklearn.metrics, name)
        return _mean([score(label, s) for label, s in _columns(logits, y) if len(label) and label.min() < label.max()])

    return measure


def _reciprocal_rank(logits: Tensor, y: Tensor) -> float:
    """Of each positive its rank among all negatives, ties counted half; the mean of 1 / rank."""
    import numpy as np

    found = []
    for label, score in _columns(logits, y):
        positive, negative = score[label == 1], np.sort(score[label == 0])
        if len(positive) and len(negative):
            above = len(negative) - np.searchsorted(negative, positive, side="right")
            equal = len(negative) - np.searchsorted(negative, positive, side="left") - above
            found.append(float((1 / (1 + above + equal / 2)).mean()))
    return _mean(found)


def _hits(k: int) -> Function:
    def measure(logits: Tensor, y: Tensor) -> float:
        """The share of positives that score higher than the ``k``-th highest negative, as in OGB."""
        import numpy as np

        found = []
        for label, score in _columns(logits, y):
            positive, negative = score[label == 1], np.sort(score[label == 0])
            if len(positive) and len(negative):
                found.append(float((positive > negative[-k]).mean()) if len(negative) >= k else 1.0)
        return _mean(found)

    return measure


def _mean(values: list[float]) -> float:
    return float(sum(values) / len(values)) if values else float("nan")


_CLASSES: tuple[Target, ...] = ("multiclass", "multilabel")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _accuracy, True, _CLASSES),
        Metric("balanced-accuracy", _balanced_accuracy, True, _CLASSES),
        Metric("macro-f1", _f1, True, _CLASSES),
        Metric("roc-auc", _ranking("roc_auc_score"), True, _CLASSES),
        Metric("average-precision", _ranking("average_precision_score"), True, _CLASSES),
        Metric("mrr", _reciprocal_rank, True, _CLASSES),
        *(Metric(f"hits@{k}", _hits(k), True, _CLASSES) for k in (1, 3, 10, 20, 50, 100)),
        Metric("mae", _mae, False, ("regression",)),
        Metric("rmse", _rmse, False, ("regression",)),
    )
}

DEFAULT: dict[Target, str] = {"multiclass": "accuracy", "multilabel": "roc-auc", "regression": "rmse"}


def resolve_metric(name: str | None, target: Target) -> Metric:
    """The metric called ``name``, or the one customary for the target if it is None.

    Raises:
        BadInput: if no metric has that name (the message offers the nearest), or it does not fit the target (the
            message lists those that do).
    """
    key = DEFAULT[target] if name is None else name.lower().replace("_", "-")
    if key not in METRICS:
        raise unknown("metric", str(name), METRICS)
    metric = METRICS[key]
    if target not in metric.targets:
        fit = ", ".join(m.name for m in METRICS.values() if target in m.targets)
        raise BadInput(f"metric {key!r} does not fit a {target} target; use one of: {fit}")
    return metric


def loss(
    logits: Tensor,
    y: Tensor,
    target: Target,
    class_weights: Tensor | None = None,
    spread: Sequence[float] = (),
) -> Tensor:
    """The scalar that training minimises: cross-entropy, binary cross-entropy or squared error.

    Means are over the known labels; if none is known the loss is 0 and so are its gradients.

    Args:
        class_weights: ``[outputs]``; for ``multiclass`` the weight of each class, for ``multilabel`` the weight of
            each question's positive answers.
        spread: of a regression the deviation of each number, by which errors are divided; empty leaves them.

    Raises:
        BadInput: if shapes disagree, or a regression is given class weights.
    """
    from torch.nn import functional

    if target == "multiclass":
        return functional.cross_entropy(logits, y, weight=class_weights)
    if logits.shape != y.shape:
        raise BadInput(f"predictions of shape {tuple(logits.shape)} do not match labels of shape {tuple(y.shape)}")
    known = ~y.isnan()
    filled = y.nan_to_num()
    if target == "multilabel":
        each = functional.binary_cross_entropy_with_logits(logits, filled, reduction="none", pos_weight=class_weights)
    elif class_weights is not None:
        raise BadInput("class weights need classes; this is a regression: leave them out")
    else:
        error = logits - filled
        if spread:  # a single one without a tensor, which a GPU would wait for
            error = error / (spread[0] if len(spread) == 1 else error.new_tensor(spread))
        each = error.square()
    return each.where(known, 0).sum() / known.sum().clamp(min=1)
