"""The largest buffer: counted by hand, and against what layers really send."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch_geometric.nn import MessagePassing

from nas.searchspace import Network, Value, architecture, choice
from nas.searchspace.buffers import SENT, buffers, largest
from nas.searchspace.layers.attention import AttentionConv
from nas.searchspace.operators import OPERATORS
from nas.searchspace.precision import Precision
from nas.searchspace.source import module
from nas.searchspace.task import Batch, Task

NODES, LINKS = 10, 24
EDGES = torch.stack([torch.arange(LINKS) % NODES, (torch.arange(LINKS) * 7 + 1) % NODES])
EDGES = EDGES[:, EDGES[0] != EDGES[1]]
LINKS = EDGES.size(1)
BATCH = Batch(torch.rand(NODES, 5), EDGES, torch.zeros(NODES, dtype=torch.long))
GRAPHS = Batch(BATCH.x, EDGES, torch.zeros(2, dtype=torch.long), batch=torch.arange(NODES) // 5)
NODE = Task("t", "node", "multiclass", 5, 3, "accuracy", "", "", valid=(BATCH,))
LINKED = Batch(BATCH.x, EDGES, torch.zeros(7, 1), edge_label_index=torch.zeros(2, 7, dtype=torch.long))
LINK = Task("t", "link", "multilabel", 5, 1, "roc-auc", "", "", valid=(LINKED,))
GRAPH = Task("t", "graph", "multiclass", 5, 3, "accuracy", "", "", valid=(GRAPHS,))


def built(build: Any) -> Any:
    @architecture
    class Built:
        one: int = choice(1)

        def network(self, net: Network) -> Value:
            value: Value = build(net)
            return value

    return Built(one=1)


def found(build: Any, task: Task = NODE) -> list[tuple[int, int, int]]:
    return [(b.nodes, b.edges, b.items) for b in buffers(built(build), task)]


def test_by_hand() -> None:
    def build(net: Network) -> Value:
        net.precision = Precision("int4", "affine4", "int8", "affine6")
        x = net.dropout(0.5, net.x)  # the input, however it is rounded
        x = net.activation("relu", net.operator("gat", x, 8, heads=2))
        return net.linear(net.dropout(0.5, x), 3)

    gat, stored = [(8 * 8, 0, 0), (2 * 6, 2 * 6, 0)], (8 * 4, 0, 0)
    head = [(3 * 4, 0, 0), (3 * 32, 0, 0)]
    assert found(build) == [*gat, stored, *head]
    assert largest(built(build), NODE) == NODES * 3 * 32 // 8


def test_what_is_read_as_it_is_has_32_bits() -> None:
    def build(net: Network) -> Value:
        net.precision = Precision(activations="affine4")
        x = net.linear(net.x, 6)
        return net.add(x, net.linear(x, 6))

    assert found(build)[:4] == [(6 * 32, 0, 0), (6 * 4, 0, 0), (6 * 32, 0, 0), (6 * 4, 0, 0)]
    assert largest(built(build), NODE) == NODES * 6 * 4


def test_after_the_readout_rows_are_graphs() -> None:
    def build(net: Network) -> Value:
        return net.linear(net.readout("mean", net.linear(net.x, 6)), 200)

    assert found(build, GRAPH)[-3:] == [(0, 0, 6 * 32), (0, 0, 200 * 32), (0, 0, 3 * 32)]
    assert largest(built(build), GRAPH) == 2 * 200 * 4


def test_after_the_decoder_rows_are_pairs() -> None:
    inside = {"dot": [], "bilinear": [(6 * 32, 0, 0)], "mlp": [(0, 0, 6 * 32)], "ncn": [(0, 0, 12 * 32)]}
    for decoder, expected in inside.items():
        made = built(lambda net: net.linear(net.x, 6))
        object.__setattr__(made, "decoder", decoder)
        rows = [(b.nodes, b.edges, b.items) for b in buffers(made, LINK)]
        embedded = [(6 * 32, 0, 0)] * (2 if decoder == "dot" else 1)
        assert rows == [*embedded, *expected, (0, 0, 32)]
        assert largest(made, LINK) == max(NODES * 6, expected[0][2] // 32 * 7 if expected else 0) * 4


@pytest.mark.parametrize(
    ("name", "width"), [("gin", 6), ("gat", 8), ("aggregate", 6), ("attention", 8), ("sage", None)]
)
def test_features_of_edges_become_as_wide_as_what_is_sent(name: str, width: int | None) -> None:
    def build(net: Network) -> Value:
        return net.operator(name, net.linear(net.x, 6), 6 if name == "aggregate" else 8)

    made = buffers(built(build), replace(NODE, edge_features=4))
    assert [b.edges for b in made if b.what.endswith(": edges")] == ([] if width is None else [width * 32])
    assert not [b for b in buffers(built(build), replace(NODE, edge_weights=True)) if b.what.endswith(": edges")]


def test_fewer_bits_are_smaller_buffers() -> None:
    def build(net: Network, bits: int) -> Value:
        net.precision = Precision(f"int{bits}", f"affine{bits}", f"int{bits}", f"affine{bits}")
        return net.operator("gat", net.operator("gat", net.x, 64, heads=8), 64, heads=8)

    sizes = [largest(built(lambda net, b=bits: build(net, b)), NODE) for bits in (2, 4, 8, 16)]
    assert sizes == sorted(set(sizes))


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in OPERATORS),
    ("gat", {"heads": 4}),
    ("gatv2", {"heads": 2}),
    ("transformer", {"heads": 2}),
    *((name, {"K": k}) for name in ("cheb", "tag", "sg") for k in (1, 3)),
    *(
        ("attention", {"attention": a, "heads": 2, "concat": c})
        for a in ("constant", "gcn", "gat")
        for c in (True, False)
    ),
]


@pytest.mark.parametrize(("name", "settings"), VARIANTS)
def test_what_operators_send(name: str, settings: dict[str, Any]) -> None:
    """Each layer of torch_geometric says what it propagates, and ours passes it through its slots."""

    def build(net: Network) -> Value:
        return net.operator(name, net.linear(net.x, 8), 8, **settings)

    model = module(built(build), NODE)
    sent, weighed = set[int](), set[int]()

    def propagated(layer: Any, inputs: Any) -> None:
        _, _, named = inputs
        for key in ("x", "value"):
            value = named.get(key)
            value = value[0] if isinstance(value, tuple) else value
            if value is not None:
                sent.add(value.numel() // NODES)
        weighed.update(named[key].numel() for key in ("alpha", "edge_weight", "norm") if named.get(key) is not None)

    def last(layer: Any, message: Any) -> None:  # transformer's coefficients exist inside alone
        weighed.add(layer.heads * LINKS)

    for layer in model.modules():
        if isinstance(layer, MessagePassing):
            layer.register_propagate_forward_pre_hook(propagated)
            if name == "transformer":
                layer.register_message_forward_pre_hook(last)
        if type(layer).__name__ == AttentionConv.__name__:
            layer.send.register_forward_hook(lambda m, i, out: sent.add(out.numel() // NODES))
            layer.weigh.register_forward_hook(lambda m, i, out: weighed.add(out.numel()))
    model(BATCH.x, EDGES)
    said = [b for b in buffers(built(build), NODE) if ":" in b.what]
    row = SENT[name](8, 8, {**OPERATORS[name].settings, **settings}) if name in SENT else None
    assert {b.nodes // 32 for b in said if b.what.endswith("messages")} <= sent
    if row is not None and row.made:
        assert sent == {row.width}
    edges = {(b.edges * LINKS + b.nodes * NODES) // 32 for b in said if b.what.endswith("coefficients")}
    spare = 1 if name == "attention" else 0  # a node of its own for loops of the graph
    assert edges == {n - spare * (n // (LINKS + NODES + 1)) for n in weighed}
