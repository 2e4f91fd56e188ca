from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures
from torch_geometric.utils import is_undirected

from nas.data import load
from nas.data.features import DEGREE_CAP, both_ways, normalised
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS

nan = float("nan")


def items(task) -> list[int]:
    return [sum(len(batch.y) for batch in task.batches(split)) for split in SPLITS]


def test_the_catalogue_is_listed_without_torch():
    code = "import sys, nas.data; assert nas.data.CATALOGUE; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_digits_is_fifty_hundred_rest_and_two_ways():
    task = load("Digits")
    batch = task.train[0]
    assert (task.name, task.level, task.target, task.metric) == ("digits", "node", "multiclass", "accuracy")
    assert (task.features, task.outputs, items(task)) == (64, 10, [50, 100, 1647])
    assert batch.y.bincount().tolist() == [5] * 10
    assert task.valid[0].x is batch.x
    assert task.test[0].edge_index is batch.edge_index
    assert float(batch.x.min()) == 0
    assert float(batch.x.max()) == 1
    assert is_undirected(batch.edge_index)
    assert int(batch.edge_index[0].bincount(minlength=1797).min()) >= 10


def test_digits_links_are_as_near_as_those_of_scikit_learn():
    from sklearn.neighbors import kneighbors_graph

    batch = load("digits").train[0]
    linked = torch.zeros(1797, 1797, dtype=torch.bool)
    linked[batch.edge_index[0], batch.edge_index[1]] = True
    pixels = (batch.x * 16).double()
    distance = torch.cdist(pixels, pixels)
    tenth = torch.from_numpy(kneighbors_graph(pixels.numpy(), 10, mode="distance").max(1).toarray()[:, 0])
    nearer = (distance < tenth[:, None] - 1e-6).fill_diagonal_(False)
    assert bool((linked | ~nearer).all())
    allowed = distance <= tenth[:, None] + 1e-6
    assert not bool((linked & ~(allowed | allowed.T)).any())


@pytest.mark.parametrize("word", ["random", "fold:2", "random:2,2"])
def test_equal_calls_give_equal_tasks_and_another_seed_another_identity(ring, word):
    a, b, c = (load(ring(30, 3), split=word, seed=seed) for seed in (0, 0, 1))
    assert a == b
    assert a.fingerprint() == b.fingerprint()
    assert a.identity != c.identity


def test_identity_hears_every_tensor(ring):
    base = {"edge_weight": torch.ones(24), "edge_attr": torch.ones(24, 2)}
    plain = load(ring(**base)).identity
    data = ring(**base)
    for name in ("x", "edge_weight", "edge_attr"):
        changed = data.clone()
        changed[name] = changed[name].clone()
        changed[name][0] += 1
        assert load(changed).identity != plain, name
    changed = data.clone()
    changed.edge_index = data.edge_index.flip(1)
    assert load(changed).identity != plain
    changed = data.clone()
    changed.y = 1 - data.y
    assert load(changed).identity != plain


def test_targets_follow_the_labels(ring):
    real = torch.linspace(0, 3, 12)
    some = (torch.arange(24) % 2).float().view(12, 2)
    some[3, 1] = nan
    for y, target, outputs, metric in [
        (torch.arange(12) % 3, "multiclass", 3, "accuracy"),
        ((torch.arange(12) % 3)[:, None].int(), "multiclass", 3, "accuracy"),
        (real, "regression", 1, "rmse"),
        (torch.stack([real, real.masked_fill(real > 2, nan)], 1), "regression", 2, "rmse"),
        (some, "multilabel", 2, "roc-auc"),
        (some[:, :1], "multilabel", 1, "roc-auc"),
        (some.nan_to_num().long(), "multilabel", 2, "roc-auc"),
        (some.nan_to_num().bool(), "multilabel", 2, "roc-auc"),
    ]:
        node = load(ring(y=y))
        graph = load([ring(3, y=row) for row in y.repeat(2, *[1] * (y.dim() - 1)).split(1)])
        for task, level in ((node, "node"), (graph, "graph")):
            assert (task.level, task.target, task.outputs, task.metric) == (level, target, outputs, metric)
            batch = task.train[0]
            assert batch.y.dtype == (torch.int64 if target == "multiclass" else torch.float32)
            assert batch.y.dim() == (1 if target == "multiclass" else 2)
        assert node.train[0].index is not None
        assert node.train[0].batch is None
        assert graph.train[0].index is None
        assert graph.train[0].batch is not None
    assert any("yes/no questions" in note for note in load(ring(y=some)).notes)


def test_scored_labels_are_those_of_the_index(ring):
    task = load(ring(20, 4), split="fold:1")
    for split in SPLITS:
        batch = task.batches(split)[0]
        assert batch.y.tolist() == (batch.index % 4).tolist()


def test_graph_level_splits_hold_whole_graphs(ring):
    graphs = [ring(3 + i % 4, x=torch.full((3 + i % 4, 1), float(i)), y=i % 2) for i in range(40)]
    task = load(graphs)
    assert (task.split, items(task)) == ("random", [32, 4, 4])
    seen = []
    for split in SPLITS:
        (batch,) = task.batches(split)
        for row, y in enumerate(batch.y.tolist()):
            numbers = batch.x[batch.batch == row].flatten()
            number = int(numbers[0])
            assert y == number % 2
            assert numbers.tolist() == [number] * (3 + number % 4)
            seen.append(number)
    assert sorted(seen) == list(range(40))


def test_graphs_given_for_each_split(ring):
    nodes = {"train": [ring(), ring(9)], "valid": [ring(5)], "test": [ring(6)]}
    task = load(nodes)
    assert (task.level, task.split, len(task.train), items(task)) == ("node", "given", 2, [21, 5, 6])
    assert task.train[1].index is None
    assert task.train[1].batch is None
    graphs = {split: [ring(4, y=torch.tensor([i % 2])) for i in range(3)] for split in SPLITS}
    task = load(graphs)
    assert (task.level, len(task.train), items(task)) == ("graph", 1, [3, 3, 3])
    with pytest.raises(BadInput, match=r"keys train, valid, test.*got train \(1 graphs\), val \(1 graphs\)"):
        load({"train": [ring()], "val": [ring()]})
    with pytest.raises(BadInput, match="split must be 'given' or left out; got 'random'"):
        load(nodes, split="random")
    with pytest.raises(BadInput, match="train graph 1: edge index out of bounds"):
        load(nodes | {"train": [ring(), ring(edge_index=torch.tensor([[99], [0]]))]})
    with pytest.raises(BadInput, match="2 labels are negative"):
        load(nodes | {"test": [ring(4, y=torch.tensor([-1, 0, -1, 0]))]})


def test_repairs_are_noted(ring):
    def notes(**change):
        return " ".join(load(ring(**change)).notes)

    assert notes() == ""
    assert "no edges" in notes(edge_index=torch.empty(2, 0, dtype=torch.long))
    assert "from int64 to float32" in notes(x=torch.ones(12, 2, dtype=torch.long))
    assert "edges go one way" in notes(edge_index=torch.tensor([[0], [1]]))
    assert "class 2 has 1 of 12 items" in notes(y=torch.tensor([0, 1] * 5 + [0, 2]))
    assert load(ring(edge_attr=torch.ones(24, 4))).edge_features == 4
    assert load(ring(edge_weight=torch.ones(24))).inputs == ("x", "edge_index", "edge_weight")
    assert load(ring(x=torch.ones(12))).features == 1
    assert torch.equal(load(ring(x=torch.eye(12).to_sparse())).train[0].x, torch.eye(12))


def test_missing_features_become_degrees(ring):
    task = load(ring(x=None))
    assert task.features == 3
    assert task.transforms == ("one-hot degree",)
    assert "no node features" in task.notes[0]
    assert torch.equal(task.train[0].x, torch.tensor([0.0, 0, 1]).expand(12, 3))
    hub = torch.stack([torch.arange(1, 101), torch.zeros(100, dtype=torch.long)])
    star = Data(edge_index=torch.cat([hub, hub.flip(0)], 1), y=torch.arange(101) % 2)
    task = load(star)
    assert task.features == DEGREE_CAP + 1
    assert "degrees from 64 to 100 share one" in task.notes[0]
    assert int(task.train[0].x[0].argmax()) == DEGREE_CAP
    graphs = [ring(n, x=None, num_nodes=n, y=torch.tensor([n % 2])) for n in range(3, 23)]
    assert load(graphs).features == 3


def test_row_normalisation_is_that_of_pyg_on_bags_of_words():
    data = Data(x=torch.tensor([[1.0, 1, 0], [0, 0, 0], [1, 1, 1]]))
    assert torch.equal(normalised(data).x, NormalizeFeatures()(data.clone()).x)
    assert data.x.max() == 1


def test_both_ways_counts_what_it_added():
    notes: list[str] = []
    data = Data(x=torch.ones(3, 1), edge_index=torch.tensor([[0, 1], [1, 2]]))
    assert both_ways(data, notes).num_edges == 4
    assert data.num_edges == 2
    assert "2 became 4" in notes[0]
    assert both_ways(both_ways(data, []), notes).num_edges == 4
    assert len(notes) == 1


def test_a_data_set_object_is_a_list_or_one_graph(ring):
    from torch_geometric.datasets import FakeDataset

    torch.manual_seed(0)
    graphs = FakeDataset(num_graphs=30, avg_num_nodes=6, num_classes=2, task="graph")
    task = load(graphs)
    assert (task.name, task.level, sum(items(task))) == ("FakeDataset", "graph", 30)
    nodes = FakeDataset(num_graphs=1, avg_num_nodes=60, num_classes=2, task="node")
    assert load(nodes).level == "node"


def test_given_columns_are_folds(ring):
    def columns(*rows):
        return torch.stack([torch.arange(12) % 6 == row for row in rows], 1)

    data = ring(12, 3, train_mask=columns(0, 1) | columns(1, 2), val_mask=columns(3, 4), test_mask=columns(5, 5))
    assert load(data).split == "fold:0"
    assert load(data, split="fold:1").valid[0].index.tolist() == [4, 10]
    assert load(data, split="given").valid[0].index.tolist() == [3, 9]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"data": "core"}, "unknown data set 'core'; did you mean 'cora'"),
        ({"data": 3}, "data must be the name of a data set, .*; got int"),
        ({"data": "digits", "split": "public"}, "digits has no public split; its default is random:5,10"),
        ({"data": "digits", "split": "given"}, "digits has no given split"),
        ({"data": "digits", "split": "fold:10"}, "fold:10 is out of range"),
        ({"data": "digits", "split": "ramdom"}, "unknown split 'ramdom'; did you mean 'random'"),
        ({"data": "digits", "split": "random:200,30"}, "needs more than 230 items of each class"),
        ({"data": "digits", "metric": "acuracy"}, "unknown metric 'acuracy'; did you mean 'accuracy'"),
        ({"data": "digits", "metric": "rmse"}, "metric 'rmse' does not fit a multiclass target; use one of: accuracy"),
    ],
)
def test_a_call_that_cannot_be_answered_says_what_can(call, message):
    with pytest.raises(BadInput, match=message):
        load(call.pop("data"), **call)


def test_own_data_have_no_public_split(ring):
    with pytest.raises(BadInput, match="only cora, citeseer and pubmed have a public split"):
        load(ring(), split="public")
    with pytest.raises(BadInput, match="data has no given split"):
        load([ring(3, y=i % 2) for i in range(20)], split="given")
