"""Proxies from the neural tangent kernel: how well the linearised network would learn.

K(i, j) is the inner product of the gradients of two items' outputs by all trainable parameters at a random
initialisation (Jacot, Gabriel and Hongler, NeurIPS 2018, arXiv 1806.07572). An item's output here is one number: its
outputs in a random direction, so that one backward pass serves all classes. The items are a few labelled ones of each
class and some of the validation split, each with its own ego-network. A gradient with more than ``NUMBERS`` numbers for
one matrix is seen through random directions, see ``Use.jacobian``.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, untouched
from nas.zerocost.items import Items
from nas.zerocost.persample.gradients import by_item, unions, uses
from nas.zerocost.persample.uses import CannotSplitError, Linear

LABELLED = Items("train", per_class=5)
VALIDATION = Items("valid", most=70)
RIDGE = 1e-3
NUMBERS = 2**18
SINGULAR = 1e-6
"""Eigenvalues below this share of the largest are what single precision makes of zero."""

_grams: WeakKeyDictionary[torch.nn.Module, dict[tuple[int, ...], Tensor]] = WeakKeyDictionary()
"""The last kernel of each network: several proxies read the same one."""


def kernel(model: torch.nn.Module, task: Task, seed: int, valid: bool) -> Tensor:
    """``[items, items]``, float64, with a diagonal of ones: cosines of the items' gradients by linear maps.

    Biases are left out: their gradients are much the same for all items, and with features as small as those of a
    row-normalised bag of words nothing else would be seen.

    Args:
        valid: whether the validation items follow the labelled ones.

    Raises:
        NotScored: if a kernel is not finite, or an item has no gradient.
    """
    known, key = _grams.setdefault(model, {}), _key(model, task, seed, valid)
    if key not in known:
        known.clear()
        known[key] = _kernel(model, task, seed, [LABELLED, VALIDATION] if valid else [LABELLED], biases=False)
    return known[key]


def _key(model: torch.nn.Module, task: Task, seed: int, valid: bool) -> tuple[int, ...]:
    """Changes when the weights do."""
    batch = task.train[0]
    return seed, valid, *map(id, (batch.x, batch.edge_index, batch.y)), *(p._version for p in model.parameters())


def _held(model: torch.nn.Module, task: Task, seed: int) -> bool:
    """Whether a kernel with the validation items is there, which holds that of the labelled ones."""
    return _key(model, task, seed, True) in _grams.get(model, {})


def _kernel(model: torch.nn.Module, task: Task, seed: int, items: list[Items], biases: bool) -> Tensor:
    direction = torch.randn(task.outputs, generator=torch.Generator().manual_seed(seed))
    with untouched(model):
        try:
            rows = _by_union(model, task, items, direction, biases)
        except CannotSplitError:
            rows = _by_item(model, task, items, direction, biases)
    gram = sum((torch.cat(of) @ torch.cat(of).t()).double() for of in rows)
    if not isinstance(gram, Tensor) or not bool(gram.isfinite().all()) or not bool((gram.diagonal() > 0).all()):
        raise NotScored("the gradients of some items are zero or not finite")
    scale = gram.diagonal().rsqrt()
    return gram * scale * scale[:, None]


def _by_union(
    model: torch.nn.Module, task: Task, items: list[Items], direction: Tensor, biases: bool
) -> list[list[Tensor]]:
    """For each parameter the gradients of the items, ``[some, numbers]`` each."""
    found: dict[object, list[Tensor]] = {}
    count = 0
    passes = (each for of in items for each in unions(model, task, of))
    each = ((some.apart, of) for some in passes for of in uses(model, some, lambda out, _: out @ direction.to(out)))
    for apart, taken in each:
        for use, delta in taken:
            if not biases and not isinstance(use, Linear):
                continue
            gradients = use.jacobian(delta, NUMBERS)
            before = found.setdefault(use.parameter, [gradients.new_zeros(count, gradients.size(1))] if count else [])
            before.append(gradients)
        count += apart
        for of in found.values():  # a parameter without a part in these items
            if missing := count - sum(map(len, of)):
                of.append(of[0].new_zeros(missing, of[0].size(1)))
    return list(found.values())


def _by_item(
    model: torch.nn.Module, task: Task, items: list[Items], direction: Tensor, biases: bool
) -> list[list[Tensor]]:
    parameters = [p for p in model.parameters() if p.requires_grad]
    taken = [biases or p.dim() > 1 for p in parameters]
    rows = []
    for of in items:
        for grads in by_item(model, task, of, lambda out, _: out @ direction.to(out)):
            flat = [
                torch.zeros_like(p).flatten() if g is None else g.flatten()
                for p, g, take in zip(parameters, grads, taken, strict=True)
                if take
            ]
            rows.append(torch.cat([torch.zeros(1).to(task.train[0].y.device), *flat])[None])
    return [rows]


def labels(task: Task, items: Items) -> Tensor:
    """``[items, outputs]`` float64: one-hot classes, or the numbers with unknown ones replaced by the column's mean."""
    y = torch.cat([batch.y[where] for batch, where in items.of(task)]).cpu()
    if task.target == "multiclass":
        return F.one_hot(y, task.outputs).double()
    y = y.double()
    return y.where(~y.isnan(), y.nanmean(0).nan_to_num())


def ntk_krr(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """Validation quality of kernel ridge regression with the tangent kernel: what the linearised network predicts.

    f(v) = K(v, t) (K(t, t) + 0.001 I)^-1 (Y - mean Y) + mean Y with one-hot classes; accuracy for classes, else
    ``ntk_error``. Ridge regression with an empirical tangent kernel as a
    proxy for graph networks was measured by us; for images compare Xu et al., "KNAS", ICML 2021 (arXiv 2111.13293).
    """
    predicted, valid, mean = _regression(model, task, seed)
    if task.target == "multiclass":
        return float((predicted.argmax(1) == valid.argmax(1)).double().mean())
    return -_error(predicted, valid, mean)


def ntk_error(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """Minus the squared error of the same regression, relative to that of the training mean.

    It tells apart what the accuracy of some dozens of items cannot. Ours.
    """
    return -_error(*_regression(model, task, seed))


def _regression(model: torch.nn.Module, task: Task, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """What is predicted for the validation items, their targets, and the mean of the training targets."""
    gram = kernel(model, task, seed, valid=True).cpu()
    train, valid = labels(task, LABELLED), labels(task, VALIDATION)
    m, mean = len(train), train.mean(0)
    weights = torch.linalg.solve(gram[:m, :m] + RIDGE * torch.eye(m, dtype=gram.dtype), train - mean)
    return gram[m:, :m] @ weights + mean, valid, mean


def _error(predicted: Tensor, valid: Tensor, mean: Tensor) -> float:
    return float((predicted - valid).square().mean() / (mean - valid).square().mean().clamp(min=1e-12))


def ntk_alignment(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """Centred kernel-target alignment of the labelled items: the cosine of K with Y Y^T, both centred.

    Cortes, Mohri and Rostamizadeh, JMLR 2012 (arXiv 1203.0550), eq. 2; with tangent kernels Baratin et al., AISTATS
    2021 (arXiv 2008.00938).
    """
    y = labels(task, LABELLED)
    gram = kernel(model, task, seed, valid=_held(model, task, seed))[: len(y), : len(y)].cpu()
    gram, wanted = _centred(gram), _centred(y @ y.t())
    norm = gram.norm() * wanted.norm()
    if norm == 0:
        raise NotScored("the kernel does not tell the items apart")
    return float((gram * wanted).sum() / norm)


def ntk_condition(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """Minus the logarithm of the condition number of the labelled items' kernel.

    Chen, Gong and Wang, "Neural Architecture Search on ImageNet in Four GPU Hours" (TE-NAS), ICLR 2021 (arXiv
    2102.11535), section 3.1: smaller condition numbers train better. Here of the normalised kernel, of all
    parameters.
    """
    values = torch.linalg.eigvalsh(_kernel(model, task, seed, [LABELLED], biases=True).cpu())
    return -float((values[-1] / values[0].clamp(min=float(SINGULAR * values[-1]))).log())


def _centred(gram: Tensor) -> Tensor:
    return gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()


_PASSES = "a forward and a backward pass over the ego-networks of some labelled items"

NTK_KRR = Proxy(
    name="ntk-krr",
    summary="validation quality of ridge regression with the tangent kernel of a few labelled items",
    paper="Jacot et al., NeurIPS 2018, arXiv 1806.07572; as a proxy for graph networks ours",
    needs="validation labels",
    cost=f"{_PASSES} and 70 of the validation split",
    score=ntk_krr,
)
NTK_ERROR = Proxy(
    name="ntk-error",
    summary="minus the squared validation error of ridge regression with the tangent kernel",
    paper="ours; the kernel: Jacot et al., NeurIPS 2018, arXiv 1806.07572",
    needs="validation labels",
    cost=f"{_PASSES} and 70 of the validation split",
    score=ntk_error,
)
NTK_ALIGNMENT = Proxy(
    name="ntk-alignment",
    summary="how far the tangent kernel of a few labelled items agrees with their labels",
    paper="Cortes et al., JMLR 2012, arXiv 1203.0550",
    needs="training labels",
    cost=_PASSES,
    score=ntk_alignment,
)
NTK_CONDITION = Proxy(
    name="ntk-condition",
    summary="minus the logarithm of the condition number of the tangent kernel",
    paper="Chen et al. (TE-NAS), ICLR 2021, arXiv 2102.11535",
    needs="training labels",
    cost=_PASSES,
    score=ntk_condition,
)
