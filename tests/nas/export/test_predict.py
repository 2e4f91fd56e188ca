"""predict.py: reads graphs safely, treats them as training did, writes the table."""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch_geometric.data import Batch, Data

from nas.data.assemble import assemble
from nas.data.features import both_ways, normalised
from nas.export import predict as shipped
from nas.searchspace import Space, Task
from nas.searchspace.spaces.registry import find
from tests.nas.export.made import alone, exported, one, tiny
from tests.searchspace.declared import GRAPH, NODE

Export = tuple[Path, torch.nn.Module]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Export:
    to = tmp_path_factory.mktemp("predict") / "node"
    return to, exported(one("gcn"), Space(type(one("gcn"))), NODE, to).eval()


def loaded(folder: Path, name: str) -> ModuleType:
    """The folder's predict.py as a module."""
    spec = importlib.util.spec_from_file_location(name, folder / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder: Path, *arguments: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's predict.py as a command, in this process."""
    monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
    loaded(folder, "predict_of_test").main()


def a_graph() -> Data:
    x = torch.rand(6, 5, generator=torch.Generator().manual_seed(2))
    return Data(x=x, edge_index=torch.tensor([[0, 1, 2, 2], [1, 0, 3, 2]]))


def test_the_command_in_a_fresh_process(node: Export, tmp_path: Path) -> None:
    folder, model = node
    torch.save(a_graph(), tmp_path / "graph.pt")
    code = (
        "import runpy\nsys.argv = ['predict.py', sys.argv[2], '--out', sys.argv[3], *sys.argv[4:]]\n"
        f"runpy.run_path({str(folder / 'predict.py')!r}, run_name='__main__')\n"
    )
    done = alone(code, folder, tmp_path / "graph.pt", tmp_path / "out.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"6 predictions written to {tmp_path / 'out.csv'}\n"
    rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    assert rows[0] == ["node", "prediction", "probability_0", "probability_1", "probability_2"]
    with torch.no_grad():
        wanted = model(a_graph().x, a_graph().edge_index).softmax(dim=1)
    assert [int(row[0]) for row in rows[1:]] == list(range(6))
    assert [int(row[1]) for row in rows[1:]] == wanted.argmax(dim=1).tolist()
    got = torch.tensor([[float(v) for v in row[2:]] for row in rows[1:]])
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)


def test_a_dictionary_is_as_good_as_data(
    node: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = a_graph()
    torch.save(graph, tmp_path / "data.pt")
    torch.save({"x": graph.x, "edge_index": graph.edge_index.int()}, tmp_path / "dict.pt")
    run(node[0], tmp_path / "data.pt", monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    run(node[0], tmp_path / "dict.pt", monkeypatch=monkeypatch)
    assert capsys.readouterr().out == printed
    assert len(list(csv.reader(io.StringIO(printed)))) == 7


def test_several_graphs(tmp_path: Path) -> None:
    space = find("design").for_task(GRAPH)
    model = exported(next(iter(space.enumerate())), space, GRAPH, tmp_path / "out").eval()
    predict = loaded(tmp_path / "out", "predict_graphs")
    graphs = [a_graph(), Data(x=a_graph().x[:3] + 1, edge_index=torch.tensor([[0, 1], [1, 2]]))]
    both = Batch.from_data_list(graphs)
    torch.save(graphs, tmp_path / "list.pt")
    torch.save({"x": both.x, "edge_index": both.edge_index, "batch": both.batch}, tmp_path / "dict.pt")
    task = {**GRAPH.describe(), "inputs": GRAPH.inputs}
    with torch.no_grad():
        wanted = model(both.x, both.edge_index, both.batch)
        for file in ("list.pt", "dict.pt"):
            got = model(*predict.prepare(predict.read_graph(tmp_path / file), task))
            torch.testing.assert_close(got, wanted)
        single = predict.load_model()(*predict.prepare(graphs[0], task))
    torch.testing.assert_close(single, wanted[:1])


@pytest.mark.parametrize(
    ("target", "columns"),
    [("multilabel", ["probability_0", "probability_1"]), ("regression", ["value_0", "value_1"])],
)
def test_columns_of_other_targets(target: str, columns: list[str]) -> None:
    scores = torch.tensor([[0.0, 2.0]])
    heading, rows = shipped.table(scores, {"target": target, "outputs": 2})
    assert heading == columns
    expected = scores.sigmoid() if target == "multilabel" else scores
    assert rows == expected.tolist()


def test_two_exports_in_one_process(node: Export, tmp_path: Path) -> None:
    other = exported(one("sage"), Space(type(one("sage"))), NODE, tmp_path / "other").eval()
    predict = loaded(node[0], "predict_first")
    first, second = predict.load_model(), predict.load_model(tmp_path / "other")
    again = loaded(tmp_path / "other", "predict_second").load_model()
    given = (a_graph().x, a_graph().edge_index)
    torch.testing.assert_close(first(*given), node[1](*given), rtol=0, atol=1e-6)
    torch.testing.assert_close(second(*given), other(*given), rtol=0, atol=1e-6)
    torch.testing.assert_close(again(*given), other(*given), rtol=0, atol=1e-6)
    assert str(tmp_path / "other") not in sys.path


# what is refused


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Data(x=torch.ones(3, 4), edge_index=torch.zeros(2, 0, dtype=torch.long)),
         "the network takes 5 features per node; the graph has x of shape [3, 4]"),
        ({"edge_index": torch.tensor([[0], [1]])}, "the network takes 5 features per node; the graph has no x"),
        ({"x": torch.ones(3, 5)}, "the graph has no edge_index"),
        ({"x": torch.ones(5), "edge_index": torch.tensor([[0], [1]])},
         "the network takes 5 features per node; the graph has x of shape [5]"),
    ],
)  # fmt: skip
def test_a_graph_that_does_not_fit(
    graph: Any, message: str, node: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(graph, tmp_path / "graph.pt")
    with pytest.raises(SystemExit) as raised:
        run(node[0], tmp_path / "graph.pt", "--out", tmp_path / "out.csv", monkeypatch=monkeypatch)
    assert raised.value.code == message
    assert not (tmp_path / "out.csv").exists()


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["torch", "pickle"])
def test_a_hostile_pickle(kind: str, node: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, stolen = tmp_path / "graph.pt", tmp_path / "stolen"
    if kind == "torch":
        torch.save(Hostile(stolen), file)
    else:
        file.write_bytes(pickle.dumps(Hostile(stolen)))
    with pytest.raises(SystemExit) as raised:
        run(node[0], file, monkeypatch=monkeypatch)
    assert str(raised.value.code).startswith(f"{file} holds something else than tensors and could run code")
    assert not stolen.exists()


def test_no_file_and_no_graph(node: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as raised:
        run(node[0], tmp_path / "none.pt", monkeypatch=monkeypatch)
    assert raised.value.code == f"{tmp_path / 'none.pt'} cannot be read: No such file or directory"
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(SystemExit) as raised:
        run(node[0], tmp_path / "list.pt", monkeypatch=monkeypatch)
    assert (
        raised.value.code
        == f"{tmp_path / 'list.pt'} holds a list; save a torch_geometric Data, a list of them, or a dictionary"
    )


# the same features as in training


def prepared(task: Task, graph: Any) -> tuple[torch.Tensor, ...]:
    return shipped.prepare(graph, {**task.describe(), "inputs": task.inputs})


def test_transforms_reproduce_the_training_graph() -> None:
    raw = tiny()
    notes: list[str] = []
    task = assemble(
        [both_ways(normalised(raw), notes)], name="t", transforms=("row-normalise", "undirected"), split="random:1,1"
    )
    x, edge_index = prepared(task, raw)
    assert torch.equal(x, task.train[0].x)
    assert torch.equal(edge_index, task.train[0].edge_index)
    assert not torch.equal(x, raw.x)
    assert edge_index.size(1) == 2 * raw.num_edges
    as_dict = prepared(task, {"x": raw.x, "edge_index": raw.edge_index})
    assert all(map(torch.equal, as_dict, (x, edge_index)))


@pytest.mark.parametrize("undirected", [False, True])
def test_one_hot_degrees_are_those_of_training(undirected: bool) -> None:
    """Of the edges after they were made to go both ways; nodes without edges at the end are counted."""
    raw = tiny(x=None, num_nodes=9, y=torch.arange(9) % 2)
    graph = both_ways(raw, []) if undirected else raw
    task = assemble([graph], name="t", transforms=("undirected",) if undirected else (), split="random:1,1")
    assert "one-hot degree" in task.transforms
    for given in (raw, {"edge_index": raw.edge_index, "num_nodes": 9}):
        x, edge_index = prepared(task, given)
        assert torch.equal(x, task.train[0].x)
        assert torch.equal(edge_index, task.train[0].edge_index)


def test_degrees_beyond_those_of_training_share_the_last_column() -> None:
    task = assemble([tiny(x=None)], name="t", split="random:1,1")
    star = torch.stack([torch.arange(1, 9), torch.zeros(8, dtype=torch.long)])
    x, _ = prepared(task, {"edge_index": star})
    assert x.shape == (9, task.features)
    assert x[0].argmax() == task.features - 1


@pytest.mark.skipif(not Path(os.environ.get("NAS_DATA", "/nowhere")).is_dir(), reason="needs NAS_DATA")
def test_predictions_on_raw_cora_are_those_of_the_search(tmp_path: Path) -> None:
    from nas.data import load
    from nas.data.catalogue import find as entry
    from nas.data.sources import read

    task = load("cora")
    model = exported(one("gcn"), Space(type(one("gcn"))), task, tmp_path / "out").eval()
    (raw,) = read(entry("cora"), None)
    predict = loaded(tmp_path / "out", "predict_cora")
    with torch.no_grad():
        got = predict.load_model()(*prepared(task, raw))
        wanted = model(task.train[0].x, task.train[0].edge_index)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)


# the weights


def test_safetensors_read_without_the_package(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    kinds = [getattr(torch, str(dtype).removeprefix("torch.")) for dtype in shipped.DTYPES.values()]
    tensors = {
        f"{dtype}.{shape}": (torch.rand(shape, generator=generator) * 100).to(dtype)
        for dtype in kinds
        for shape in [(), (3,), (2, 3), (0,), (4, 0)]
    }
    save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt"})
    got, wanted = shipped.read_safetensors(tmp_path / "a.safetensors"), load_file(tmp_path / "a.safetensors")
    assert got.keys() == wanted.keys()
    for name in wanted:
        assert got[name].dtype == wanted[name].dtype
        assert got[name].shape == wanted[name].shape
        assert torch.equal(got[name], wanted[name])


def test_help_says_what_to_give(node: Export) -> None:
    done = subprocess.run(
        [sys.executable, str(node[0] / "predict.py"), "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "python predict.py graph.pt [--out predictions.csv]" in done.stdout


# edges that carry something, and links


def carrying(**more: Any) -> dict[str, Any]:
    """The description of a network that takes everything, by hand."""
    task = {"features": 5, "edge_features": 2, "transforms": (), "categories": (), "edge_categories": ()}
    return {**task, "inputs": ["x", "edge_index", "edge_weight", "edge_attr", "edge_label_index"], **more}


def a_carrying_graph() -> Data:
    graph = a_graph()
    generator = torch.Generator().manual_seed(3)
    graph.edge_weight, graph.edge_attr = torch.rand(4, generator=generator), torch.rand(4, 2, generator=generator)
    graph.edge_label_index = torch.tensor([[0, 5], [1, 0]])
    return graph


def test_what_edges_carry_goes_with_them() -> None:
    """Loops are left out where links are predicted; what was made to go both ways carries the same both ways."""
    graph = a_carrying_graph()
    x, edges, weight, attr, pairs = shipped.prepare(graph, carrying())
    keep = graph.edge_index[0] != graph.edge_index[1]
    assert torch.equal(x, graph.x)
    assert torch.equal(edges, graph.edge_index[:, keep])
    assert torch.equal(weight, graph.edge_weight[keep])
    assert torch.equal(attr, graph.edge_attr[keep])
    assert torch.equal(pairs, graph.edge_label_index)
    _, edges, weight, attr, _ = shipped.prepare(graph, carrying(transforms=("undirected",)))
    there = {(int(u), int(v)): (float(w), a.tolist()) for (u, v), w, a in zip(edges.t(), weight, attr, strict=True)}
    assert there.keys() == {(0, 1), (1, 0), (2, 3), (3, 2)}
    assert all(there[u, v] == there[v, u] for u, v in there)
    assert there[2, 3] == (pytest.approx(float(graph.edge_weight[2])), pytest.approx(graph.edge_attr[2].tolist()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge_attr": None}, "the network takes edge_attr for each of the 4 edges; the graph has none"),
        (
            {"edge_attr": torch.rand(3, 2)},
            "takes edge_attr for each of the 4 edges; the graph has some of shape [3, 2]",
        ),
        ({"edge_attr": torch.rand(4, 3)}, "the network takes 2 features per edge; the graph has some of shape [4, 3]"),
        ({"edge_weight": None}, "the network takes edge_weight for each of the 4 edges; the graph has none"),
        ({"edge_label_index": None}, "links are predicted: give the pairs of nodes as edge_label_index, or by --pairs"),
        *(
            ({"edge_label_index": wrong}, "the pairs to score have the shape [2, links] and name nodes 0 to 5")
            for wrong in (
                torch.tensor([[0], [6]]),
                torch.tensor([[-1], [2]]),
                torch.zeros(3, 2).long(),
                torch.arange(4),
            )
        ),
        ({"x": torch.rand(6, 4)}, "the network takes 5 features per node; the graph has x of shape [6, 4]"),
        ({"x": None}, "the network takes 5 features per node; the graph has no x"),
        ({"edge_index": None}, "the graph has no edge_index"),
    ],
)
def test_what_a_graph_lacks_is_said(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SystemExit) as raised:
        shipped.prepare({**a_carrying_graph().to_dict(), **change}, carrying())
    assert message in str(raised.value.code)


def test_no_pairs_are_none() -> None:
    *_, pairs = shipped.prepare(a_carrying_graph(), carrying(), torch.zeros(2, 0, dtype=torch.long))
    assert pairs.shape == (2, 0)


def test_the_first_columns_say_which_item_it_is() -> None:
    task = {"target": "multilabel", "outputs": 1, "level": "link", "inputs": ["x", "edge_label_index"]}
    arguments, scores = (torch.rand(3, 2), torch.tensor([[0, 2], [1, 0]])), torch.tensor([[0.0], [100.0]])
    heading = ["source", "target", "probability"]
    assert shipped.lines(scores, task, arguments) == [heading, [0, 1, "0.5"], [2, 0, "1"]]
    assert shipped.lines(scores, task, arguments, ["a", "b", "c"])[1:] == [["a", "b", "0.5"], ["c", "a", "1"]]
    task = {"target": "regression", "outputs": 1, "level": "graph", "inputs": ["x"], "classes": ("logP",)}
    assert shipped.lines(scores, task, arguments) == [["graph", "value_logP"], [0, "0"], [1, "100"]]
    assert shipped.lines(scores, {**task, "classes": ()}, arguments, ["g", "h"])[:2] == [["graph", "value"], ["g", "0"]]


def test_graphs_that_do_not_fit_each_other(tmp_path: Path) -> None:
    half = Data(edge_index=torch.zeros(2, 1, dtype=torch.long))
    object.__setattr__(half, "_store", type(half._store)())  # found by fuzzing: no number of nodes
    half._store.update({"keep_index": torch.zeros(1)})
    torch.save([tiny(), half], tmp_path / "g.pt")
    with pytest.raises(SystemExit, match=r"the graphs of .*g\.pt do not fit each other"):
        shipped.read_graph(tmp_path / "g.pt")


@pytest.mark.parametrize(
    ("name", "held", "message"),
    [
        ("weights.safetensors", b"", "is damaged .error: unpack requires"),
        ("weights.safetensors", b"\x05\0\0\0\0\0\0\0[1,2]", "is damaged .AttributeError"),
        ("weights.safetensors", b"\x02\0\0\0\0\0\0\0{}", "are not those of its model.py"),
        ("weights.safetensors", None, "cannot be read: No such file"),
        ("architecture.json", b"{", "is damaged: it describes no task"),
        ("architecture.json", b"[" * 100_000, "is damaged: it describes no task"),
        ("architecture.json", b'{"task": {"level": "node"}}', "is damaged: it describes no task"),
        ("architecture.json", None, "cannot be read: No such file"),
    ],
)
def test_a_damaged_export_says_so(name: str, held: bytes | None, message: str, node: Export, tmp_path: Path) -> None:
    shutil.copytree(node[0], tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    if held is not None:
        (tmp_path / "out" / name).write_bytes(held)
    reader: Any = shipped.load_model if name.startswith("weights") else shipped.read_task
    with pytest.raises(SystemExit, match=message):
        reader(tmp_path / "out")
