"""A space that does not take the data is refused before any work."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nas.data import load
from nas.searchspace import Network, Space, Value, architecture, choice
from nas.searchspace.errors import BadInput
from nas.searchspace.operators import OPERATORS, operator
from nas.searchspace.spaces.registry import SPACES, find
from nas.study.fitting import check_fits
from tests.nas.toys import MISBEHAVING, OP, One, Toy, graph, graphs, search


@pytest.fixture
def misbehaving() -> Any:
    """Makes the layers of the toys operators for a while."""
    before = dict(OPERATORS)
    for name in ("raises", "shapeless", "shorter"):
        operator("toy-" + name)(MISBEHAVING[name])
    yield
    OP[0] = "fc"
    OPERATORS.clear()
    OPERATORS.update(before)


@pytest.mark.parametrize("name", SPACES.names())
def test_built_in_spaces_fit(name):
    state = torch.random.get_rng_state()
    for data in (graph(), graphs(), "digits"):
        task = load(data)
        check_fits(find(name).for_task(task), task)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("raises", "LookupError: no such thing"),
        ("shapeless", r"its network returned \[48, 4\] where the task needs \[48, 3\]"),
        ("shorter", r"its network returned \[47, 3\] where the task needs \[48, 3\]"),
    ],
)
def test_a_layer_that_does_not_fit(misbehaving, layer, words, tmp_path):
    OP[0] = "toy-" + layer
    start = r"the space 'One' does not fit the data 'data' \(5 features, 3 outputs, node level\): .*"
    with pytest.raises(BadInput, match=start + words):
        search(space=One)
    assert not (tmp_path / "runs").exists()


def test_a_space_without_a_network():
    @architecture
    class Bare:
        conv: str = choice("gcn", "gat")

    task = load(graph())
    with pytest.raises(BadInput, match="Bare describes no network: give the class a method network"):
        check_fits(Space(Bare).for_task(task), task)


def test_one_that_works_is_enough():
    @architecture
    class Half:
        conv: str = choice("gcn", "bad")

        def network(self, net: Network) -> Value:
            return net.operator(self.conv, net.x, 4)

    task = load(graph())
    check_fits(Space(Half).for_task(task), task)
    with pytest.raises(BadInput, match="unknown operator 'bad'"):
        check_fits(Space(One).for_task(task), task) if not OP.__setitem__(0, "bad") else None
    OP[0] = "fc"


def test_a_large_graph_is_looked_at_in_a_corner():
    task = load(graph(nodes=2000))
    check_fits(Space(Toy).for_task(task), task)
