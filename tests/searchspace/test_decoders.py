"""Decoders: closed forms, symmetry, and common neighbours against a count by hand."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.searchspace.elements import DECODERS
from nas.searchspace.layers.decoders import BilinearDecoder, CommonNeighbourDecoder, DotDecoder, ProductDecoder
from nas.searchspace.source import module, source
from nas.searchspace.spaces.registry import find
from tests.searchspace.declared import LINK, features, graph

PAIRS = torch.tensor([[0, 1, 2, 3, 5], [4, 2, 1, 9, 5]])
LAYERS: dict[str, Any] = {
    "dot": lambda outputs: DotDecoder(outputs),
    "bilinear": lambda outputs: BilinearDecoder(6, outputs),
    "mlp": lambda outputs: ProductDecoder(6, outputs),
    "ncn": lambda outputs: CommonNeighbourDecoder(6, outputs),
}


def run(name: str, layer: Any, x: torch.Tensor, edges: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    found = {"edge_index": edges, "edge_label_index": pairs}
    out: torch.Tensor = layer(x, *(found[read] for read in DECODERS[name].reads))
    return out


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", DECODERS)
def test_shapes_gradients_and_the_order_of_the_two_nodes(name: str, outputs: int) -> None:
    torch.manual_seed(0)
    layer, x, edges = LAYERS[name](outputs).double(), features(10, 6).requires_grad_(), graph(10, 30)
    out = run(name, layer, x, edges, PAIRS)
    assert out.shape == (5, outputs)
    torch.testing.assert_close(run(name, layer, x, edges, PAIRS.flip(0)), out)
    assert run(name, layer, x, edges, PAIRS[:, :0]).shape == (0, outputs)
    assert run(name, layer, x, edges[:, :0], PAIRS).shape == (5, outputs)
    out.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())
    assert torch.isfinite(x.grad).all()


def test_dot_and_bilinear_in_closed_form() -> None:
    x = features(10, 6)
    one, other = x[PAIRS[0]], x[PAIRS[1]]
    dot = DotDecoder().double()
    torch.testing.assert_close(dot(x, PAIRS), torch.einsum("ij,ij->i", one, other)[:, None])
    bilinear = BilinearDecoder(6, 2).double()
    with torch.no_grad():
        bilinear.bias.copy_(torch.tensor([1.0, -2.0]))
    for k in range(2):
        form = bilinear.form.weight[6 * k : 6 * k + 6]
        expected = torch.einsum("pi,ij,pj->p", one, (form + form.t()) / 2, other) + bilinear.bias[k]
        torch.testing.assert_close(bilinear(x, PAIRS)[:, k], expected)


@given(
    nodes=st.integers(1, 8),
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30),
    pairs=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=8),
)
def test_common_neighbours_of_any_multigraph(nodes: int, edges: list[Any], pairs: list[Any]) -> None:
    """Self-loops and repeated edges among them; a node is no neighbour of its own pair."""
    links, wanted = ({(i % nodes, j % nodes) for i, j in edges}, [(i % nodes, j % nodes) for i, j in pairs])
    edge_index, label_index = (
        torch.tensor([[i % nodes for i, _ in some], [j % nodes for _, j in some]], dtype=torch.long)
        for some in (edges, pairs)
    )
    pair, node = CommonNeighbourDecoder(4).common(edge_index, label_index, nodes)
    found = sorted(zip(pair.tolist(), node.tolist(), strict=True))
    expected = [
        (number, k)
        for number, (i, j) in enumerate(wanted)
        for k in range(nodes)
        if (k, i) in links and (k, j) in links and k not in (i, j)
    ]
    assert found == expected


def test_ncn_adds_the_embeddings_of_common_neighbours() -> None:
    layer, x = CommonNeighbourDecoder(6).double(), features(5, 6)
    edges = torch.tensor([[2, 2, 3, 3, 4, 1, 0], [0, 1, 0, 1, 0, 0, 1]])  # 2 and 3 are common, 4 is not
    wanted = layer.score(torch.cat([x[0] * x[1], x[2] + x[3]]))
    torch.testing.assert_close(layer(x, edges, torch.tensor([[0], [1]]))[0], wanted)


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_is_printed(name: str) -> None:
    """The generated module says what the layer says."""
    space = find("nasbench-graph").for_task(LINK)
    a = replace(space.sample(Random(0)), decoder=name)
    text = source(a, LINK)
    assert DECODERS[name].printed.partition(":")[2] in text
    torch.manual_seed(0)
    model = module(a, LINK).double().eval()
    edges = graph(10, 30)
    assert model(features(10, 5), edges, PAIRS).shape == (5, 1)
