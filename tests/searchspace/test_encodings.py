"""Encodings tell architectures apart, and graphs of networks are graphs of networks."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from nas.searchspace import Network, Space, Task, Value, architecture, choice
from nas.searchspace.encodings import columns, graph, one_hot, text
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import NODE, TASKS, Conditional, Dag, Flat, Forbidding, Numbers, Stacked


@pytest.mark.parametrize("of", [Flat, Conditional, Stacked, Dag, Forbidding])
def test_all_architectures_have_encodings_of_their_own(of: type[Any]) -> None:
    space = Space(of)
    listed = list(space.enumerate())
    assert len({one_hot(space, a).tobytes() for a in listed}) == len(listed)
    assert len({text(a) for a in listed}) == len(listed)
    assert all(one_hot(space, a).shape == (len(columns(space)),) for a in listed)


def test_what_the_columns_mean() -> None:
    space = Space(Conditional)
    a = Conditional(conv="gat", heads=4, wide=False, depth=2)
    on = [name for name, x in zip(columns(space), one_hot(space, a), strict=True) if x]
    assert on == ["conv=gat", "heads=4", "wide=False", "depth=2"]
    b = Conditional(conv="none", heads=None, wide=None, depth=None)
    off = [name for name, x in zip(columns(space), one_hot(space, b), strict=True) if x]
    assert off == ["conv=none", "heads=(inactive)", "wide=(inactive)", "depth=(inactive)"]


def test_numbers_are_scaled_as_they_are_drawn() -> None:
    space = Space(Numbers)
    a = Numbers(count=101, width=8, lr=0.01, dropout=0.45, momentum=0.99)
    row = dict(zip(columns(space), one_hot(space, a).tolist(), strict=True))
    assert row["count"] == pytest.approx(0.5)
    assert row["width"] == 0
    assert row["lr"] == pytest.approx(2 / 3)
    assert row["dropout"] == pytest.approx(0.5)
    assert (row["momentum"], row["momentum=(inactive)"]) == (1, 0)
    b = Numbers(count=2, width=8, lr=0.01, dropout=0.45, momentum=None)
    row = dict(zip(columns(space), one_hot(space, b).tolist(), strict=True))
    assert (row["momentum"], row["momentum=(inactive)"]) == (0, 1)
    assert text(a).startswith("count=101 width=8 lr=0.01 dropout=0.45")


def test_text_tells_types_and_quotes_apart() -> None:
    @architecture
    class Texts:
        a: str | int | bool | None = choice("1", 1, "true", False, "null", None, 'x"', 'x\\"', "x b=y", "x", "é")
        b: str | None = choice("y", "z")

    listed = list(Space(Texts).enumerate())
    assert len({text(t) for t in listed}) == len(listed) == 22
    assert text(Texts(a="x", b="y")) == "a=x b=y"
    assert text(Texts(a=1, b="y")) == "a=1 b=y"
    assert all("\n" not in text(t) for t in listed)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())
@pytest.mark.parametrize("name", SPACES.names())
def test_the_graph_of_a_network(name: str, task: Task) -> None:
    space, rng = find(name).for_task(task), random.Random(0)
    for _ in range(10):
        made = graph(space.sample(rng), task)
        size = len(made.operations)
        assert made.operations[0] == "input"
        assert made.operations[-1] == "output"
        assert len(made.widths) == size
        assert (made.widths[0], made.widths[-1]) == (task.features, task.outputs)
        assert made.adjacency.shape == (size, size)
        assert not np.tril(made.adjacency).any()
        reach = np.linalg.matrix_power(np.eye(size) + made.adjacency, size) > 0
        assert reach[0].all(), "everything is computed from the input"
        assert reach[:, -1].all(), "everything is needed for the output"


def test_what_nobody_reads_is_not_part_of_the_network() -> None:
    @architecture
    class Wasteful:
        conv: str = choice("gcn")

        def network(self, net: Network) -> Value:
            x = net.operator("gcn", net.x, 4)
            for _ in range(3):
                x = net.activation("relu", net.operator("sage", x, 4))
            return net.operator(self.conv, net.x, 4)

    assert graph(Wasteful(conv="gcn"), NODE).operations == ("input", "gcn", "linear", "output")
