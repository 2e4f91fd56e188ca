"""Numbers made of edges: closed forms, graphs side by side, another order of the nodes, other ways to compute."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.data import encodings, load
from nas.data.encodings import components, encoded, laplacian, one_hot_columns, random_walk
from nas.data.features import parse
from nas.searchspace.errors import BadInput


def drawn(seed: int, nodes: int = 12, edges: int = 20) -> torch.Tensor:
    return torch.randint(nodes, (2, edges), generator=torch.Generator().manual_seed(seed))


def dense(edge_index: torch.Tensor, nodes: int) -> torch.Tensor:
    """The adjacency without directions, repetitions and self-loops."""
    out = torch.zeros(nodes, nodes, dtype=torch.float64)
    out[edge_index[0], edge_index[1]] = out[edge_index[1], edge_index[0]] = 1
    return out.fill_diagonal_(0)


@given(st.integers(0, 30), st.integers(1, 7))
def test_random_walks_return_as_powers_of_the_matrix_say(seed, steps):
    edge_index = drawn(seed)
    a = dense(edge_index, 12)
    p = a / a.sum(1, keepdim=True).clamp(min=1)
    wanted = torch.stack([torch.linalg.matrix_power(p, k).diagonal() for k in range(1, steps + 1)], dim=1)
    assert torch.allclose(random_walk(edge_index, 12, steps), wanted.float(), atol=1e-6)


def test_without_scipy_walks_return_alike(monkeypatch):
    edge_index = drawn(3)
    wanted = random_walk(edge_index, 12, 5)
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    assert torch.allclose(random_walk(edge_index, 12, 5), wanted, atol=1e-6)
    monkeypatch.setattr(encodings, "DENSE", 5)
    with pytest.raises(ImportError, match=r"a component of \d+ nodes need scipy"):
        laplacian(edge_index, 12, 2)


@given(st.integers(0, 30))
def test_columns_are_eigenvectors_of_the_normalised_laplacian_of_each_component(seed):
    edge_index = drawn(seed)
    a = dense(edge_index, 12)
    scale = a.sum(1).clamp(min=1).rsqrt()
    matrix = torch.eye(12, dtype=torch.float64) - scale[:, None] * a * scale
    place, _, sizes = components(edge_index, 12)
    found = laplacian(edge_index, 12, 4).double()
    for number, size in enumerate(sizes.tolist()):
        rows = (place == number).nonzero().flatten()
        values, _ = torch.linalg.eigh(matrix[rows][:, rows])
        for k in range(4):
            v = found[rows, k]
            if k + 1 >= size:
                assert not v.any()
                continue
            assert torch.allclose(matrix[rows][:, rows] @ v, values[k + 1] * v, atol=1e-5)
            assert math.isclose(float(v.square().mean()), 1, rel_tol=1e-5)


def test_signs_are_settled_and_a_sparse_solver_finds_the_same(monkeypatch):
    for seed in range(5):
        edge_index = drawn(seed, 30, 70)
        wanted = laplacian(edge_index, 30, 3)
        cubes = (wanted.double() ** 3).sum(0)
        assert (cubes > -1e-6).all()
        with monkeypatch.context() as patch:
            patch.setattr(encodings, "DENSE", 10)
            assert torch.allclose(laplacian(edge_index, 30, 3), wanted, atol=1e-4)
    path = torch.tensor([[0, 1, 2], [1, 2, 3]])  # every odd vector has cubes that sum to zero
    assert (laplacian(path, 4, 3)[0] > 0).all()


WORDS = ("own", "degree:5", "laplacian:2", "random-walk:4")


@settings(deadline=None)
@given(st.integers(0, 20), st.integers(0, 5))
def test_another_order_of_the_nodes_permutes_what_they_get(seed, order):
    edge_index, x = drawn(seed, 14, 40), torch.rand(14, 2)
    found = encoded(WORDS, x, edge_index, 14)
    to = torch.randperm(14, generator=torch.Generator().manual_seed(order))
    again = encoded(WORDS, torch.empty(14, 2).index_copy(0, to, x), to[edge_index], 14)[to]
    walks = [*range(7), *range(9, 13)]
    assert torch.allclose(found[:, walks], again[:, walks], atol=1e-6)
    values = torch.linalg.eigvalsh(dense(edge_index, 14))
    if len(components(edge_index, 14)[2]) == 1 and values.diff().min() > 1e-3:
        assert torch.allclose(found[:, 7:9].abs(), again[:, 7:9].abs(), atol=1e-3)


@given(st.integers(0, 20))
def test_graphs_side_by_side_get_what_each_gets_alone(seed):
    one, other = drawn(seed, 9, 16), drawn(seed + 100, 7, 12)
    both = encoded(WORDS[1:], None, torch.cat([one, other + 9], dim=1), 16)
    alone = [encoded(WORDS[1:], None, one, 9), encoded(WORDS[1:], None, other, 7)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)


def test_graphs_without_edges_and_of_one_node():
    none = torch.empty(2, 0, dtype=torch.long)
    assert encoded(WORDS[1:], None, none, 3).tolist() == [[1, 0, 0, 0, 0, *[0] * 6]] * 3
    assert encoded(WORDS[1:], None, torch.zeros(2, 1, dtype=torch.long), 1).shape == (1, 11)


def test_one_hot_columns_have_a_place_for_each_known_category():
    made = one_hot_columns(torch.tensor([[3, 0], [7, 1], [5, 1]]), [[3, 7], [0, 1, 2]])
    assert made.tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 1, 0], [0, 0, 0, 1, 0]]


def test_words_of_features_are_read_in_any_order():
    assert parse(None) is None
    assert parse("random-walk:3, Own") == ("own", "random-walk:3")
    assert parse("laplacian,degree") == ("degree", "laplacian:8")
    for text, message in [
        ("lapacian", "unknown feature 'lapacian'; did you mean 'laplacian:K'"),
        ("laplacian:0", "with K from 1 to 1024"),
        ("own:3", "cannot be read"),
        ("degree,degree", "twice"),
        ("", "unknown feature ''"),
    ]:
        with pytest.raises(BadInput, match=message):
            parse(text)


def test_features_are_added_and_recorded(ring, monkeypatch):
    task = load(ring(12), features="own,degree,laplacian:3,random-walk:2")
    assert task.transforms == ("own", "degree:3", "laplacian:3", "random-walk:2")
    assert task.features == 3 + 3 + 3 + 2
    assert len(task.notes) == 3
    graph = ring(12)
    again = encoded(task.transforms, graph.x, graph.edge_index, 12)
    assert torch.equal(task.train[0].x, again)
    assert load(ring(12), features="degree").transforms == ("one-hot degree",)
    assert load(ring(12), features="own") == load(ring(12))
    with pytest.raises(BadInput, match="no features of its own"):
        load(ring(12, x=None), features="own,degree")
    monkeypatch.setattr(encodings, "LONGEST", 10)
    with pytest.raises(BadInput, match=r"features random-walk:16: 16 steps .* use fewer steps"):
        load(ring(12), features="random-walk")


def test_what_follows_from_edges_is_not_part_of_the_identity(ring, monkeypatch):
    first = load(ring(12), features="own,laplacian:3")
    monkeypatch.setattr(encodings, "laplacian", lambda edge_index, nodes, count: torch.ones(nodes, count))
    assert load(ring(12), features="own,laplacian:3") == first
    assert load(ring(12), features="own,laplacian:2") != first


def test_links_that_are_hidden_give_no_position(ring):
    task = load(ring(40, y=None), task="link", features="laplacian:2,random-walk:4")
    assert torch.equal(task.train[0].x, encoded(task.transforms, None, task.train[0].edge_index, 40))
    assert task.transforms == ("laplacian:2", "random-walk:4")
