"""How differently the network answers to the features of the items."""

from __future__ import annotations

import torch

from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy, untouched
from nas.zerocost.columns import correlation
from nas.zerocost.passes import finite, passes

K = 1e-5


def jacov(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """``- sum_i log(v_i + k) + 1 / (v_i + k)`` over the eigenvalues v of the correlations between the items' Jacobians.

    Mellor et al., "Neural Architecture Search without Training", first version (arXiv 2006.04647v1), with k = 1e-5. An
    item's Jacobian is the gradient of the sum of all items' outputs by its own node's features, or by those of the
    nodes of its graph, summed over them.
    """
    found = []
    with untouched(model), torch.enable_grad():
        for p in passes(task):
            x = p.arguments[0].detach() + 0.0  # dense, and not the object whose products are kept
            total = p.on(x.requires_grad_()).scores(model).sum()
            (jacobian,) = torch.autograd.grad(total, x, materialize_grads=True)
            found.append(p.of_items(jacobian))
    jacobians = torch.cat(found)
    if len(jacobians) < 2 or jacobians.size(1) < 2:
        raise NotScored("correlations need two items and two features at least")
    v = torch.linalg.eigvalsh(correlation(jacobians.T)).clamp(min=0) + K
    return finite(-(v.log() + 1 / v).sum().item())


JACOV = Proxy(
    name="jacov",
    summary="how little the Jacobians of the labelled items resemble each other",
    paper="Mellor et al., 2020, arXiv 2006.04647v1",
    needs="features",
    cost="one forward and one backward pass",
    score=jacov,
)
