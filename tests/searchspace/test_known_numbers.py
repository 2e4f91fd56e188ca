"""The built-in spaces against the papers' numbers and the table of NAS-Bench-Graph."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.searchspace import Space, Task
from nas.searchspace.source import module
from nas.searchspace.spaces import agnn
from nas.searchspace.spaces.nasbench_graph import FIXED, NASBenchGraph, Node
from nas.searchspace.spaces.registry import find
from tests.searchspace.declared import GRAPH, NODE

TABLE = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"
needs_table = pytest.mark.skipif(not TABLE.is_file(), reason="set NAS_DATA to the folder that holds nasbench_graph/")


@pytest.mark.parametrize(
    ("name", "size"),
    [("agnn", 18_816**2), ("design", 314_928), ("nasbench-graph", 157_440), ("nasbench-graph-proteins", 14_976)],
)
def test_sizes(name: str, size: int) -> None:
    assert find(name).size() == size
    assert find(name).for_task(NODE).size() == size
    assert find(name).for_task(GRAPH).size() == 5 * size


def test_a_layer_of_agnn() -> None:
    assert Space(agnn.Layer).size() == 2 * 9408


@cache
def table() -> dict[str, Any]:
    with np.load(TABLE, allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


def row(a: NASBenchGraph) -> int:
    """The row of the table that holds the architecture."""
    operations = table()["op_names"].tolist()
    key = [node.input for node in a.nodes[1:]] + [operations.index(node.op) for node in a.nodes]
    return int(table()["raw_to_row"][tuple(key)])


def described(number: int) -> NASBenchGraph:
    """The architecture of a row, as the table writes it."""
    link, op = table()["link"][number], table()["op_names"][table()["op"][number]]
    return NASBenchGraph(nodes=tuple(Node(input=int(i), op=str(o)) for i, o in zip(link, op, strict=True)))


def equal_classes(architectures: Any) -> tuple[int, int]:
    """Asserts that equal rows mean equal canonical forms and the reverse; how many of both there are."""
    forms: dict[int, Any] = {}
    rows: dict[Any, int] = {}
    for a in architectures:
        number, form = row(a), a.canonical(None)
        assert forms.setdefault(number, form) == form
        assert rows.setdefault(form, number) == number
        assert row(form) == number
    return len(forms), len(rows)


@needs_table
def test_canonical_forms_are_the_rows_of_the_table() -> None:
    space, rng = find("nasbench-graph"), random.Random(0)
    few = [Node(input=0, op=op) for op in ("gcn", "skip", "fc")]  # few operations: many equal networks
    sampled = [space.sample(rng) for _ in range(1500)]
    alike = [
        NASBenchGraph(nodes=(*(replace(rng.choice(few), input=rng.randint(0, k)) for k in range(3)), few[0]))
        for _ in range(1500)
    ]
    forms, rows = equal_classes(sampled + alike)
    assert forms == rows < 2500


def test_the_networks_of_proteins() -> None:
    """The benchmark ran five operations there, and has 2,021 networks of them."""
    space = find("nasbench-graph-proteins")
    assert len({space.canonical(a) for a in space.enumerate()}) == 2021


@needs_table
def test_the_table_describes_its_rows() -> None:
    numbers = random.Random(0).sample(range(26_206), 300)
    assert [row(described(number)) for number in numbers] == numbers


@pytest.mark.slow
@needs_table
def test_all_canonical_forms_are_the_rows_of_the_table() -> None:
    assert equal_classes(find("nasbench-graph").enumerate()) == (26_206, 26_206)


@pytest.mark.slow
def test_the_number_of_canonical_forms() -> None:
    space = find("nasbench-graph")
    assert len({space.canonical(a) for a in space.enumerate()}) == 26_206


@needs_table
@pytest.mark.parametrize(
    ("name", "features", "classes"),
    [("cora", 1433, 7), ("citeseer", 3703, 6), ("pubmed", 500, 3)],
)
def test_parameters_are_those_of_the_table(name: str, features: int, classes: int) -> None:
    """Exactly, but for the normalisations of the benchmark's model that nothing reads.

    The benchmark constructs one BatchNorm for each computing node and uses it only where the node is no skip and
    its input is no longer raw; the rest it counts, and our source leaves out.
    """
    task = Task(name, "node", "multiclass", features, classes, "accuracy", "public", "")
    column = table()["datasets"].tolist().index(name)
    rng = random.Random(name)
    skips = np.flatnonzero((table()["op"] == table()["op_names"].tolist().index("skip")).any(axis=1))
    for number in rng.sample(range(26_206), 25) + rng.sample(skips.tolist(), 15):
        a = described(number)
        model = module(a, task)
        ours = sum(p.numel() for p in model.parameters())
        norms = sum(type(m).__name__ == "BatchNorm1d" for m in model.modules())
        unread = (4 - norms) * 2 * FIXED[name].width
        assert np.float32((ours + unread) / 1e6) == pytest.approx(table()["params"][number, column], abs=4e-7), a


def test_settings_of_the_benchmark() -> None:
    from nas.searchspace import Recipe

    a = NASBenchGraph(nodes=tuple(Node(input=0, op="gcn") for _ in range(4)))
    cora = a.recipe(Recipe(), replace(NODE, name="cora"))
    assert (cora.optimiser, cora.lr, cora.weight_decay, cora.epochs) == ("sgd", 0.1, 5e-4, 400)
    other = a.recipe(Recipe(), NODE)
    assert (other.optimiser, other.lr) == ("adam", 5e-3)


def test_what_does_not_matter_on_a_task() -> None:
    rng = random.Random(0)
    for name, knob in (("agnn", "layers.1.hidden"), ("design", "batch_size")):
        space = find(name)
        on_nodes, on_graphs = space.for_task(NODE), space.for_task(GRAPH)
        a = on_nodes.sample(rng)
        same = {on_nodes.canonical(b) for b in on_nodes.neighbours(a, rng) if differs(on_nodes, a, b) == knob}
        assert same == {on_nodes.canonical(a)}
        b = on_graphs.sample(rng)
        assert on_graphs.canonical(b) == b


def differs(space: Space[Any], a: Any, b: Any) -> str:
    (path,) = (path for path, value in space.knobs(a).items() if space.knobs(b)[path] != value)
    return path
