from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nas.searchspace import Network, Value
from nas.searchspace.source import module
from nas.zerocost.base import NotScored
from nas.zerocost.persample.receptive import hops
from nas.zerocost.sizes import depth, flops, params
from tests.zerocost.small import FEATURES, OUTPUTS, Nodewise, given, networks, small
from tests.zerocost.tasks import Stack

NODE, GRAPH = small("node", "multiclass"), small("graph", "multiclass")
NODES, EDGES = len(NODE.train[0].x), NODE.train[0].edge_index.size(1)


def test_parameters_are_counted_one_by_one_and_frozen_ones_are_not():
    model = Nodewise(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.PReLU(), torch.nn.Linear(4, 2, bias=False)))
    task = given(torch.ones(2, 3), torch.ones(2, 2))
    assert params(model, task) == 3 * 4 + 4 + 1 + 4 * 2
    next(model.parameters()).requires_grad_(False)
    assert params(model, task) == 4 + 1 + 4 * 2


@pytest.mark.parametrize(
    ("operator", "settings", "matrices", "hop"),
    [
        ("gcn", {}, 1, 1),
        ("sage", {}, 2, 1),
        ("cheb", {"K": 3}, 3, 2),
        ("sg", {"K": 3}, 1, 3),
        ("fc", {}, 1, 0),
        ("attention", {"attention": "constant"}, 1, 1),
    ],
)
def test_operations_of_two_layers_and_a_head(operator, settings, matrices, hop):
    """A multiplication and an addition for each matrix entry and node, and for each edge, column and hop."""
    width = 6
    model = module(Stack(operator, width=width, **settings), NODE)
    mapped = NODES * (matrices * (FEATURES * width + width * width) + width * OUTPUTS)
    assert flops(model, NODE) == 2 * (mapped + EDGES * 2 * hop * width)


def test_maps_that_heads_share_count_for_each_head():
    plain, shared = (
        flops(module(Stack("attention", layers=1, heads=2, attention="constant", aggregate=aggregate), NODE), NODE)
        for aggregate in ("sum", "mlp")
    )
    assert shared - plain == 2 * NODES * 2 * (2 * 3 * 3)  # two heads of width three, two maps


def test_operations_grow_with_the_graph():
    halved = given(NODE.train[0].x[:20], torch.zeros(20, dtype=torch.long))
    for model in networks(NODE):
        assert flops(model, halved) < flops(model, NODE)


@pytest.mark.parametrize("task", [NODE, GRAPH], ids=["node", "graph"])
@pytest.mark.parametrize(("operator", "far"), [("gcn", 1), ("tag", 2), ("aggregate", 1), ("gin-mlp", 1), ("fc", 0)])
def test_depth_counts_hops(operator, far, task):
    for layers in (1, 3):
        assert depth(module(Stack(operator, layers=layers), task), task) == layers * far


class Branches:
    """Two layers beside one."""

    def network(self, net: Network) -> Value:
        near = net.operator("gcn", net.x, 4)
        far = net.operator("sg", net.operator("gcn", net.x, 4), 4)
        return net.activation("prelu", net.add(near, net.norm("batch", far)))


@pytest.mark.parametrize("task", [NODE, GRAPH], ids=["node", "graph"])
def test_depth_is_that_of_the_longest_path(task):
    assert depth(module(Branches(), task), task) == 3


def test_depth_is_what_the_network_says_of_itself():
    assert [depth(model, NODE) for model in networks(NODE)] == [hops(model) for model in networks(NODE)]


class Own(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_depth_of_an_unknown_layer_is_not_known():
    with pytest.raises(NotScored, match="not known how far Own hears"):
        depth(Nodewise(Own()), NODE)
