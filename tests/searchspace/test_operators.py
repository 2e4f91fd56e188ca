"""Every row of the operator table."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from nas.searchspace import BadInput
from nas.searchspace.network import Network
from nas.searchspace.operators import OPERATORS, Operator, find
from nas.searchspace.source import load
from tests.searchspace.declared import NODE, features, graph

BUILT_IN = list(OPERATORS)
ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "gat": [{"heads": 4}, {"heads": 2, "dropout": 0.5}],
    "gatv2": [{"heads": 4}],
    "transformer": [{"heads": 4}],
    "sage": [{"aggr": "max"}, {"aggr": "sum"}],
    "graph": [{"aggr": "mean"}],
    "cheb": [{"K": 1}, {"K": 3}],
    "tag": [{"K": 3}],
    "sg": [{"K": 1}],
    "aggregate": [{"aggr": "max"}, {"aggr": "sum"}],
    "attention": [
        *({"attention": a, "heads": 2} for a in ATTENTIONS),
        *({"aggregate": a, "heads": 2, "concat": False} for a in ("mean", "max", "mlp")),
        {"combine": "mlp", "heads": 4},
    ],
}
ROWS = [(name, settings) for name in BUILT_IN for settings in [{}, *VARIANTS.get(name, [])]]
EVERY = pytest.mark.parametrize(
    ("name", "settings"), ROWS, ids=[f"{name}-{'-'.join(map(str, s.values()))}" for name, s in ROWS]
)


def layer(name: str, inputs: int, outputs: int, settings: dict[str, Any]) -> torch.nn.Module:
    """The operator as a module of (x, edge_index), double precision, in evaluation mode."""
    torch.manual_seed(0)
    net = Network(NODE)
    net.x = net.x.__class__(0, inputs)
    value = net.operator(name, net.x, outputs, **settings)
    assert value.width == outputs
    (step,) = net.steps
    from nas.searchspace.source import _surroundings

    imports, definitions = _surroundings(net)
    text = "\n".join([*sorted(imports), *definitions, "class Model(torch.nn.Module):", "    def __init__(self):"])
    text += f"\n        super().__init__()\n        self.{step.attribute} = {step.construct}"
    text += f"\n    def forward(self, x, edge_index):\n        return {step.call.format('x')}\n"
    return load(text)().double().eval()


def widths(name: str) -> list[tuple[int, int]]:
    return [(8, 8)] if name == "aggregate" else [(5, 8), (8, 8), (12, 4)]


@EVERY
def test_shapes_and_gradients(name: str, settings: dict[str, Any]) -> None:
    for inputs, outputs in widths(name):
        module = layer(name, inputs, outputs, settings)
        for nodes, edges in ((9, 20), (9, 3), (4, 0), (1, 0)):
            x = features(nodes, inputs).requires_grad_()
            y = module(x, graph(nodes, edges))
            assert y.shape == (nodes, outputs)
            assert torch.isfinite(y).all()
            y.square().sum().backward()
            assert x.grad is not None
            assert torch.isfinite(x.grad).all()
        x = features(9, inputs).requires_grad_()
        module.train()(x, graph(9, 30)).sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum() > 0
        unused = [p for p in module.parameters() if p.grad is None]
        assert len(unused) == (name == "arma")  # ARMAConv keeps the weight between its layers, of which there is one


@EVERY
def test_relabelled_nodes_change_nothing(name: str, settings: dict[str, Any]) -> None:
    inputs, outputs = widths(name)[0]
    module, x, edges = layer(name, inputs, outputs, settings), features(10, inputs), graph(10, 30)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    place = torch.argsort(order)
    shuffled = place[edges][:, torch.randperm(30, generator=torch.Generator().manual_seed(2))]
    torch.testing.assert_close(module(x[order], shuffled), module(x, edges)[order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_row_cites_its_paper_and_prints_its_settings(name: str) -> None:
    row = find(name)
    assert row.paper
    assert row.name == name
    if "heads" in row.settings:
        assert "heads=4" in row.constructed(8, 8, {"heads": 4})
    with pytest.raises(BadInput, match=f"operator '{name}' has no setting 'colour'; it has "):
        row.constructed(8, 8, {"colour": "red"})


@pytest.mark.parametrize("name", ["gat", "gatv2", "transformer"])
@pytest.mark.parametrize("heads", [3, 0, -1, "2", 2.0])
def test_heads_that_do_not_divide_the_width(name: str, heads: Any) -> None:
    with pytest.raises(BadInput, match=re.escape(f"operator '{name}': {heads!r} heads do not divide a width of 8")):
        find(name).constructed(4, 8, {"heads": heads})


def test_attention_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        layer("attention", 4, 8, {"heads": 3})
    assert layer("attention", 4, 8, {"heads": 3, "concat": False})


def test_an_operator_that_keeps_the_width() -> None:
    with pytest.raises(BadInput, match="operator 'aggregate' keeps the width: 4 cannot become 8"):
        find("aggregate").constructed(4, 8, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], (1,), object, b"x"])
def test_a_setting_that_source_cannot_hold(value: Any) -> None:
    with pytest.raises(BadInput, match="operator 'sage': the setting 'aggr' must be text, a finite number, a boolean"):
        find("sage").constructed(4, 8, {"aggr": value})


def test_an_unknown_operator() -> None:
    with pytest.raises(BadInput, match="unknown operator 'gattv2'; did you mean 'gatv2'"):
        find("gattv2")


def test_skip_is_the_identity_where_widths_agree() -> None:
    x = features(4, 8)
    assert layer("skip", 8, 8, {})(x, graph(4, 3)) is x
    assert isinstance(find("skip"), Operator)


def test_aggregate_counts_the_node_itself() -> None:
    x, edges = features(3, 2), torch.tensor([[0, 1], [1, 2]])
    mean = layer("aggregate", 2, 2, {"aggr": "mean"})(x, edges)
    torch.testing.assert_close(mean, torch.stack([x[0], (x[0] + x[1]) / 2, (x[1] + x[2]) / 2]))
