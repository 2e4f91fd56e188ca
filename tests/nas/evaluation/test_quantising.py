"""Quantised layers on the engine say what the plain ones say, on whole graphs and on parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.evaluation.engine.features import SparseFeatures, plain
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.engine.quantising import chance, quantise, rounded
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.train import predict
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantiser
from nas.searchspace.network import Network
from nas.searchspace.precision import Precision
from nas.searchspace.source import load, source
from nas.searchspace.task import Task
from tests.nas.evaluation.test_engine import graph

OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "gcn": ("gcn", {}),
    "gat": ("gat", {"heads": 3}),
    "sage": ("sage", {}),
    "gin": ("gin", {}),
    "linear": ("fc", {}),
    **{
        f"attention {kind} {aggregate}": (
            "attention",
            {"attention": kind, "aggregate": aggregate, "heads": 3, "combine": "mlp"},
        )
        for kind, aggregate in (
            *(("constant", "sum"), ("gcn", "sum"), ("gcn", "max"), ("gat", "mean"), ("sym-gat", "sum")),
            *(("cos", "max"), ("linear", "mlp"), ("generalised-linear", "sum")),
        )
    },
}
PRECISIONS = {
    "W4": Precision("int4"),
    "W4A8": Precision("int4", "affine8"),
    "all": Precision("ternary", "affine8", "int8", "affine8", 0.1),
    "binary": Precision("binary-channel", "binary", "int8-learned", "affine8"),
}


def text(name: str, precision: Precision, task: Task) -> str:
    operator, settings = OPERATORS[name]

    class Two:
        def network(self, net: Network) -> Any:
            net.precision = precision
            x = net.activation("relu", net.operator(operator, net.dropout(0.3, net.x), 12, **settings))
            return net.operator(operator, net.dropout(0.3, x), 12, **settings)

    return source(Two(), task)


def trained(program: str, task: Task, steps: int = 5) -> torch.nn.Module:
    """After some steps, so that ranges are known."""
    torch.manual_seed(0)
    model, (batch,) = load(program)(), task.train
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(predict(model, task, batch), batch.y).backward()
        optimiser.step()
    return model


def alike(got: torch.Tensor, wanted: torch.Tensor) -> None:
    """But for a few rows, in which the last digit of a sum decided how something was rounded."""
    assert got.shape == wanted.shape
    apart = (got - wanted).abs().amax(1) > 1e-4 * float(wanted.abs().max())
    assert apart.float().mean() <= 0.1


@pytest.mark.each_once
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", ["sparse", "dense"])
@pytest.mark.parametrize("name", OPERATORS)
def test_inference_is_that_of_the_plain_module(name: str, kind: str, precision: str) -> None:
    task = graph(kind)
    model = trained(text(name, PRECISIONS[precision], task), task).eval()
    ready = prepare(task)
    with torch.no_grad():
        wanted = predict(model, task, task.valid[0])
        with lowered(model, 0):
            got = predict(model, ready, ready.valid[0])
            scored = Scoring(predict)(model, ready, ready.valid[0])
    alike(got, wanted)
    alike(scored, wanted)


@pytest.mark.parametrize("precision", ["W4A8", "all"])
@pytest.mark.parametrize("name", OPERATORS)
def test_rows_that_no_score_depends_on_are_left_out(name: str, precision: str) -> None:
    task = graph("sparse", nodes=300, links=300)
    model, ready = trained(text(name, PRECISIONS[precision], task), task).eval(), prepare(task)
    seen = list[int]()
    with torch.no_grad():
        wanted = predict(model, task, task.valid[0])
        with lowered(model, 0):
            for m in model.modules():
                if isinstance(m, torch.nn.Linear):
                    m.register_forward_hook(lambda m, i, out: seen.append(len(out)))
            alike(Scoring(predict)(model, ready, ready.valid[0]), wanted)
    hooked = name in ("gcn", "gat", "sage", "gin") and precision == "all"  # rounded where they propagate: whole graphs
    assert (min(seen, default=20) == 20) or hooked


@pytest.mark.parametrize("format", ["int4", "affine8", "ternary", "binary", "int4-learned"])
def test_sparse_features_round_as_dense_ones(format: str) -> None:
    ready = prepare(graph("sparse"))
    sparse, dense = ready.train[0].x, graph("sparse").train[0].x
    assert isinstance(sparse, SparseFeatures)
    one, other = Quantiser(format), Quantiser(format)
    wanted = other(dense)
    got = quantise(one, sparse)
    stays = format in ("int4", "affine8", "ternary")
    assert isinstance(got, SparseFeatures) == stays
    torch.testing.assert_close(plain(got), wanted)
    torch.testing.assert_close(one.state_dict(), other.state_dict())


def test_sparse_features_pass_a_quantiser_that_rounds_nothing() -> None:
    """As on their way to their neighbours, where the coefficients of edges alone are rounded."""
    x = torch.zeros(6, 40)
    x[torch.arange(6), torch.arange(6)] = 1.5
    assert torch.equal(plain(quantise(Quantiser("float"), SparseFeatures.of(x))), x)


def test_protection_goes_by_degrees_in_the_whole_graph() -> None:
    task = graph("dense")
    edges, quantiser = task.train[0].edge_index, Quantiser("int4", protect=0.4)
    expected = Quantiser.chance(quantiser, edges, 60)
    assert chance(quantiser, edges, 60).tolist() == expected.tolist()
    ready = prepare(task).train[0].edge_index
    torch.testing.assert_close(chance(quantiser, ready, 60), expected)


def test_lowering_leaves_nothing_behind() -> None:
    task = graph("sparse")
    model = load(text("attention gat mean", PRECISIONS["all"], task))()
    with lowered(model, 0):
        assert any("chance" in vars(m) for m in model.modules())
    assert not any("chance" in vars(m) or "forward" in vars(m) for m in model.modules())
    assert sum(is_ours(type(m)) is Quantiser for m in model.modules()) >= 6


@given(
    st.sampled_from(
        ["int2", "int4", "int8", "affine3", "affine8", "int4-channel", "affine8-channel", "ternary", "int4-learned"]
    ),
    st.booleans(),
    st.integers(0, 9),
    st.sampled_from([0.0, 1e-8, 1.0, 1e4]),
)
def test_fewer_passes_round_to_the_same_values(format: str, moving: bool, seed: int, size: float) -> None:
    moving = moving and "channel" not in format
    random = torch.Generator().manual_seed(seed)
    one, other = Quantiser(format, moving=moving), Quantiser(format, moving=moving)
    for number in range(3):  # while ranges move, some values are out of them
        x, grad = (size * torch.randn(7, 5, generator=random) * (1 + number) for _ in range(2))
        here, there = x.clone().requires_grad_(), x.clone().requires_grad_()
        got, wanted = rounded(one, here), other.rounded(there)
        assert torch.equal(got, wanted)
        got.backward(grad)
        wanted.backward(grad)
        torch.testing.assert_close(here.grad, there.grad)
        torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0, equal_nan=True)
    one.eval(), other.eval()
    with torch.no_grad():
        assert torch.equal(rounded(one, 2 * x), other.rounded(2 * x))
