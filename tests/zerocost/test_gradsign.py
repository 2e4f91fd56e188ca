"""GradSign by one pass is the naive loop's; what that cannot serve is refused with a reason and scored all the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.utils import subgraph

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.searchspace import Network, Task, Value
from nas.searchspace.operators import OPERATORS, operator
from nas.searchspace.task import Batch
from nas.zerocost import registry
from nas.zerocost.base import losses
from nas.zerocost.gradsign import MOST, gradsign, gradsign_of, split
from nas.zerocost.items import Items
from nas.zerocost.persample.gradients import uses
from nas.zerocost.persample.samples import Samples
from nas.zerocost.persample.uses import CannotSplitError
from tests.zerocost import naive
from tests.zerocost.tasks import VARIANTS, Stack, disturbed, double, graphs, network, node, several

ITEMS = Items("train")
SINGLE = 2e-4
"""How far scores in float32 may be apart, relative."""
SOFTMAX = {
    name
    for name, (of, settings) in VARIANTS.items()
    if of in ("gat", "gatv2", "transformer")
    or (of == "attention" and settings.get("attention") not in ("constant", "gcn"))
}
"""Where gradients are zero but for rounding, as by the scores of a neighbour who is alone, and their signs chance."""


def scores(architecture: Any, task: Task) -> tuple[float, float, naive.Gradients]:
    """In float64 on the plain graph, in float32 on the prepared one, and what the loop says."""
    model, exact = network(architecture, task).double(), double(task)
    found = naive.gradients(model, exact, ITEMS)
    plain = gradsign(model, exact, items=ITEMS)
    model, ready = network(architecture, task), prepare(task)
    with lowered(model, 0):
        return plain, gradsign(model, ready, items=ITEMS), found


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in SOFTMAX])
def test_the_score_is_that_of_the_loop(name):
    of, settings = VARIANTS[name]
    plain, fast, found = scores(Stack(of, **settings), node())
    assert plain == naive.gradsign(found) > 0
    assert fast == pytest.approx(plain, rel=SINGLE)


@pytest.mark.parametrize("name", sorted(SOFTMAX))
def test_but_for_the_signs_of_zeros(name):
    of, settings = VARIANTS[name]
    plain, fast, found = scores(Stack(of, **settings), node(links=160))
    least = 1e-9 * max(float(g.abs().max()) for g in found.values())
    rounded = [g for g in found.values() if bool(((g != 0) & (g.abs() < least)).any())]
    chance = sum(int((g.abs() < least).sum()) for g in rounded)
    wanted = naive.gradsign(found)
    assert chance < wanted
    assert abs(plain - wanted) <= 2 * chance
    assert abs(fast - wanted) <= 2 * chance + SINGLE * wanted


@pytest.mark.parametrize("make", [several, graphs])
@pytest.mark.parametrize("target", ["multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("name", ["gcn", "sage", "gin"])
def test_every_target_on_nodes_and_graphs(name, target, make):
    plain, fast, found = scores(Stack(name, "batch"), make(target))
    assert plain == naive.gradsign(found) > 0
    assert fast == pytest.approx(plain, rel=SINGLE)


def test_the_score_by_hand():
    """A linear map of two numbers to one: the gradient of (w . x - y)^2 has the signs of (w . x - y) x."""
    model = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.constant_(model.weight, 1.0)
    x = torch.tensor([[1.0, 1.0], [2.0, -1.0], [-1.0, 3.0], [0.0, 1.0]])
    y = torch.tensor([[0.0], [5.0], [0.0], [0.0]])  # residuals 2, -4, 2, 1
    # signs by item: (+, +), (-, +), (-, +), (0, +), so that the sums are -1 and 4
    assert gradsign_of(model, x, y, "regression") == 5
    assert gradsign_of(model, x, torch.full((4, 1), torch.nan), "regression") == 0


def test_the_default_items_are_the_first_of_a_fixed_order():
    task = node(nodes=120, items=100)
    model = network(Stack("gcn"), task)
    wanted = naive.gradsign(naive.gradients(model, task, Items("train", most=MOST)))
    assert gradsign(model, task) == gradsign(model, task, seed=7) == pytest.approx(wanted, rel=SINGLE)
    assert registry.find("gradsign").score(model, task, 3) == gradsign(model, task)


# what cannot be done in one pass


@pytest.mark.parametrize("name", ["gcn", "gat", "aggregate"])
def test_set2set_is_refused(name):
    task, architecture = graphs(), Stack(name)
    architecture.readout = "set2set"
    model, exact = network(architecture, task).double(), double(task)
    assert split(model, exact) == "readout1.lstm.weight_ih_l0 is used in a way that is not covered"
    # one graph after the other: attention to a single neighbour has no gradient but rounding, which others would change
    wanted = naive.gradsign(naive.gradients(model, each_by_itself(exact), ITEMS))
    assert gradsign(model, exact, items=ITEMS) == pytest.approx(wanted, rel=1e-3)
    with lowered(model, 0):
        assert "lstm" in (split(model, exact) or "")


def each_by_itself(task: Task) -> Task:
    """The graphs of the only training batch, a batch each."""
    (batch,) = task.train
    found = []
    for number in range(len(batch.y)):
        mine = batch.batch == number
        edges, _ = subgraph(mine, batch.edge_index, relabel_nodes=True, num_nodes=len(batch.x))
        nodes = torch.zeros(int(mine.sum()), dtype=torch.int64)
        found.append(Batch(batch.x[mine], edges, batch.y[number : number + 1], batch=nodes))
    return replace(task, train=tuple(found))


@pytest.mark.parametrize("make", [node, graphs])
def test_a_users_own_operator_is_refused(make):
    class Twice(torch.nn.Module):
        """Two steps, which nobody can know."""

        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            for _ in range(2):
                x = x.index_add(0, edge_index[1], x[edge_index[0]])
            return self.linear(x)

    class Own:
        def network(self, net: Network) -> Value:
            return net.activation("elu", net.operator("own-twice", net.x, 5))

    before = dict(OPERATORS)
    try:
        operator("own-twice")(Twice)
        task = make()
        model, exact = network(Own(), task).double(), double(task)
    finally:
        OPERATORS.clear()
        OPERATORS.update(before)
    assert "a layer of the network is not known" in (split(model, exact) or "")
    wanted = naive.gradsign(naive.gradients(model, exact, ITEMS))
    assert gradsign(model, exact, items=ITEMS) == pytest.approx(wanted, rel=1e-3)


def test_what_can_be_split_says_nothing():
    for task in (node(), several("regression"), graphs()):
        model = network(Stack("sage", "layer", "prelu"), task)
        assert split(model, task) is None
        with lowered(model, 0):
            assert split(model, prepare(task)) is None


# networks of other kinds


class Net(torch.nn.Module):
    """Whatever a function does with some parameters."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **parameters: Any) -> None:
        super().__init__()
        self.function = forward
        for name, value in parameters.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def weight(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(shape))


def frozen(*shape: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.randn(shape), requires_grad=False)


def _added(m: Any, x: Tensor) -> Tensor:
    x = x @ m.w
    x += m.b
    return x


nn = torch.nn
ROWS: dict[str, tuple[Callable[[], nn.Module], str | None]] = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), None),
    "in place": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)), None),
    "in place, no bias": (
        lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.ELU(inplace=True), nn.Linear(6, 3, bias=False)),
        None,
    ),
    "normalised": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.PReLU(), nn.LayerNorm(6), nn.Linear(6, 3)),
        None,
    ),
    "frozen": (lambda: Net(lambda m, x: torch.tanh(x @ m.a) @ m.b, a=frozen(4, 5), b=weight(5, 3)), None),
    "frozen matrix": (lambda: Net(lambda m, x: F.linear(x, m.a, m.b), a=frozen(3, 4), b=weight(3)), None),
    "a scale for all": (lambda: Net(lambda m, x: m.s * (x @ m.a) * m.t, a=weight(4, 3), s=weight(1), t=weight()), None),
    "two parts of one": (lambda: Net(lambda m, x: torch.tanh(x @ m.a[0]) @ m.a[1], a=weight(2, 4, 4)), None),
    "no effect": (lambda: Net(lambda m, x: [x @ m.a, x @ m.b][1], a=weight(4, 3), b=weight(4, 3)), None),
    "twice": (lambda: Net(lambda m, x: torch.tanh(x @ m.a) @ m.a, a=weight(4, 4)), "used twice"),
    "twice in part": (lambda: Net(lambda m, x: (x @ m.a[:, 0:3]) * m.a[1, 1:4], a=weight(4, 4)), "used twice"),
    "whole and part": (lambda: Net(lambda m, x: (x @ m.a)[:, :3] + m.a[2, :3], a=weight(4, 4)), "used twice"),
    "a chosen part": (lambda: Net(lambda m, x: x @ m.a[torch.tensor([3, 1, 0, 2])], a=weight(4, 3)), "is copied"),
    "in a list": (lambda: Net(lambda m, x: x @ torch.cat([m.a, m.b], 1), a=weight(4, 1), b=weight(4, 2)), "a is used"),
    "a part in a list": (
        lambda: Net(lambda m, x: x @ torch.cat([m.a.t(), m.b], 1), a=weight(1, 4), b=weight(4, 2)),
        "a is used in a way that is not covered",
    ),
    "added in place": (lambda: Net(_added, w=weight(4, 3), b=weight(3)), "a parameter is used by add_"),
    "subtracted": (lambda: Net(lambda m, x: x[:, :3] - m.b, b=weight(3)), "a parameter is used by sub"),
    "on the left": (lambda: Net(lambda m, x: (m.a @ x.t()).t(), a=weight(3, 4)), "the left side of a product"),
    "by each other": (lambda: Net(lambda m, x: x @ (m.a @ m.b), a=weight(4, 2), b=weight(2, 3)), "with a parameter"),
    "scaled": (lambda: Net(lambda m, x: x @ (2 * m.a), a=weight(4, 3)), "multiplied with something else than rows"),
    "many slopes": (lambda: nn.Sequential(nn.Linear(4, 3), nn.PReLU(3)), "prelu has a slope for every column"),
}
IMAGES: dict[str, tuple[Callable[[], list[nn.Module]], str | None]] = {
    "plain": (lambda: [nn.Conv2d(2, 4, 3), nn.ReLU()], None),
    "in place, no bias": (lambda: [nn.Conv2d(2, 4, 3, bias=False), nn.ReLU(inplace=True)], None),
    "two": (lambda: [nn.Conv2d(2, 3, 3, padding=1), nn.ELU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2), nn.ELU()], None),
    "strides": (lambda: [nn.Conv2d(2, 4, (3, 2), (2, 1), (1, 0), (1, 2)), nn.Tanh()], None),
    "reflected": (lambda: [nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()], None),
    "normalised": (lambda: [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.AvgPool2d(2)], None),
    "normalised by place": (lambda: [nn.Conv2d(2, 4, 3), nn.LayerNorm([4, 4, 4]), nn.ReLU()], None),
    "by group": (lambda: [nn.Conv2d(2, 4, 3, groups=2), nn.ReLU()], "a convolution in groups"),
    "by name": (lambda: [nn.Conv2d(2, 4, 3, padding="same"), nn.ReLU()], "padding by name"),
    "groups normalised": (lambda: [nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.ReLU()], "used by group_norm"),
    "transposed": (lambda: [nn.ConvTranspose2d(2, 4, 2), nn.ReLU()], "used by conv_transpose2d"),
}


def refusal(model: nn.Module, x: Tensor, y: Tensor) -> str | None:
    items = torch.arange(len(x))
    some = Samples((x,), y, None, items, items.new_empty(2, 0))
    try:
        list(uses(model, some, lambda out, s: losses(out, s.y, "multiclass")))
    except CannotSplitError as why:
        return str(why)
    return None


def check(model: nn.Module, x: Tensor, reason: str | None) -> None:
    model = disturbed(model).double()
    y = torch.randint(3, (len(x),), generator=torch.Generator().manual_seed(1))
    wanted = naive.gradsign(naive.gradients_of(model, x, y))
    why = refusal(model, x, y)
    assert (why is None) == (reason is None), why
    assert reason is None or reason in (why or "")
    assert gradsign_of(model, x, y) == wanted > 0


@pytest.mark.parametrize("name", ROWS)
def test_networks_of_rows(name):
    torch.manual_seed(2)
    make, reason = ROWS[name]
    check(make(), torch.randn(7, 4, dtype=torch.float64), reason)


@pytest.mark.parametrize("name", IMAGES)
def test_convolutional_networks(name):
    """Images are items that hear of nobody."""
    torch.manual_seed(3)
    make, reason = IMAGES[name]
    x = torch.randn(9, 2, 6, 6, dtype=torch.float64)
    body = nn.Sequential(*make(), nn.Flatten())
    width = body.double().eval()(x).size(1)
    check(nn.Sequential(body, nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 3)), x, reason)


def test_a_residual_network_of_images():
    torch.manual_seed(4)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 3, padding=1, bias=False)
            self.first, self.second = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            out = self.second(self.two(self.relu(self.first(self.one(x)))))
            out += x
            return self.relu(out)

    body = [nn.Conv2d(3, 4, 3, padding=1), Block(), Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    check(nn.Sequential(*body), torch.randn(12, 3, 8, 8, dtype=torch.float64), None)


def test_normalisation_by_the_batch_ties_items_together():
    x, y = torch.randn(7, 4, dtype=torch.float64), torch.arange(7) % 3
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False)).double().eval()
    assert "ties the samples together" in (refusal(model, x, y) or "")
    assert gradsign_of(model, x, y) > 0


# what is left behind


@pytest.mark.parametrize("readout", ["mean", "set2set"])
def test_the_network_is_left_as_it_was(readout):
    """Weights, running statistics, modes, flags; in one pass and in many, and no random number is drawn."""
    task, architecture = graphs(), Stack("gat", "batch", "prelu", dropout=0.5)
    architecture.readout = readout
    model = network(architecture, task).train()
    model.conv2.eval()
    model.linear1.bias.requires_grad_(False)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    with lowered(model, 0):
        forwards = ["forward" in vars(m) for m in model.modules()]
        score = gradsign(model, prepare(task))
        assert ["forward" in vars(m) for m in model.modules()] == forwards
    assert gradsign(model, task) == pytest.approx(score, rel=0.1)
    assert split(model, task) is None or readout == "set2set"
    for name, t in model.state_dict().items():
        assert torch.equal(t, before[name]), name
    assert [m.training for m in model.modules()] == modes
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["linear1.bias"]
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]  # type: ignore[index]


def test_frozen_parameters_do_not_count():
    task = several()
    model = network(Stack("sage"), task).double()
    whole = gradsign(model, double(task), items=ITEMS)
    model.conv1.lin_l.weight.requires_grad_(False)
    left = gradsign(model, double(task), items=ITEMS)
    assert left == naive.gradsign(naive.gradients(model, double(task), ITEMS)) < whole


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["gcn", "sage", "gin", "cheb", "attention gcn mlp"])
def test_cpu_and_cuda_agree(name):
    of, settings = VARIANTS[name]
    for task in (node(), node(words=True), graphs()):
        model = network(Stack(of, **settings), task)
        wanted = gradsign(model, task, items=ITEMS)
        moved = prepare(task.to("cuda"))
        with lowered(model.cuda(), 0):
            assert gradsign(model, moved, items=ITEMS) == pytest.approx(wanted, rel=SINGLE)
