"""A network step by step: the same outputs, from fewer rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace import Network, Task, Value
from nas.zerocost.items import Items
from nas.zerocost.persample.gradients import unions
from nas.zerocost.persample.receptive import trace
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.stepping import outputs
from tests.zerocost.tasks import VARIANTS, Stack, network, node, pairs

ITEMS = Items("train")


def stepped(model: torch.nn.Module, task: Task) -> tuple[Tensor, Tensor, list[int], Samples]:
    """The outputs step by step and all at once, the rows of each step, and what all of it is computed on."""
    (some,) = unions(model, task, ITEMS)
    told = list[Samples]()
    with torch.no_grad():
        got = outputs(model, some, told.append)
        wanted = outputs(model, replace(some, nearer=None), lambda _: None)
    return got, wanted, [len(each.node) for each in told], some


@pytest.mark.parametrize("make", [node, pairs])
@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_outputs_from_fewer_rows(name, make):
    """The last step has the rows of the items alone."""
    operator, settings = VARIANTS[name]
    task = prepare(make(words=True))
    model = network(Stack(operator, "layer", "elu", layers=3, **settings), task)
    with lowered(model, 0):
        got, wanted, rows, some = stepped(model, task)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    assert rows == sorted(rows, reverse=True)
    assert rows[0] == len(some.node)
    if some.nearer is not None:
        assert rows[-1] == len(some.within(0).node) < rows[0]
    if some.hops == 3:
        assert set(rows) == {len(some.within(hops).node) for hops in range(4)}


class Jumping:
    """What the first layer says is added to what the third does, and the features stand beside it."""

    def network(self, net: Network) -> Value:
        first = net.activation("elu", net.operator("sage", net.x, 6))
        third = net.operator("gcn", net.operator("gin-mlp", first, 6), 6)
        return net.linear(net.concat(net.add(first, third), net.linear(net.x, 4)), net.outputs)


def test_what_is_needed_near_and_far():
    task = prepare(node())
    model = network(Jumping(), task)
    with lowered(model, 0):
        got, wanted, rows, some = stepped(model, task)
    torch.testing.assert_close(got, wanted)
    each = [len(some.within(hops).node) for hops in range(4)]
    assert rows[:2] == [each[3], each[2]]  # the first layer and its activation
    assert rows[-1] == each[0]


class Mixing(torch.nn.Module):
    """Takes the mean of all rows away, whatever they are."""

    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn import GCNConv

        self.first, self.second = GCNConv(6, 6), GCNConv(6, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Any:
        x = self.first(x, edge_index)
        return self.second(x - x.mean(0), edge_index)


def test_a_step_that_may_mix_rows_is_given_all_of_them():
    task, model = prepare(node()), Mixing().eval()
    with lowered(model, 0):
        _, _, rows, some = stepped(model, task)
    assert some.hops == 2
    assert rows == [len(some.node)]


def test_a_trace_is_kept_while_the_network_is_the_same():
    model = network(Stack("gcn"), node())
    first = trace(model)
    assert first is trace(model)
    model.train()
    assert trace(model) is not first
    second = trace(model)
    name, layer = next((n, m) for n, m in model.named_children() if n.startswith("conv"))
    setattr(model, name, type(layer)(6, 6))
    assert trace(model) is not second
