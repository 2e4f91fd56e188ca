"""Proxies from the gradients of the training loss by the weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, losses, untouched
from nas.zerocost.passes import finite, passes

Weights = dict[str, Tensor]

BATCHES = 4
"""Of ZiCo; the paper takes at least two."""
LEAST = 0.01
"""The least deviation that ZiCo knows, as a share of the mean."""
ROUNDING = 1e-7
"""Share of the largest gradient up to which a matrix's gradients count as none."""


def weights_of(model: torch.nn.Module) -> Weights:
    """The matrices and attention vectors of the network, of which a change leaves the network itself as it is.

    Biases, the scales of normalisations and the slopes of activations are no connections and do not count.

    Raises:
        NotScored: if there are none.
    """
    trained = ((name, p) for name, p in model.named_parameters() if p.requires_grad)
    found = {name: p.detach() for name, p in trained if p.dim() > 1 and not name.endswith("bias")}
    if not found:
        raise NotScored("the network has no weights")
    return found


def gradients(
    model: torch.nn.Module, task: Task, weights: Weights, shares: Tensor | None = None
) -> list[tuple[Tensor, ...]]:
    """Those of weighted sums of the items' losses by ``weights``, which stand in for the network's own.

    Args:
        shares: ``[sums, items]``; by default one sum, the mean.
    """
    some = list(passes(task))
    if shares is None:
        items = sum(len(p.y) for p in some)
        shares = torch.full((1, items), 1 / items)
    total: list[tuple[Tensor, ...]] = []
    free = {name: w.clone().requires_grad_() for name, w in weights.items()}
    with untouched(model), torch.enable_grad():
        for p, part in zip(some, torch.split(shares, [len(p.y) for p in some], dim=1), strict=True):
            each = losses(p.scores(lambda *x: functional_call(model, free, x)), p.y, task.target)
            sums = (part.to(each.device) @ each).unbind()
            found = [
                torch.autograd.grad(one, list(free.values()), retain_graph=one is not sums[-1], materialize_grads=True)
                for one in sums
            ]
            total = [tuple(map(torch.add, a, b)) for a, b in zip(total, found, strict=True)] if total else found
    return total


def snip(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The sum over the weights of ``|w * dL/dw|``, L the mean loss.

    Lee, Ajanthan and Torr, "SNIP: Single-shot Network Pruning based on Connection Sensitivity", ICLR 2019
    (arXiv 1810.02340), before it is normalised, and summed as by Abdelfattah et al., ICLR 2021 (arXiv 2101.08134).
    """
    weights = weights_of(model)
    (grads,) = gradients(model, task, weights)
    return finite(sum((w * g).abs().sum().item() for w, g in zip(weights.values(), grads, strict=True)))


def grad_norm(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The sum over the weight matrices W of ``||dL/dW||``, the Euclidean norm.

    Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021 (arXiv 2101.08134).
    """
    (grads,) = gradients(model, task, weights_of(model))
    return finite(sum(g.norm().item() for g in grads))


def zico(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The sum over the weight matrices of ``log sum_w mean(|g_w|) / deviation(g_w)`` over batches of training items.

    Li et al., "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on Gradients", ICLR 2023 (arXiv 2301.11300).
    As in the paper's code, the deviation is that of g_w, with its sign. The items are divided at random into four
    batches. Weights without a gradient are left out; where it hardly varies, its deviation counts as a hundredth of its
    size, so that a few weights whose batches happen to agree do not make up the score. A matrix whose gradient is only
    rounding is left out: that of a term which the softmax of an attention takes out again.
    """
    weights, items = weights_of(model), sum(len(p.y) for p in passes(task))
    if items < BATCHES:
        raise NotScored(f"ZiCo divides the training items into {BATCHES} batches, and there are {items}")
    order = torch.randperm(items, generator=torch.Generator().manual_seed(seed))
    shares = torch.zeros(BATCHES, items)
    for number, batch in enumerate(order.tensor_split(BATCHES)):
        shares[number, batch] = 1 / len(batch)
    found = [torch.stack(grads).double() for grads in zip(*gradients(model, task, weights, shares), strict=True)]
    largest = max(g.abs().max().item() for g in found)
    if largest == 0:
        raise NotScored("the weights have no gradient")
    ratios = [_ratio(g) for g in found if not g.abs().max().item() <= ROUNDING * largest]
    return finite(sum(ratio.sum().log().item() for ratio in ratios))


def _ratio(g: Tensor) -> Tensor:
    """The mean size of each gradient beside its deviation, of ``[batches, ...]``."""
    mean = g.abs().mean(0)
    return mean / torch.maximum(g.std(0, correction=0), LEAST * mean).masked_fill(mean == 0, 1)


SNIP = Proxy(
    name="snip",
    summary="the sum of |weight times gradient|",
    paper="Lee et al., ICLR 2019, arXiv 1810.02340",
    needs="training labels",
    cost="one forward and one backward pass",
    score=snip,
)
GRAD_NORM = Proxy(
    name="grad-norm",
    summary="the norms of the gradients of the weight matrices",
    paper="Abdelfattah et al., ICLR 2021, arXiv 2101.08134",
    needs="training labels",
    cost="one forward and one backward pass",
    score=grad_norm,
)
ZICO = Proxy(
    name="zico",
    summary="how large the gradients are beside their deviation between batches",
    paper="Li et al., ICLR 2023, arXiv 2301.11300",
    needs="training labels",
    cost="one forward and four backward passes",
    score=zico,
)
