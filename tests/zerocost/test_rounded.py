"""Networks that round: every proxy scores them, and exact ones take the slow way."""

from __future__ import annotations

import math
import random

import pytest
import torch

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantised
from nas.searchspace.source import module
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.zerocost.base import NotScored
from nas.zerocost.gradients import snip
from nas.zerocost.gradsign import gradsign, split
from nas.zerocost.items import Items
from nas.zerocost.registry import PROXIES
from nas.zerocost.registry import find as find_proxy
from nas.zerocost.sizes import depth
from tests.zerocost import naive
from tests.zerocost.small import LEVELS, small

SOME = 4


def network(space: str, task: Task, seed: int = 0) -> torch.nn.Module:
    """A small one whose readout keeps no state."""
    drawn, rng = find(space).for_task(task), random.Random(seed)
    while True:
        a = drawn.sample(rng)
        torch.manual_seed(0)
        made = module(a, task).eval()
        if sum(p.numel() for p in made.parameters()) < 20_000 and getattr(a, "readout", None) != "set2set":
            return made


@pytest.mark.each_once
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROXIES.names())
def test_every_proxy_scores_them(name: str, level: str) -> None:
    task = small(level, "multiclass")  # type: ignore[arg-type]
    ready, numbers = prepare(task), list[float]()
    for model in (network("lpgnas", task, seed) for seed in range(3)):
        with lowered(model, 0):
            try:
                score = find_proxy(name).score(model, ready, 0)
            except NotScored:
                continue
        assert math.isfinite(score)
        numbers.append(score)
    assert numbers


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("space", ["lpgnas", "quantised:agnn"])
def test_gradients_of_items_are_those_of_a_pass_for_each(space: str, level: str) -> None:
    """All items share the range by which values are rounded, so no pass over copies of them is taken."""
    task = small(level, "multiclass")  # type: ignore[arg-type]
    model, items = network(space, task), Items("train", most=SOME)
    assert split(model, task) == "values are rounded by the range of all items together"
    got, wanted = gradsign(model, task, items=items), naive.gradsign(naive.gradients(model, task, items))
    assert got == pytest.approx(wanted, rel=1e-3)


def test_the_gradient_is_that_of_the_weights_before_rounding() -> None:
    task = small("node", "multiclass")
    model = network("lpgnas", task)
    found = naive.gradients(model, task, Items("train"))
    mean = {name: g.mean(0) for name, g in found.items()}
    weights = {n: p for n, p in model.named_parameters() if p.dim() > 1 and not n.endswith("bias")}
    assert any(is_ours(type(m)) is Quantised for m in model.modules())
    expected = sum((w * mean[n]).abs().sum().item() for n, w in weights.items())
    assert snip(model, task) == pytest.approx(expected, rel=1e-3)


def test_rounding_is_no_hop() -> None:
    assert depth(network("lpgnas", small("node", "multiclass")), small("node", "multiclass")) == 2
