"""How far a network is said to hear is how far it hears."""

from __future__ import annotations

import inspect
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.searchspace.layers.aggregate import Aggregate
from nas.searchspace.layers.known import is_ours
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node
from nas.searchspace.spaces.registry import find
from nas.zerocost.persample.receptive import hops, known
from tests.zerocost.tasks import VARIANTS, Stack, network, node

LENGTH = 17
PATH = torch.arange(LENGTH - 1)
WAY = torch.cat([torch.stack([PATH, PATH + 1]), torch.stack([PATH + 1, PATH])], dim=1)


def farthest(model: torch.nn.Module) -> int:
    """The farthest node of a way, counted from its end, whose features can change what is said of the end."""
    generator = torch.Generator().manual_seed(0)
    heard = 0
    with torch.no_grad():
        for _ in range(3):
            x = torch.randn(LENGTH, 6, generator=generator, dtype=torch.float64)
            before = model(x, WAY)[-1]
            for distance in range(LENGTH):
                changed = x.clone()
                changed[-1 - distance] = 10 * torch.randn(6, generator=generator, dtype=torch.float64)
                if not torch.equal(model(changed, WAY)[-1], before):
                    heard = max(heard, distance)
    return heard


@pytest.mark.each_once
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_operator(name, layers):
    of, settings = VARIANTS[name]
    model = network(Stack(of, layers=layers, **settings), node()).double()
    assert hops(model) == farthest(model)


@pytest.mark.parametrize("seed", range(12))
def test_the_longest_path_of_a_cell_counts(seed):
    task = replace(node(), name="computers")
    architecture = find("nasbench-graph").for_task(task).sample(random.Random(seed))
    model = network(architecture, task).double()
    far = hops(model)
    assert far == farthest(model) == depth(architecture.canonical(task))
    with lowered(model, 0):
        assert hops(model) == far


def depth(cell: NASBenchGraph) -> int:
    far = [0]
    for one in cell.nodes:
        far.append(far[one.input] + (one.op not in ("fc", "skip")))
    return max(far)


def test_paths_side_by_side_are_not_added():
    cell = NASBenchGraph(nodes=tuple(Node(input=0, op="gcn") for _ in range(4)))
    assert hops(network(cell, node())) == 1
    chain = NASBenchGraph(nodes=tuple(Node(input=k, op="gcn") for k in range(4)))
    assert hops(network(chain, node())) == 4


@pytest.mark.parametrize("name", ["design", "agnn"])
def test_other_spaces(name):
    for seed in range(3):
        architecture = find(name).sample(random.Random(seed))
        model = network(architecture, node()).double()
        assert hops(model) == farthest(model) == (2 if name == "agnn" else architecture.layers)


@pytest.mark.parametrize(
    "layer",
    [
        pyg.APPNP(3, 0.1),
        pyg.GCN2Conv(6, 0.1),
        pyg.GraphNorm(6),
        pyg.PairNorm(),
        pyg.LayerNorm(6),
        pyg.GCN(6, 6, 2),
        pyg.GCNConv(6, 6, flow="target_to_source"),
        pyg.GCNConv(6, 6, cached=True),
        pyg.SGConv(6, 6, K=2, cached=True),
    ],
    ids=lambda layer: str(layer),
)
def test_what_no_operator_makes_is_not_known(layer):
    assert not known(layer)
    assert hops(torch.nn.Sequential(layer)) is None


def test_what_is_known():
    for layer in (
        *(torch.nn.Linear(2, 2), torch.nn.Sequential(), torch.nn.BatchNorm1d(2), pyg.GCNConv(6, 6), Aggregate("max")),
        *(pyg.Linear(6, 6), pyg.AttentionalAggregation(torch.nn.Linear(6, 1)), pyg.Set2Set(6, 1)),
    ):
        assert known(layer)


class Choosing(torch.nn.Module):
    """Which layer follows depends on the numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.one = pyg.GCNConv(6, 6)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        while x.sum() > 0:
            x = self.one(x, edge_index)
        return x


def test_steps_that_depend_on_the_data():
    assert hops(Choosing()) is None


def test_layers_of_ours_are_known_by_their_code():
    """Printed into a module of their own they are ours; another class of the same name is not."""
    printed = type(network(Stack("aggregate"), node()).conv1)
    assert printed is not Aggregate
    assert is_ours(printed) is is_ours(Aggregate) is Aggregate
    for old, new in (("expand(2, -1)", "expand(3, -1)"), ("reduce=", "out=")):
        text, space = inspect.getsource(Aggregate), dict[str, Any]()
        assert old in text
        exec("import torch\nfrom torch_geometric.utils import scatter\n" + text.replace(old, new), space)
        assert is_ours(space["Aggregate"]) is None
