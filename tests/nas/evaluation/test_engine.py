"""The engine computes the same functions as the plain modules: losses, gradients, on every operator and graph."""

import random

import pytest
import torch

from nas.evaluation.engine.lowering import LAYERS, lowered
from nas.evaluation.engine.prepare import prepare, without_preparation
from nas.evaluation.train import train
from nas.searchspace.network import Network
from nas.searchspace.operators import OPERATORS
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load, source
from nas.searchspace.task import Batch, Task

ATTENTIONS = ["constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear"]
VARIANTS = {
    **{name: (name, {}) for name in OPERATORS},
    **{f"{name} 3 heads": (name, {"heads": 3}) for name in ("gat", "gatv2", "transformer")},
    **{f"{name} {aggr}": (name, {"aggr": aggr}) for name in ("sage", "graph", "aggregate") for aggr in ("mean", "max")},
    **{f"{name} K=3": (name, {"K": 3}) for name in ("cheb", "tag", "sg")},
    **{
        f"attention {attention} {aggregate} {heads}": (
            "attention",
            {"attention": attention, "aggregate": aggregate, "heads": heads, "combine": combine},
        )
        for attention in ATTENTIONS
        for aggregate, heads, combine in (("sum", 3, "mlp"), ("mean", 1, "identity"), ("max", 3, "identity"))
    },
}
KINDS = ("sparse", "dense", "narrow")


def graph(kind: str, seed: int = 0) -> Task:
    """A directed graph with self-loops, a repeated edge and a lonely node; ``narrow`` features are widened."""
    rng = torch.Generator().manual_seed(seed)
    nodes, features = 60, {"sparse": 40, "dense": 40, "narrow": 6}[kind]
    edges = torch.randint(0, nodes - 1, (2, 240), generator=rng)
    edges = torch.cat([edges, edges[:, :1], torch.tensor([[3, 5], [3, 5]])], dim=1)
    x = torch.rand(nodes, features, generator=rng)
    if kind == "sparse":
        x = x * (torch.rand(nodes, features, generator=rng) < 0.08)
    y = torch.randint(0, 3, (nodes,), generator=rng)
    batches = [Batch(x, edges, y[i], index=i) for i in torch.arange(nodes).split(20)]
    return Task("made", "node", "multiclass", features, 3, "accuracy", "", kind, train=(batches[0],), valid=(batches[1],), test=(batches[2],))


def architecture(name: str, settings: dict, width: int = 12):
    """Two layers of one operator, with the head that the space's author would not write."""

    class Two:
        def network(self, net: Network):
            x = net.x if OPERATORS[name].construct else net.linear(net.x, width)
            for _ in range(2):
                x = net.activation("relu", net.operator(name, x, width, **settings))
            return x

    return Two()


def losses(task: Task, text: str, fast: bool, epochs: int) -> list[float]:
    torch.manual_seed(0)
    model = load(text)()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)  # Adam would turn rounding into steps
    batch, seen = task.train[0], []

    def run() -> None:
        for _ in range(epochs):
            optimiser.zero_grad()
            value = torch.nn.functional.cross_entropy(model(*batch.arguments(task.inputs))[batch.index], batch.y)
            value.backward()
            optimiser.step()
            seen.append(value.item())

    if fast:
        with lowered(model, 0):
            run()
    else:
        run()
    assert not any("forward" in vars(layer) for layer in model.modules())
    return seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_are_those_of_the_plain_module(variant, kind):
    task = graph(kind)
    text = source(architecture(*VARIANTS[variant]), task)
    plain, fast = losses(task, text, False, 20), losses(prepare(task), text, True, 20)
    assert fast == pytest.approx(plain, rel=1e-5)
    assert plain[0] != plain[-1]
