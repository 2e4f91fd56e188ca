"""One suite for every registered proxy: a new one is in it by being registered."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import get_args

import pytest
import torch

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS, Task
from nas.zerocost.base import Needs, NotScored
from nas.zerocost.registry import PROXIES, find, rows
from tests.zerocost.small import LEVELS, TARGETS, networks, relabelled, renumbered, small

NAMES = PROXIES.names()
TASKS = [*((level, target) for level in LEVELS[:2] for target in TARGETS), ("link", "multilabel")]
EVERY = pytest.mark.parametrize(("level", "target"), TASKS, ids=map(" ".join, TASKS))
SOME = pytest.mark.parametrize(("level", "target"), TASKS[::2], ids=map(" ".join, TASKS[::2]))
EACH = pytest.mark.parametrize("name", NAMES)
NEEDS = get_args(Needs)
TOLERANCE = {"gradsign": 0.05, "ntk-alignment": 0.02, "zico": 0.005}
"""Signs of gradients that are almost zero are rounding; and so is what almost equal gradients differ in."""


def score(name: str, model: torch.nn.Module, task: Task, seed: int = 0) -> float | str:
    """The score, or why there is none."""
    try:
        return find(name).score(model, task, seed)
    except NotScored as why:
        return str(why)


def scores(name: str, task: Task) -> list[float | str]:
    return [score(name, model, task) for model in networks(task)]


def needs(name: str, what: Needs) -> bool:
    return NEEDS.index(find(name).needs) >= NEEDS.index(what)


def alike(name: str, got: list[float | str], wanted: list[float | str]) -> None:
    """Equal up to rounding."""
    assert [type(one) for one in got] == [type(one) for one in wanted]
    rounding = TOLERANCE.get(name, 1e-3)
    for one, other in zip(got, wanted, strict=True):
        assert one == other or one == pytest.approx(other, rel=rounding, abs=1e-6)


@pytest.mark.each_once
@EVERY
@EACH
def test_a_finite_number_or_a_reason(name, level, target):
    found = scores(name, small(level, target))
    numbers = [s for s in found if not isinstance(s, str)]
    assert all(type(s) is float and math.isfinite(s) for s in numbers)
    assert all(" " in s for s in found if isinstance(s, str))
    if target == "multiclass" or level == "link":
        assert len(numbers) >= len(found) - 1
        assert len(set(numbers)) > 1


@pytest.mark.each_once
@SOME
@EACH
def test_nothing_is_touched_and_the_score_comes_again(name, level, target):
    task = small(level, target)
    batches = [batch for split in SPLITS for batch in task.batches(split)]
    tensors = [t for b in batches for f in fields(b) if (t := getattr(b, f.name)) is not None]
    before = [t.clone() for t in tensors]
    for model in networks(task, 1):
        model.train()
        inner = next(m for m in model.children())
        inner.eval()
        next(inner.parameters(), torch.empty(0)).requires_grad_(False)
        state = {key: t.clone() for key, t in model.state_dict().items()}
        modes = [m.training for m in model.modules()]
        asked = [p.requires_grad for p in model.parameters()]
        random = torch.get_rng_state()
        first = score(name, model, task, 3)
        assert torch.equal(torch.get_rng_state(), random)
        assert all(torch.equal(t, state[key]) for key, t in model.state_dict().items())
        assert [m.training for m in model.modules()] == modes
        assert [p.requires_grad for p in model.parameters()] == asked
        assert all(p.grad is None for p in model.parameters())
        assert not any(m._forward_hooks or m._forward_pre_hooks or "forward" in vars(m) for m in model.modules())
        torch.rand(3)
        with torch.no_grad():
            assert score(name, model.eval(), task, 3) == first
    torch.testing.assert_close(tensors, before, rtol=0, atol=0, equal_nan=True)


@pytest.mark.each_once
@SOME
@EACH
def test_other_numbers_for_the_nodes_change_nothing(name, level, target):
    task = small(level, target)
    alike(name, scores(name, renumbered(task)), scores(name, task))


@pytest.mark.each_once
@SOME
@EACH
def test_prepared_tensors_change_nothing(name, level, target):
    task, got = small(level, target), []
    ready = prepare(task)
    for model in networks(task):
        with lowered(model, 0):
            got.append(score(name, model, ready))
    alike(name, got, scores(name, task))


@pytest.mark.each_once
@SOME
@EACH
def test_only_the_labels_that_it_says_are_read(name, level, target):
    task = small(level, target)
    unread = replace(task, test=())
    if not needs(name, "validation labels"):
        unread = replace(unread, valid=())
    if not needs(name, "training labels"):
        unread = relabelled(unread, lambda y: y.flip(0))
    assert scores(name, unread) == scores(name, task)


@EACH
def test_what_it_says_it_needs_matters(name):
    task = small("node", "multiclass")
    other = {
        "the architecture": task,
        "features": fewer_links(small("node", "multiclass", seed=1)),
        "training labels": relabelled(task, lambda y: (y + torch.arange(len(y))) % 3),
        "validation labels": relabelled(task, lambda y: (y + 1) % 3, "valid"),
    }
    same = scores(name, other[find(name).needs]) == scores(name, task)
    assert same == (find(name).needs == "the architecture")
    if same:
        assert scores(name, other["features"]) == scores(name, task)


def fewer_links(task: Task) -> Task:
    return replace(task, train=tuple(replace(b, edge_index=b.edge_index[:, ::2]) for b in task.train))


def test_every_row_is_complete():
    for name, row in zip(NAMES, rows(), strict=True):
        assert row.name == name
        assert row.needs in NEEDS
        assert all((row.summary, row.paper, row.cost))
        assert row.summary[0].islower()
        assert row.score.__doc__


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(BadInput, match=r"unknown proxy 'nazwot'; did you mean 'naswot'\? known: .*gradsign"):
        find("nazwot")
