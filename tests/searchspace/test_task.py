"""The task: its description, its hash, and its tensors on a device."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import torch

from nas.searchspace import BadInput, Batch, Task
from tests.searchspace.declared import NODE


def three_splits() -> Task:
    x, edges = torch.ones(4, 5), torch.zeros(2, 3, dtype=torch.long)
    batches = [Batch(x, edges, torch.tensor([k]), index=torch.tensor([k])) for k in range(3)]
    return dataclasses.replace(NODE, train=(batches[0],), valid=(batches[1],), test=(batches[2],))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "edge"}, "a task's level must be one of node, graph, link; got 'edge'"),
        ({"target": "binary"}, "a task's target must be one of multiclass, multilabel, regression; got 'binary'"),
    ],
)
def test_bad_levels_and_targets(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        dataclasses.replace(NODE, **change)


def test_the_description_is_json_and_leaves_out_the_tensors() -> None:
    task = three_splits()
    described = json.loads(json.dumps(task.describe()))
    assert described["name"] == "small"
    assert not {"train", "valid", "test"} & described.keys()
    assert task == NODE
    assert hash(task) == hash(NODE)
    assert "tensor" not in repr(task)


def test_the_description_makes_the_task_again() -> None:
    task = dataclasses.replace(three_splits(), categories=((0, 2), ()), spread=(0.1, 1e-9), notes=("one",))
    found = Task.of(json.loads(json.dumps(task.describe())))
    assert found == task
    assert hash(found) == hash(task)
    assert found.train == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": 5.0}, "a task's features cannot be '5.0'"),
        ({"outputs": True}, "a task's outputs cannot be 'True'"),
        ({"metric": None}, "a task's metric cannot be 'None'"),
        ({"classes": "ab"}, "a task's classes cannot be 'ab'"),
        ({"test": []}, "a task is described by name, level, target"),
    ],
)
def test_what_describes_no_task(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Task.of({**NODE.describe(), **change})
    with pytest.raises(BadInput, match=r"the description of a task is not whole: .*'identity'"):
        Task.of({name: value for name, value in NODE.describe().items() if name != "identity"})
    with pytest.raises(BadInput, match="a task is described by name, level"):
        Task.of(["name"])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"level": "graph"},
        {"target": "multilabel"},
        {"features": 6},
        {"outputs": 4},
        {"metric": "f1"},
        {"split": "public"},
        {"identity": "other"},
        {"edge_features": 2},
        {"transforms": ("row-normalise",)},
    ],
)
def test_the_fingerprint_sees_every_change(change: dict[str, Any]) -> None:
    assert dataclasses.replace(NODE, **change).fingerprint() != NODE.fingerprint()
    assert dataclasses.replace(NODE).fingerprint() == NODE.fingerprint()


def test_the_fingerprint_ignores_notes_and_tensors() -> None:
    assert dataclasses.replace(three_splits(), notes=("repaired",)).fingerprint() == NODE.fingerprint()


def test_inputs_and_arguments() -> None:
    batch = three_splits().train[0]
    assert NODE.inputs == ("x", "edge_index")
    assert batch.arguments(NODE.inputs) == (batch.x, batch.edge_index)
    assert dataclasses.replace(NODE, level="graph").inputs == ("x", "edge_index", "batch")


def test_map_reaches_every_tensor_and_only_those() -> None:
    batch = three_splits().train[0]
    seen: list[torch.Tensor] = []
    mapped = batch.map(lambda tensor: seen.append(tensor) or tensor)
    assert {id(t) for t in seen} == {id(t) for t in (batch.x, batch.edge_index, batch.y, batch.index)}
    assert mapped.batch is None
    every = Batch(*(torch.full((1,), float(k)) for k in range(8)))
    doubled = every.map(lambda tensor: tensor * 2)
    assert [getattr(doubled, f.name).item() for f in dataclasses.fields(Batch)] == [2.0 * k for k in range(8)]


def test_a_shared_graph_is_moved_once() -> None:
    task = three_splits()
    moved = task.to("meta")
    shared = {id(moved.batches(s)[0].x) for s in ("train", "valid", "test")}
    assert len(shared) == 1
    assert moved.train[0].x.device.type == "meta"
    assert moved.train[0].index is not moved.valid[0].index
    assert task.train[0].x.device.type == "cpu"
    assert task.train[0].to("meta").y.device.type == "meta"
    same = task.to("cpu")
    assert same.test[0].x.data_ptr() == task.train[0].x.data_ptr()
