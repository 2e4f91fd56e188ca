"""What the outputs of the untrained network are good for."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.searchspace.task import Target, Task
from nas.zerocost.base import NotScored, Proxy, untouched
from nas.zerocost.columns import standardised, thinned
from nas.zerocost.items import Items
from nas.zerocost.listening import Listening
from nas.zerocost.passes import finite, passes

TRAIN, VALID = Items("train", most=512), Items("valid", most=512)
RIDGES = (0.01, 0.1, 1.0)
"""Strengths of the ridge, as shares of the mean of the kernel's diagonal."""


def probe(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """How well a ridge regression on the outputs, fitted to training items, predicts validation items.

    The accuracy on up to 512 of them for ``multiclass``, else minus the root mean squared error of the known labels,
    at the best of three strengths. Unpublished, after random-feature kernels (Rahimi and Recht, NeurIPS 2007).
    """
    (h, y), (h_valid, y_valid) = (_embedded(model, task, items) for items in (TRAIN, VALID))
    z = standardised(torch.cat([h, h_valid])).clamp(-10, 10)
    z, z_valid = z[: len(h)], z[len(h) :]
    goal = _goal(y, task)
    mean = goal.nanmean(0)
    goal = (goal - mean).nan_to_num()
    kernel = z @ z.T
    scale = kernel.diagonal().mean().clamp(min=1e-12)
    fits = []
    for ridge in RIDGES:
        regular = kernel + ridge * scale * torch.eye(len(z), dtype=z.dtype, device=z.device)
        answer = z_valid @ (z.T @ torch.linalg.solve(regular, goal)) + mean
        fits.append(_fit(answer, y_valid, task.target))
    return finite(max(fits))


def smooth(model: torch.nn.Module, task: Task, seed: int = 0) -> float:
    """How alike the outputs of linked nodes are: the mean over the columns of their correlation along the edges.

    That is ``1 - E(h_u - h_v)^2 / (2 var h)`` with u and v the ends of an edge and the variance over the ends, so that
    hubs count as often as they have edges: Newman's assortativity ("Mixing patterns in networks", Physical Review E 67,
    2003) of an untrained network's outputs. 1 where linked nodes are alike, 0 where links say nothing. The edges are
    those of the first training batch; where graphs or pairs are predicted the outputs are those of the last layer on
    nodes.
    """
    p = next(iter(passes(task)))
    with untouched(model), torch.no_grad(), Listening(model) as heard:
        out = model(*p.arguments)
    if task.level != "node":
        on_nodes = [out for _, _, out in heard.layers if len(out) == len(p.arguments[0])]
        if not on_nodes:
            raise NotScored("the network has no layer on nodes")
        out = on_nodes[-1]
    edges, h = p.arguments[1].as_subclass(Tensor), thinned(out.flatten(1))
    if not edges.numel():
        raise NotScored("there are no edges")
    z = standardised(h, torch.bincount(edges.flatten(), minlength=len(h))).float()
    varying = z.ne(0).any(0).sum().item()
    if not varying:
        raise NotScored("the outputs of all nodes are alike")
    source, target = (z.index_select(0, end) for end in edges)
    return finite((source * target).sum(dtype=torch.double).item() / edges.size(1) / varying)


def _embedded(model: torch.nn.Module, task: Task, items: Items) -> tuple[Tensor, Tensor]:
    """Outputs and targets of the items."""
    with untouched(model), torch.no_grad():
        found = [(p.scores(model), p.y) for p in passes(task, items)]
    h, y = (torch.cat(parts) for parts in zip(*found, strict=True))
    return h, y


def _goal(y: Tensor, task: Task) -> Tensor:
    """The numbers to regress on, ``[items, outputs]``; NaN where they are not known."""
    return F.one_hot(y, task.outputs).double() if task.target == "multiclass" else y.double()


def _fit(answer: Tensor, y: Tensor, target: Target) -> float:
    if target == "multiclass":
        return (answer.argmax(1) == y).double().mean().item()
    return -(answer - y).square().nanmean().sqrt().item()


PROBE = Proxy(
    name="probe",
    summary="how well a ridge regression on the untrained outputs predicts validation items",
    paper="unpublished; random features of Rahimi and Recht, NeurIPS 2007",
    needs="validation labels",
    cost="one forward pass and a ridge regression of up to 512 items",
    score=probe,
)
SMOOTH = Proxy(
    name="smooth",
    summary="how alike the untrained outputs of linked nodes are",
    paper="unpublished; the assortativity of Newman, Physical Review E 67, 2003",
    needs="features",
    cost="one forward pass",
    score=smooth,
)
