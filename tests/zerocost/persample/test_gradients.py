"""The gradients of every sample from one pass are those of a pass for each."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace import Task
from nas.searchspace.elements import DECODERS, READOUTS
from nas.searchspace.operators import OPERATORS
from nas.searchspace.spaces.registry import SPACES, find
from nas.zerocost.base import losses
from nas.zerocost.items import Items
from nas.zerocost.persample import egonets
from nas.zerocost.persample.gradients import by_item, one_by_one, unions, uses
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.uses import CannotSplitError, Linear, Use
from tests.zerocost import naive
from tests.zerocost.small import ROUNDED
from tests.zerocost.tasks import VARIANTS, Stack, carrying, double, graphs, network, node, pairs, several

ITEMS = Items("train")
DOUBLE, SINGLE = 1e-10, 1e-4
"""What the gradients may differ by, of the largest."""
AROUND = [("none", "relu"), ("batch", "prelu"), ("layer", "elu")]
TASKS: dict[str, Task] = {
    "node": node(),
    "words": node(words=True),
    "several graphs": several(words=True),
    "several graphs, numbers": several("regression"),
    "several labels": node("multilabel"),
    "graphs": graphs(),
    "graphs, several labels": graphs("multilabel"),
    "graphs, numbers": graphs("regression"),
    "pairs": pairs(),
    "pairs of words": pairs(words=True),
    "node, carrying edges": carrying(node()),
    "graphs, carrying edges": carrying(graphs("regression")),
    "pairs, carrying edges": carrying(pairs()),
}


def agree(model: torch.nn.Module, task: Task, wanted: naive.Gradients, tolerance: float) -> None:
    """Gradients by every number of every parameter; what was not found is zero."""
    names = [name for name, _ in model.named_parameters()]
    largest, first = max(float(g.abs().max()) for g in wanted.values()), 0

    def of_task(out: Tensor, some: Samples) -> Tensor:
        return losses(out, some.y, task.target)

    assert largest > 0
    every = ((some, of) for some in unions(model, task, ITEMS) for of in uses(model, some, of_task))
    for some, taken in every:
        left = {name: g[first : first + some.apart].flatten(1).clone() for name, g in wanted.items()}
        for use, delta in taken:
            found = use.jacobian(delta)
            assert torch.equal(use.signs(delta).flatten(), found.sign().sum(0))
            number, part = use.parameter
            begin = 0 if part is None else part[0]
            place = left[names[number]][:, begin : begin + found.size(1)]
            errors = [float((order - place).abs().max()) for order in orders(use, found)]
            assert min(errors) <= tolerance * largest, names[number]
            place.zero_()
        for name, rest in left.items():
            assert float(rest.abs().max()) <= tolerance * largest, name
        first += some.apart
    assert first == len(next(iter(wanted.values())))


def orders(use: Use, found: Tensor) -> list[Tensor]:
    """A linear map may be kept either way round."""
    if not isinstance(use, Linear):
        return [found]
    return [found, found.unflatten(1, (use.x.size(-1), -1)).transpose(1, 2).flatten(1)]


def both_agree(architecture: Any, task: Task) -> None:
    """The plain module in float64, and in float32 on what is prepared."""
    exact, model = double(task), network(architecture, task).double()
    wanted = naive.gradients(model, exact, ITEMS)
    agree(model, exact, wanted, DOUBLE)
    model, ready = network(architecture, task), prepare(task)
    with lowered(model, 0):
        agree(model, ready, wanted, SINGLE)


@pytest.mark.each_once
@pytest.mark.parametrize(("norm", "activation"), AROUND)
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_with_every_normalisation(name, norm, activation):
    both_agree(Stack(name, norm, activation), node())


@pytest.mark.parametrize("name", VARIANTS)
def test_every_setting_on_sparse_features(name):
    norm, activation = AROUND[len(name) % 3]
    operator, settings = VARIANTS[name]
    both_agree(Stack(operator, norm, activation, **settings), node("multilabel", words=True))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_setting_on_graphs(name):
    norm, activation = AROUND[len(name) % 3]
    operator, settings = VARIANTS[name]
    both_agree(Stack(operator, norm, activation, **settings), graphs("regression"))


@pytest.mark.parametrize("name", VARIANTS)
def test_every_setting_along_edges_that_carry_something(name):
    norm, activation = AROUND[len(name) % 3]
    operator, settings = VARIANTS[name]
    both_agree(Stack(operator, norm, activation, **settings), carrying(node("multilabel")))


@pytest.mark.each_once
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", ["gcn", "gat", "aggregate", "attention"])
def test_every_decoder(name, decoder, words):
    architecture = Stack(name)
    architecture.decoder = decoder
    both_agree(architecture, pairs(words=words))


@pytest.mark.parametrize("readout", [name for name in READOUTS if name != "set2set"])
@pytest.mark.parametrize("name", ["gcn", "gat", "aggregate"])
def test_every_readout(name, readout):
    architecture = Stack(name)
    architecture.readout = readout
    both_agree(architecture, graphs())


@pytest.mark.each_once
@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("space", [name for name in SPACES.names() if name not in ROUNDED])
def test_random_networks_of_every_space(space, kind):
    task = replace(TASKS[kind], name="computers")  # nasbench-graph's narrow cell
    drawn, rng = find(space).for_task(task), random.Random(sorted(TASKS).index(kind))
    done = 0
    while done < 2:
        architecture = drawn.sample(rng)
        size = sum(p.numel() for p in network(architecture, task).parameters())
        if size > 40_000 or getattr(architecture, "readout", None) == "set2set":
            continue
        both_agree(architecture, task)
        done += 1


@pytest.mark.each_once
@pytest.mark.parametrize("kind", [name for name, task in TASKS.items() if task.level != "graph"])
@pytest.mark.parametrize("name", VARIANTS)
def test_items_that_hear_of_all_share_its_rows(name, kind, monkeypatch):
    """As on a large graph, where copies of it are not made."""
    monkeypatch.setattr(egonets, "KEPT", 0)
    monkeypatch.setattr(egonets, "MOST", 0.0)
    operator, settings = VARIANTS[name]
    architecture, task = Stack(operator, "batch", "prelu", **settings), replace(TASKS[kind])
    both_agree(architecture, task)
    assert all(some.shared for some in unions(network(architecture, task), prepare(task), ITEMS))


def test_a_prepared_graph_and_a_plain_network():
    """Either may come without the other."""
    task, architecture = node(words=True), Stack("gcn")
    wanted = naive.gradients(network(architecture, task), task, ITEMS)
    agree(network(architecture, task), prepare(task), wanted, SINGLE)
    model = network(architecture, task)
    with lowered(model, 0):
        agree(model, task, wanted, SINGLE)


def test_float64_on_a_prepared_graph():
    """The engine computes in float32 alone, so the layers go the plain way and need the degrees of the whole graph."""
    task = double(node())
    model = network(Stack("gcn"), node()).double()
    wanted = naive.gradients(model, task, ITEMS)
    with lowered(model, 0):
        agree(model, prepare(task), wanted, DOUBLE)


def test_the_slow_way_gives_every_parameter():
    task = several()
    model = network(Stack("gat", "batch", "prelu"), task).double()
    assert_slow(model, double(task))


@pytest.mark.parametrize("kind", [name for name, task in TASKS.items() if task.level == "graph"])
def test_the_slow_way_takes_one_graph_after_the_other(kind):
    """With the other graphs of their batch each backward pass would go through all of them."""
    task = double(TASKS[kind])
    architecture = Stack("gat", "batch", "prelu")
    architecture.readout = "set2set"
    model, heard = network(architecture, task).double(), list[int]()
    model.register_forward_hook(lambda _, given, out: heard.append(len(out)))
    assert_slow(model, task)
    items = sum(len(where) for _, where in ITEMS.of(task))
    assert heard[-items:] == [1] * items


def test_the_slow_way_leaves_graphs_together_whose_values_are_rounded_together():
    space, task = find("lpgnas").for_task(graphs()), graphs()
    model, heard = network(space.sample(random.Random(0)), task), list[int]()
    model.register_forward_hook(lambda _, given, out: heard.append(len(out)))
    assert_slow(model, task)
    assert min(heard) == min(len(batch.y) for batch in task.train) > 1


def assert_slow(model: torch.nn.Module, task: Task) -> None:
    """The slow way finds what the naive loop finds."""
    wanted = naive.gradients(model, task, ITEMS)
    found = list(by_item(model, task, ITEMS, lambda out, y: losses(out, y, task.target)))
    assert len(found) == len(next(iter(wanted.values())))
    for number, grads in enumerate(found):
        for grad, name in zip(grads, wanted, strict=True):
            wished = wanted[name][number]
            torch.testing.assert_close(torch.zeros_like(wished) if grad is None else grad, wished)


def test_what_depends_on_no_parameter_has_no_gradient():
    model = torch.nn.Linear(2, 2)
    assert list(one_by_one(model, torch.ones(3))) == [[None, None]] * 3
    assert list(one_by_one(torch.nn.Identity(), torch.ones(2, requires_grad=True) * 2)) == [[], []]


def test_some_projections_keep_inner_products():
    """A gradient of many numbers may be seen through random directions; the same ones in every pass."""
    task = node(nodes=60, items=30)
    model = network(Stack("sage", width=64), task)
    (some,) = unions(model, task, ITEMS)
    (found,) = uses(model, some, lambda out, s: losses(out, s.y, task.target))
    widest, delta = max(found, key=lambda each: each[0].jacobian(each[1]).size(1))
    whole, seen = widest.jacobian(delta), widest.jacobian(delta, 2000)
    assert seen.size(1) <= 2000 < whole.size(1)
    assert torch.equal(seen, widest.jacobian(delta, 2000))
    exact, near = whole @ whole.t(), seen @ seen.t()
    assert float((exact - near).norm() / exact.norm()) < 0.5
    assert torch.equal(widest.jacobian(delta, 10**9), whole)


def test_what_cannot_be_split_says_why():
    task = node()
    model = network(Stack("gcn"), task)
    model.conv1.lin.weight = model.linear1.weight = torch.nn.Parameter(torch.randn(6, 6))
    (some,) = unions(model, task, ITEMS)
    with pytest.raises(CannotSplitError, match="a parameter is used twice"):
        list(uses(model, some, lambda out, s: out.sum(1)))
