"""What is counted in a network, against a network counted by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from nas.searchspace import Network, Value, architecture, choice
from nas.searchspace.skeleton import NOTHING, graph_counts, skeleton
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from tests.searchspace.declared import NODE, TASKS


@architecture
class Branched:
    """A stem, two branches of which one has a further operator, and their sum."""

    conv: str = choice("gcn", "sage")

    def network(self, net: Network) -> Value:
        stem = net.activation("relu", net.norm("batch", net.linear(net.x, 4)))
        left = net.operator("gat", stem, 4, heads=2)
        right = net.operator(self.conv, net.dropout(0.25, net.operator("gcn", stem, 4)), 4)
        return net.activation("elu", net.add(left, right))


def test_a_network_counted_by_hand() -> None:
    counts = {family: dict(found) for family, found in graph_counts(skeleton(Branched(conv="gcn"), NODE)).items()}
    assert counts == {
        "steps": {"linear": 2, "gat": 1, "gcn": 2, "add": 1},
        "words": {"batch norm": 1, "relu": 1, "gat heads=2": 1, "dropout": 1, "elu": 1},
        "depths": {"linear @0": 1, "gat @1": 1, "gcn @1": 1, "gcn @2": 1, "add @2": 1, "linear @2": 1},
        "pairs": {
            "input>linear": 1, "linear>gat": 1, "linear>gcn": 1, "gcn>gcn": 1, "gat>add": 1, "gcn>add": 1,
            "add>linear": 1,
        },
        "triples": {
            "input>linear>gat": 1, "input>linear>gcn": 1, "linear>gcn>gcn": 1, "linear>gat>add": 1, "gcn>gcn>add": 1,
            "gat>add>linear": 1, "gcn>add>linear": 1,
        },
        "sizes": {"leaves": 2, "depth": 2, "log width": 2.0},
    }  # fmt: skip


def test_its_skeleton() -> None:
    made = skeleton(Branched(conv="sage"), NODE)
    assert made.names == ("input", "linear", "gat", "gcn", "sage", "add", "linear")
    assert made.words[1:5] == (("batch norm", "relu"), ("heads=2",), ("dropout",), ("aggr=mean",))
    assert made.sources == ((), (0,), (1,), (1,), (3,), (2, 4), (5,))
    assert made.widths == (5, 4, 4, 4, 4, 4, 3)
    assert made.depths() == [0, 0, 1, 1, 2, 2, 2]
    assert made.leaves() == [2, 4]
    assert made.result == 6


def cell(*nodes: tuple[int, str]) -> Any:
    return NASBenchGraph(nodes=tuple(Node(input=source, op=op) for source, op in nodes))


def test_descriptions_of_one_network_are_counted_alike() -> None:
    space, rng = find("nasbench-graph").for_task(NODE), random.Random(0)
    for _ in range(100):
        drawn = space.sample(rng)
        assert graph_counts(skeleton(drawn, NODE)) == graph_counts(skeleton(space.canonical(drawn), NODE))
    one, other = (
        cell((0, "gcn"), (0, "gat"), (1, "fc"), (2, "gin")),
        cell((0, "gat"), (0, "gcn"), (1, "gin"), (2, "fc")),
    )
    assert graph_counts(skeleton(one, NODE)) == graph_counts(skeleton(other, NODE))
    crossed = cell((0, "gcn"), (0, "gat"), (1, "gin"), (2, "fc"))
    assert graph_counts(skeleton(one, NODE)) != graph_counts(skeleton(crossed, NODE))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
@pytest.mark.parametrize("name", SPACES.names())
def test_every_space_has_skeletons_without_plain_steps(name: str, task: Task) -> None:
    space, rng = find(name).for_task(task), random.Random(0)
    for _ in range(10):
        made = skeleton(space.sample(rng), task)
        assert not {"relu", "dropout", "batch norm"} & set(made.names)
        assert all(source < node for node, sources in enumerate(made.sources) for source in sources)
        assert any("readout" in step for step in made.names) == (task.level == "graph")
        assert any("decoder" in step for step in made.names) == (task.level == "link")
        assert graph_counts(made)["sizes"]["depth"] >= 1
        assert made.leaves()


def test_nothing_can_be_counted() -> None:
    assert graph_counts(NOTHING)["sizes"] == {"leaves": 0, "depth": 0, "log width": 0.0}
