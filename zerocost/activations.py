"""Proxies from what enters and leaves the activation functions."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, losses, untouched
from nas.zerocost.columns import correlation, thinned
from nas.zerocost.listening import Listening
from nas.zerocost.passes import finite, passes

NONE = "the network has no activation function between its layers"
JITTER = 1e-6
"""Added to NASWOT's diagonal: two items may switch all units alike."""


def naswot(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The log-determinant of ``K``, K_ij the number of units that items i and j switch alike.

    Mellor et al., "Neural Architecture Search without Training", ICML 2021 (arXiv 2006.04647). A unit is a column of
    what enters an activation function, of whatever kind, and it is on where that is positive. An item is a labelled
    node; or a graph, and then K_ij is the mean over the pairs of a node of i and a node of j.
    """
    codes: list[Tensor] = []
    with untouched(model), torch.no_grad():
        for p in passes(task):
            with Listening(model) as heard:
                p.scores(model)
            entered = [x.flatten(1) for x, _ in heard.activations if p.has_rows(x)]
            if not entered:
                raise NotScored(NONE)
            units = [p.of_items(x.gt(0).double()) / p.of_items(x.new_ones(len(x), 1)) for x in entered]
            codes.append(torch.cat(units, dim=1))
    on = torch.cat(codes)
    kernel = on @ on.T + (1 - on) @ (1 - on).T
    kernel.diagonal().add_(JITTER)
    return finite(torch.linalg.slogdet(kernel).logabsdet.item())


def meco(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The sum over the activation functions' inputs, and the outputs, of the least eigenvalue of their correlations.

    Jiang, Wang and Bie, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of
    Correlation", NeurIPS 2023. Channels are columns, and the places of an image are the nodes of the first training
    batch. Of more than 256 columns as many at even distances are compared, much as the paper samples channels.
    """
    with untouched(model), torch.no_grad(), Listening(model) as heard:
        p = next(iter(passes(task)))
        out = model(*p.arguments)
        maps = [thinned(x.flatten(1)) for x in (*(x for x, _ in heard.activations), out)]
    return finite(sum(map(_least, maps)))


def _least(x: Tensor) -> float:
    """The least eigenvalue of the columns' correlations: zero where rows are too few for another."""
    if x.size(1) >= len(x):
        return 0.0
    return max(0.0, float(torch.linalg.eigvalsh(correlation(x))[0]))


def fisher(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """The sum over activation functions, columns and rows of ``(a * dL/da)^2 / 2``, a what the function returns.

    Theis et al., arXiv 1801.05787, and Turner et al., "BlockSwap", ICLR 2020 (arXiv 1906.04113), summed as by
    Abdelfattah et al., ICLR 2021; L is the mean loss. At graph level ``a * dL/da`` is first summed over the nodes of
    each graph, as over the places of an image; at node level every node counts for itself.
    """
    total, count = 0.0, sum(len(p.y) for p in passes(task))
    with untouched(model), torch.enable_grad():
        for p in passes(task):
            with Listening(model) as heard:
                each = losses(p.scores(model), p.y, task.target)
            returned = [a for _, a in heard.activations if a.requires_grad and p.has_rows(a)]
            if not returned:
                raise NotScored(NONE)
            grads = torch.autograd.grad(each.sum() / count, returned, materialize_grads=True)
            for a, g in zip(returned, grads, strict=True):
                product = a.detach().double() * g
                product = product if p.item is None else p.of_items(product)
                total += 0.5 * product.square().sum().item()
    return finite(total)


NASWOT = Proxy(
    name="naswot",
    summary="how differently the labelled items switch the units",
    paper="Mellor et al., ICML 2021, arXiv 2006.04647",
    needs="features",
    cost="one forward pass",
    score=naswot,
)
MECO = Proxy(
    name="meco",
    summary="how far the columns of the embeddings are from repeating each other",
    paper="Jiang et al., NeurIPS 2023",
    needs="features",
    cost="one forward pass",
    score=meco,
)
FISHER = Proxy(
    name="fisher",
    summary="the squares of activation times gradient",
    paper="Turner et al., ICLR 2020, arXiv 1906.04113",
    needs="training labels",
    cost="one forward and one backward pass",
    score=fisher,
)
