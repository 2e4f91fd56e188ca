"""Folders of CSV files: what they mean, and each mistake by the message that a user sees."""

from __future__ import annotations

import pytest
import torch

from nas.data import load
from nas.data.graphs import graphs_of, ids_of
from nas.data.readers import read
from nas.searchspace.errors import BadInput
from tests.nas.data.readers.written import EDGES, NODES, folder


def one(path, **files):
    found = read(folder(path, **files))
    assert len(found.graphs) == 1
    return found.graphs[0], found.notes


def test_ids_are_names_and_edges_that_are_listed_once_go_both_ways(tmp_path):
    graph, notes = one(tmp_path / "my graph")
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 2, 0, 1]]
    assert graph.x.tolist() == [[1], [2], [3]]
    assert graph.y.tolist() == [0, 1, 0]
    assert graph.class_names == ["x", "y"]
    assert read(tmp_path / "my graph").name == "my-graph"
    assert notes == (
        "each edge is listed once and was made to go both ways: 2 became 4 (a column 'directed' with true keeps "
        "directions)",
    )


def test_edges_in_both_directions_stay_as_they_are(tmp_path):
    graph, notes = one(tmp_path, edges="source,target\na,b\nb,a\nc,c\n")
    assert graph.edge_index.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert not any("both ways" in note for note in notes)


def test_some_reverses_are_listed_and_the_others_are_added(tmp_path):
    graph, notes = one(tmp_path, edges="source,target,weight,size\na,b,0.5,1\nb,a,0.25,2\nb,c,4,3\n")
    assert graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.edge_weight.tolist() == [0.5, 0.25, 4, 4]
    assert graph.edge_attr.tolist() == [[1], [2], [3], [3]]
    assert any("1 of 3 edges between two nodes were listed in one direction only" in note for note in notes)


def test_directed_edges_keep_their_direction(tmp_path):
    graph, notes = one(tmp_path, edges="source,target,directed\na,b,true\nb,c,false\n")
    assert graph.edge_index.tolist() == [[0, 1, 2], [1, 2, 1]]
    assert any("1 go one way, as the file says" in note for note in notes)
    graph, notes = one(tmp_path, edges="source,target,directed\na,b,true\nb,c,1\n")
    assert graph.edge_index.tolist() == [[0, 1], [1, 2]]
    assert "2 of 2 edges go one way, as the file says" in notes


def test_columns_become_features(tmp_path):
    nodes = "id,n,t,yes,colour,name\n" + "".join(
        f"{i},{i / 2},{i % 2 == 0},{'Yes' if i % 3 else 'no'},{['red', '', 'blue'][i % 3]},person {i}\n"
        for i in range(30)
    )
    graph, notes = one(tmp_path, nodes=nodes, edges="source,target\n0,1\n")
    assert graph.x.shape == (30, 5)
    assert graph.x[1].tolist() == [0.5, 0, 1, 0, 0]
    assert graph.x[2].tolist() == [1, 1, 1, 1, 0]
    assert graph.x[3].tolist() == [1.5, 0, 0, 0, 1]
    assert graph.y is None
    assert (
        "column 'colour' holds 2 categories, one-hot in the order blue, red; it is empty in 10 rows, which have none"
        in (notes[0])
    )
    assert notes[1] == "column 'name' was left out: 30 texts in 30 rows are no categories"


def test_a_folder_without_features_or_labels_is_a_graph(tmp_path):
    graph, _ = one(tmp_path, nodes="id\n1\n2\n3\n", edges="source,target\n1,3\n")
    assert (graph.num_nodes, graph.x, graph.y) == (3, None, None)


@pytest.mark.parametrize(
    ("labels", "y", "names"),
    [
        (["b", "a", "", "b"], [1, 0, -1, 1], ["a", "b"]),
        (["0", "1", "2", "1"], [0, 1, 2, 1], None),
        (["3", "10", "3", ""], [0, 1, 0, -1], ["3", "10"]),
        (["0", "1", "-1", "1"], [0, 1, -1, 1], None),
        (["-1", "1", "1", "-1"], [0, 1, 1, 0], ["-1", "1"]),
        (["true", "false", "true", "true"], [1, 0, 1, 1], ["false", "true"]),
        (["0.5", "1", "", "2e3"], [0.5, 1, None, 2000], None),
    ],
)
def test_a_label_is_a_class_or_a_number(tmp_path, labels, y, names):
    nodes = "id,label\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels))
    graph, _ = one(tmp_path, nodes=nodes, edges="source,target\n0,1\n")
    assert [None if v != v else v for v in graph.y.tolist()] == y
    assert graph.get("class_names") == names


def test_questions_have_a_column_each(tmp_path):
    nodes = "id,label:toxic,label:active\n0,1,\n1,0,true\n2,,false\n"
    graph, _ = one(tmp_path, nodes=nodes, edges="source,target\n0,1\n")
    assert torch.equal(graph.y.nan_to_num(9), torch.tensor([[1, 9], [0, 1], [9, 0.0]]))
    assert graph.class_names == ["toxic", "active"]


def test_nodes_without_a_label_are_in_no_split(tmp_path):
    nodes = "id,f,label\n" + "".join(f"{i},{i % 3},{['a', 'b', ''][i % 3]}\n" for i in range(30))
    task = load(folder(tmp_path, nodes=nodes, edges="source,target\n0,1\n"))
    assert [len(task.batches(split)[0].y) for split in ("train", "valid", "test")] == [12, 4, 4]
    assert not any((task.batches(split)[0].index % 3 == 2).any() for split in ("train", "valid", "test"))
    assert task.classes == ("a", "b")
    assert "10 of 30 nodes have no label and are in no split" in task.notes


def test_a_split_is_given_by_a_column(tmp_path):
    nodes = "id,f,label,Split\n" + "".join(
        f"{i},{i},{'ab'[i // 5 % 2]},{['train', 'Val', 'test', '', 'training'][i % 5]}\n" for i in range(20)
    )
    task = load(folder(tmp_path, nodes=nodes, edges="source,target\n0,1\n"))
    assert task.split == "given"
    assert task.train[0].index.tolist() == [0, 4, 5, 9, 10, 14, 15, 19]
    assert task.valid[0].index.tolist() == [1, 6, 11, 16]


MANY = {
    "nodes": "id,graph,f\n" + "".join(f"{j},g{i},{i + j}\n" for j in range(2) for i in range(8)),
    "edges": "graph,source,target\n" + "".join(f"g{i},0,1\n" for i in range(8)),
    "graphs": "id,label,split\n"
    + "".join(f"g{7 - i},{'ab'[i % 2]},{['train', 'valid', 'test'][i // 2 % 3]}\n" for i in range(8)),
}  # fmt: skip


def test_many_graphs_come_in_the_order_of_their_file_with_ids_of_their_own(tmp_path):
    found = read(folder(tmp_path, **MANY))
    assert {split: len(graphs) for split, graphs in found.graphs.items()} == {"train": 4, "valid": 2, "test": 2}
    first = found.graphs["train"][0]  # g7
    assert first.x.tolist() == [[7], [8]]
    assert first.edge_index.tolist() == [[0, 1], [1, 0]]
    assert first.y.tolist() == [0]
    assert found.class_names == ("a", "b")
    task = load(tmp_path)
    assert (task.level, task.outputs, task.classes, task.split) == ("graph", 2, ("a", "b"), "given")


def test_nodes_of_many_graphs_are_called_by_their_ids_with_their_graph_where_ids_repeat(tmp_path):
    """In the order of the graphs, whatever that of the rows."""
    found = ids_of(graphs_of(str(folder(tmp_path / "alike", **MANY))), "node")
    assert found is not None
    assert found[:4] == ["g7/0", "g7/1", "g6/0", "g6/1"]
    nodes = "id,graph,f\n" + "".join(f"n{i}{j},g{i},{j}\n" for j in range(2) for i in range(3))
    other = folder(tmp_path / "apart", nodes=nodes, edges="source,target\nn00,n01\n")
    assert ids_of(graphs_of(str(other)), "node") == ["n00", "n01", "n10", "n11", "n20", "n21"]


def test_graphs_without_a_label_are_left_out(tmp_path):
    graphs = "id,label\n" + "".join(f"g{i},{['', '1.5', '2.5'][i % 3]}\n" for i in range(8))
    found = read(folder(tmp_path, **{**MANY, "graphs": graphs}))
    assert len(found.graphs) == 5
    assert "3 of 8 graphs have no label and were left out" in found.notes


def test_labels_of_nodes_in_many_graphs_with_a_split_each(tmp_path):
    nodes = "id,graph,f,label,split\n" + "".join(
        f"{i}.{j},g{i},{j},{'ab'[j]},{['train', 'valid', 'test'][i % 3]}\n" for j in range(2) for i in range(6)
    )
    task = load(folder(tmp_path, nodes=nodes, edges="source,target\n0.0,0.1\n"))
    assert (task.level, len(task.train), len(task.test)) == ("node", 2, 2)
    assert task.train[0].y.tolist() == [0, 1]


@pytest.mark.parametrize("encode", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t + "\n \n"])
def test_marks_line_ends_and_empty_lines_do_no_harm(tmp_path, encode):
    plain, _ = one(tmp_path / "a")
    other, _ = one(tmp_path / "b", nodes=encode(NODES), edges=encode(EDGES))
    assert plain.to_dict().keys() == other.to_dict().keys()
    for key in ("x", "y", "edge_index"):
        assert torch.equal(plain[key], other[key])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"nodes": "id;f;label\na;1;x\n"}, r"nodes.csv is separated by semicolons; separate the values by commas"),
        ({"nodes": "id\tf\na\t1\n"}, r"nodes.csv is separated by tabs"),
        ({"nodes": ""}, "nodes.csv is empty"),
        ({"nodes": " \n\n"}, "nodes.csv is empty; its first line names the columns"),
        ({"nodes": "1,2,3\n4,5,6\n"}, r"nodes.csv has no column 'id'; it has '1', '2', '3': name one of them 'id'"),
        ({"nodes": "node_id,f\na,1\n"}, "nodes.csv has no column 'id'; .* rename 'node_id' to 'id'"),
        ({"nodes": ",id,f\n0,a,1\n"}, r"nodes.csv: column 1 has no name; .*index=False"),
        ({"nodes": "id,f,f\na,1,2\n"}, "nodes.csv has two columns 'f'; rename or remove one"),
        ({"nodes": "id,f,ID\na,1,2\n"}, "nodes.csv has two columns 'id'"),
        ({"nodes": "id,f\na,1\na,2\n"}, "nodes.csv, line 3: the id 'a' was there before, .*nodes.csv, line 2"),
        ({"nodes": "id,f\na,1\n,2\n"}, "nodes.csv, line 3: column 'id' is empty"),
        ({"nodes": "id,f\na,1\nb\n"}, "nodes.csv, line 3: it has 1 values and there are 2 columns"),
        ({"nodes": "id,f\na,1\nb,2,3\n"}, "nodes.csv, line 3: it has 3 values and there are 2 columns"),
        ({"nodes": 'id,f\na,1\nb,"2\n'}, "nodes.csv, line 3: unexpected end of data; close every quote"),
        ({"nodes": "id,f\na,1\nb,2\nc,many\n"}, "nodes.csv, line 4: column 'f' holds numbers, and 'many' here"),
        ({"nodes": "id,f\na,1\nb,\nc,\n"}, r"nodes.csv, line 3 \(and 1 more\): column 'f' is empty or not a number"),
        ({"nodes": "id,f\na,1\nb,NaN\nc,2\n"}, "nodes.csv, line 3: column 'f' is empty or not a number"),
        ({"nodes": "id,f\na,1\nb,inf\nc,2\n"}, "nodes.csv, line 3: column 'f' is infinite; fill it in"),
        ({"nodes": "id,f\na,1\nb,1e300\nc,2\n"}, "nodes.csv, line 3: column 'f' is infinite"),
        ({"nodes": 'id,f\n"a\nb",1\nc,NaN\nd,2\n'}, "nodes.csv, line 4: column 'f' is empty or not a number"),
        ({"nodes": "id,f\na,1\n\nb,inf\n"}, "nodes.csv, line 4: column 'f' is infinite"),
        ({"nodes": b"id,f\na,1\nm\xfcller,2\n"}, "nodes.csv, line 3: the byte 0xfc is no UTF-8; save the file as"),
        ({"nodes": "id,f\na,1\n".encode("utf-16")}, "nodes.csv is encoded as UTF-16; save it as UTF-8"),
        ({"nodes": b"id,f\na,\x00\n"}, "nodes.csv, line 2: there is a zero byte"),
        ({"nodes": "id,y\na,1\nb,2\n"}, "nodes.csv has no column 'label'; rename 'y' to 'label' if it is to be"),
        ({"nodes": "id,train_mask,label\na,1,x\n"}, "nodes.csv: write one column 'split' with train, valid, test in"),
        ({"nodes": "id,label,label:a\na,1,1\n"}, "nodes.csv has a column 'label' and 'label:a'; keep"),
        ({"nodes": "id,label:\na,1\n"}, "a column is named 'label:' without a name"),
        ({"nodes": "id,label:a\na,1\nb,maybe\n"}, "nodes.csv, line 3: column 'label:a' holds 'maybe'; it takes"),
        ({"nodes": "id,label\na,1.5\nb,2.5\nc,high\n"}, "nodes.csv, line 4: the label is 'high' and others are"),
        (
            {"nodes": "id,label\n" + "".join(f"{i},{i * 7}\n" for i in range(99))},
            "column 'label' holds 99 classes in 99 labelled rows; .* write them with a decimal point",
        ),
        ({"nodes": "id,split\na,train\nb,trian\n"}, "nodes.csv, line 3: the split is 'trian'; write train, valid,"),
        ({"edges": None}, "has no edges.csv; for graphs without edges write one with the line source,target alone"),
        ({"edges": "from,to\na,b\n"}, "edges.csv has no column 'source'; it has 'from', 'to': rename 'from' to"),
        ({"edges": "source,target\na,b\nb,x9\n"}, "edges.csv, line 3: target 'x9' is no id of .*nodes.csv; add it"),
        ({"edges": "source,target\na,b\n,b\n"}, "edges.csv, line 3: the empty source is no id"),
        ({"edges": "source,target,weight\na,b,1\nb,c,heavy\nb,c,2\n"}, "edges.csv, line 3: column 'weight' holds"),
        ({"edges": "source,target,weight\na,b,x\nb,c,y\n"}, "edges.csv: column 'weight' must hold numbers"),
        ({"edges": "source,target,weight\na,b,1\nb,c,\n"}, "edges.csv, line 3: column 'weight' is empty"),
        ({"edges": "source,target,directed\na,b,perhaps\n"}, "edges.csv, line 2: column 'directed' holds true or"),
        ({"graphs": "id,label\ng,1\n"}, "nodes.csv has no column 'graph'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_said(tmp_path, files, message):
    with pytest.raises(BadInput, match=message):
        read(folder(tmp_path, **files))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"graphs": "id,label\n" + "".join(f"g{i},1\n" for i in range(7))}, "nodes.csv, line 9 .*: graph 'g7' is no"),
        ({"graphs": MANY["graphs"] + "g9,a,train\n"}, "graphs.csv, line 10: no node of .* belongs to this graph"),
        ({"graphs": MANY["graphs"] + "g0,a,train\n"}, "graphs.csv, line 10: the id 'g0' was there before"),
        ({"edges": "source,target\n0,1\n"}, "nodes.csv, line 3 .*: the id '0' was there before.* column 'graph'"),
        ({"edges": "graph,source,target\ng0,0,7\n"}, "edges.csv, line 2: target '7' is no id of this graph in "),
        ({"nodes": "id,graph,label\n0,g0,a\n"}, "nodes.csv and .*graphs.csv both have labels; keep those"),
        (
            {"nodes": "id,graph\na,g0\nb,g1\n", "edges": "source,target\na,b\n", "graphs": "id,label\ng0,1\ng1,2\n"},
            "edges.csv, line 2: the edge joins nodes of two graphs",
        ),
        ({"nodes": "id,graph\na,g0\nb,\n", "graphs": None}, "nodes.csv, line 3: column 'graph' is empty"),
        (
            {"nodes": "id,graph,split\na,g0,train\nb,g0,test\n", "graphs": None, "edges": "source,target\na,b\n"},
            "nodes.csv, line 3: the split differs from that of other nodes of its graph",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_many_graphs_is_said(tmp_path, files, message):
    with pytest.raises(BadInput, match=message):
        read(folder(tmp_path, **{**MANY, **files}))
