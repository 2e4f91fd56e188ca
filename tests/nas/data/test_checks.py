"""Each thing that can be wrong with a graph, by the message that a user sees."""

from __future__ import annotations

import pytest
import torch

from nas.data import load
from nas.searchspace.errors import BadInput

nan = float("nan")


def mask(*rows: int, nodes: int = 12) -> torch.Tensor:
    return torch.zeros(nodes, dtype=torch.bool).index_fill(0, torch.tensor(rows, dtype=torch.long), True)


def masks(train=(0, 1, 2), valid=(3, 4), test=(5, 6)) -> dict[str, torch.Tensor]:
    return {"train_mask": mask(*train), "val_mask": mask(*valid), "test_mask": mask(*test)}


def with_value(shape, place, value) -> torch.Tensor:
    out = torch.zeros(shape)
    out[place] = value
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge_index": torch.tensor([[0, 3], [1, 12]])}, r"out of bounds in 1 edges, first edge 1 \(3 -> 12\); nodes"),
        ({"edge_index": torch.tensor([[0, -1], [1, 2]])}, r"out of bounds in 1 edges, first edge 1 \(-1 -> 2\)"),
        ({"edge_index": torch.zeros(3, 2, dtype=torch.long)}, r"edge_index must have the shape \[2, edges\]"),
        ({"edge_index": torch.zeros(2, 3)}, "edge_index must hold integers; it is torch.float32"),
        ({"edge_index": None}, "has no edge_index; a graph without edges has torch.empty"),
        ({"edge_index": "0-1"}, "edge_index must be a tensor; got str"),
        ({"x": with_value((12, 3), (4, 1), nan)}, "x has 1 NaN or infinite values, first in row 4"),
        ({"x": with_value((12, 3), 5, float("inf"))}, "x has 3 NaN or infinite values, first in row 5"),
        ({"x": torch.zeros(11, 3), "num_nodes": 12}, r"x must have the shape \[12 nodes, features\]; it has \[11, 3\]"),
        ({"x": torch.zeros(12, 3, dtype=torch.complex64)}, "x must hold real numbers"),
        ({"y": torch.zeros(5, dtype=torch.long)}, "y has 5 rows; expected one row for each of its 12 nodes"),
        ({"y": torch.arange(12) - 2}, "2 labels are negative, first -2 at item 0"),
        ({"y": torch.arange(12) * 1000}, "labels out of range: label 11000 at item 11, of 12 items"),
        ({"y": torch.zeros(12, 2, 2)}, r"y must have the shape \[items\] or \[items, outputs\]"),
        ({"y": torch.zeros(12, dtype=torch.complex64)}, "y must hold real numbers"),
        ({"y": torch.full((12, 2), 3)}, "2 columns of integer labels must hold only 0 and 1"),
        ({"y": with_value(12, 0, float("inf"))}, "y has 1 infinite values"),
        ({"y": torch.zeros(12, dtype=torch.long)}, "the training set holds a single class, 0"),
        ({"y": torch.full((12,), nan)}, "no label of the training set is known"),
        (masks(valid=(2, 3)), "the train and valid sets overlap in 1 nodes, first 2"),
        (masks(test=(3, 4)), "the valid and test sets overlap in 2 nodes, first 3"),
        (masks(valid=()), "the valid set is empty"),
        (masks(train=(0, 2)), "the training set holds a single class, 0"),
        ({"train_mask": mask(0, 1), "val_mask": mask(2)}, "has masks but no test_mask"),
        (masks() | {"val_mask": mask(3, nodes=11)}, r"val_mask must have one entry for each of 12 nodes.*\[11\]"),
        (masks() | {"val_mask": torch.arange(12)}, "val_mask must be boolean, not node numbers"),
        (masks() | {"val_mask": mask(3)[:, None].expand(12, 2)}, "masks must have equally many columns"),
        ({"edge_attr": torch.zeros(5, 2)}, "edge_attr has 5 rows; there are 24 edges"),
        ({"edge_weight": torch.full((24,), nan)}, "edge_weight has 24 NaN or infinite values"),
    ],
)
def test_what_is_wrong_with_a_graph_is_said(ring, change, message):
    with pytest.raises(BadInput, match=message):
        load(ring(**change))


def test_negative_labels_outside_the_masks_are_unlabelled_nodes(ring):
    y = torch.arange(12) % 2
    y[11] = -1
    task = load(ring(y=y, **masks()))
    assert task.outputs == 2
    with pytest.raises(BadInput, match="1 labels are negative, first -1 at item 11"):
        load(ring(y=y))


def test_masks_of_zeros_and_ones_will_do(ring):
    task = load(ring(**{name: value.long() for name, value in masks().items()}))
    assert task.split == "given"
    assert [task.batches(s)[0].index.tolist() for s in ("train", "valid", "test")] == [[0, 1, 2], [3, 4], [5, 6]]


def test_wrong_graphs_of_a_list_are_named(ring):
    graphs = [ring(4, y=torch.tensor([i % 2])) for i in range(20)]

    def changed(**change):
        return [*graphs[:7], ring(4, **({"y": torch.tensor([1])} | change)), *graphs[8:]]

    for change, message in [
        ({"edge_index": torch.tensor([[0], [4]])}, "graph 7 of data: edge index out of bounds"),
        ({"x": torch.zeros(4, 9)}, "graph 7 of data has 9 features a node and graph 0 of data has 3"),
        ({"x": None}, "1 of 20 graphs have no x, first graph 7 of data"),
        ({"y": None}, "graph 7 of data has no y"),
        ({"y": torch.zeros(3, dtype=torch.long)}, "graph 0 of data: y has 1 rows; expected one row for each of its 4"),
        ({"y": torch.zeros(1, 2)}, "labels of different kinds"),
        ({"edge_attr": torch.zeros(8, 2)}, "1 of 20 graphs have edge_attr"),
    ]:
        with pytest.raises(BadInput, match=message):
            load(changed(**change))
    with pytest.raises(BadInput, match="graph 20 of data must be a torch_geometric Data; got str"):
        load([*graphs, "graph"])
    with pytest.raises(BadInput, match="list of graphs is empty"):
        load([])
    with pytest.raises(BadInput, match="the valid set is empty"):
        load(graphs[:1] + graphs[2:3] + graphs[1:2])
    with pytest.raises(BadInput, match="the train set is empty; give it graphs"):
        load([ring(), ring()])
